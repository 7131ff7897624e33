"""`bpfimg pull`: from a registry to the local store, with signatures and other referrers."""

from __future__ import annotations

from bpfimg.cli import _help

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from bpfimg.cli._options import Options
    from bpfimg.cli._places import Found
    from bpfimg.oci import Platform, places

EPILOG = f"""\
Of an image for several architectures, this machine's is fetched; --platform fetches others, --all-platforms all. The
index stays as it is, so its digest and its signatures hold. From another transport (oci:DIR:REF and so on) the image
is copied into the store under its name.

{_help.PULL}

examples:
  bpfimg pull registry.example/xdp_counter:v1
  bpfimg pull --platform linux/amd64 --platform linux/arm64 \\
    registry.example/xdp_counter:v1
  bpfimg pull --pull newer registry.example/xdp_counter:v1
  bpfimg pull oci-archive:/media/usb/images.tar:registry.example/xdp_counter:v1
  bpfimg pull registry.example/xdp_counter@sha256:..."""


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    from bpfimg.cli._copy_options import add_platforms
    from bpfimg.cli._fetched import add_pull
    from bpfimg.cli._limits import add_limit

    parser.add_argument("reference", metavar="REF", help="the image")
    parser.add_argument("--all-platforms", action="store_true", help="fetch every architecture of the image")
    add_platforms(parser, "fetch this platform of the image (may be repeated)")
    add_pull(parser, usual="always")
    add_limit(parser)


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Copies, prints `REF@sha256:...`."""
    from bpfimg.cli._fetched import fetched, pull_policy
    from bpfimg.cli._render import print_image
    from bpfimg.cli._subjects import asked_platforms
    from bpfimg.errors import UsageError
    from bpfimg.oci import places

    wanted: Sequence[Platform] | None = asked_platforms(arguments.platform) or None
    if arguments.all_platforms:
        if wanted:
            raise UsageError("--platform and --all-platforms are both given, expected one of them")
        wanted = ()
    where = places.Location.parse(arguments.reference)
    if where.transport not in ("", "registry"):
        if arguments.pull is not None:
            raise UsageError(
                f"--pull is {arguments.pull!r} and {where.transport}: is no registry, expected one of them"
            )
        found = _taken(options, where, wanted)
    else:
        found = fetched(options, where.reference, pull=pull_policy(arguments.pull, "always"), platforms=wanted)
    print_image(options, found.reference, found.descriptor)
    return 0


def _taken(options: Options, where: places.Location, wanted: Sequence[Platform] | None) -> Found:
    """Copies from a place that is no registry."""
    from bpfimg.cli._copied import copied
    from bpfimg.cli._copy_options import Copying
    from bpfimg.cli._places import Found, located, store
    from bpfimg.errors import UsageError
    from bpfimg.oci import Platform

    if where.transport == "store":
        raise UsageError(f"{str(where)!r} is in the local store already, expected another place")
    source = located(options, str(where))
    reference = source.reference
    local = store(options, reference.repository)
    tag = None if reference.digest else reference.tag
    chosen = (Platform.host(),) if wanted is None else wanted
    descriptor = copied(options, source, local, tag, Copying(tuple(chosen), assumed=wanted is None))
    return Found(local, str(reference), reference, descriptor)
