"""`bpfimg push`: from the local store to a registry, with signatures and other referrers."""

from __future__ import annotations

from bpfimg.cli._copy_options import PLATFORM_HELP
from bpfimg.errors import NotFound, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from bpfimg.cli._options import Options
    from bpfimg.cli._places import Found

EPILOG = f"""\
REF is an image in the local store, or in another place: oci:DIR[:REF], oci-archive:FILE[:REF] and so on. It goes to
the registry that its name says, or to DST. What the registry has already does not move again; from another
repository of the same registry, content is mounted where the registry allows it.

{PLATFORM_HELP}

examples:
  bpfimg push registry.example/xdp_counter:v1
  bpfimg push xdp_counter:v1 registry.example/team/xdp_counter:v1
  bpfimg push oci:images:registry.example/xdp_counter:v1"""


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    from bpfimg.cli._copy_options import add_copying
    from bpfimg.cli._limits import add_limit

    parser.add_argument("reference", metavar="REF", help="an image in the local store, or [TRANSPORT:]NAME")
    parser.add_argument("destination", metavar="DST", nargs="?", help="where to, when it is not REF itself")
    add_copying(parser)
    add_limit(parser)


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Copies, prints `DST@sha256:...`."""
    from bpfimg.cli._copied import copied
    from bpfimg.cli._copy_options import copying
    from bpfimg.cli._places import target
    from bpfimg.cli._render import print_image
    from bpfimg.oci import Reference, places

    what = copying(arguments)
    found = _source(options, arguments.reference, arguments.destination or "")
    text = arguments.destination or str(found.reference)
    where = places.Location.parse(arguments.reference)
    if arguments.destination is None and where.path and found.reference.repository.host == "localhost":
        raise UsageError(
            f"{arguments.reference!r} names no registry, expected DST",
            hint=f"`bpfimg push {arguments.reference} registry.example/NAME:TAG`",
        )
    place, tag = target(options, text, named=found.reference, platform=what.only)
    descriptor = copied(options, found, place, tag, what)
    print_image(options, Reference(place.repository, tag, None if tag else descriptor.digest), descriptor)
    return 0


def _source(options: Options, text: str, goes: str) -> Found:
    from bpfimg.cli._places import here, located
    from bpfimg.oci import places

    where = places.Location.parse(text)
    if where.transport:
        return located(options, text, goes=goes)
    found = here(options, where.reference)
    if found is None:
        from bpfimg.cli._near import near_image

        hint = near_image(options, text, f"`bpfimg copy {text} DST` takes it from its registry")
        raise NotFound(f"the store {options.store} has no {text}", hint=hint)
    return found
