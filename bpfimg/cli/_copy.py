"""`bpfimg copy`: between any two places, with signatures and other referrers."""

from __future__ import annotations

from bpfimg.cli._copy_options import PLATFORM_HELP
from bpfimg.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from bpfimg.cli._options import Options

EPILOG = f"""\
SRC and DST are [TRANSPORT:]NAME[:TAG][@DIGEST]:
  registry:NAME             in a registry
  store:NAME                the local store
  oci:DIR[:REF]             an OCI image layout
  oci-archive:FILE[:REF]    a tar file of one
  docker-archive:FILE[:REF] as `docker save` writes it
  docker-daemon:NAME        a running docker or podman
Without a transport SRC is looked for in the local store first, then in its registry (for store: under the same name,
in its registry alone); DST is in a registry. A DST that is a path alone (oci:DIR), or store: alone, takes the name of
SRC.

{PLATFORM_HELP}

--from-file copies a list of images in one process, eight at a time: `SRC DST` on each line, or `SRC` alone with DST
given once, where all of them go: oci:DIR, oci-archive:FILE, store:, registry:mirror.example/prefix. Empty lines and
what follows a # are passed over; - reads the list from stdin. What fails is named at the end, and the others are
there. LIST.journal says what is done: a second run goes on from there, and takes it away when nothing is left to do;
the run after that looks at every image again, so tags that moved are followed.

--all copies every image of SRC in the same way: oci:DIR, oci-archive:FILE, docker-archive:FILE, store:, or all tags of
registry:HOST/NAME. It keeps a journal with --journal FILE alone. What has no name is said, and passed over.

examples:
  bpfimg copy registry.example/xdp_counter:v1 oci:/media/usb/images
  bpfimg copy oci:/media/usb/images:registry.example/xdp_counter:v1 \\
    store:registry.example/xdp_counter:v1
  bpfimg copy --platform linux/arm64 --flatten registry.example/probe:v1 \\
    mirror.example/probe:v1-arm64
  bpfimg copy --from-file images.txt oci-archive:/media/usb/images.tar
  bpfimg copy --from-file images.txt registry:mirror.example/ebpf
  bpfimg copy --all oci-archive:/media/usb/images.tar store:"""


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    from bpfimg.cli._copy_options import add_copying
    from bpfimg.cli._limits import add_limit

    parser.add_argument("source", metavar="SRC", nargs="?", help="where the image is")
    parser.add_argument("destination", metavar="DST", nargs="?", help="where it goes")
    parser.add_argument("--all", action="store_true", help="copy every image of SRC: a layout, archive, repository")
    parser.add_argument("--from-file", metavar="LIST", help="copy all images of a list; then DST stands alone")
    parser.add_argument(
        "--journal", metavar="FILE", help="where to keep what is done (default LIST.journal, for a file)"
    )
    parser.add_argument("--no-journal", action="store_true", help="keep no journal: begin anew every time")
    add_copying(parser)
    add_limit(parser)


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Copies; prints `DST@sha256:...`, for each image of a list as it is there."""
    from bpfimg.cli._copy_options import copying

    what = copying(arguments)
    if arguments.all or arguments.from_file is not None:
        from bpfimg.cli._copy_list import copy_list

        return copy_list(arguments, options, what)
    for given, option in ((arguments.journal, "--journal"), (arguments.no_journal, "--no-journal")):
        if given:
            raise UsageError(f"{option} is for lists, expected --from-file LIST or --all beside it")
    if arguments.source is None or arguments.destination is None:
        raise UsageError("copy needs two places, expected SRC DST or --from-file LIST")
    from bpfimg.cli._copied import copied
    from bpfimg.cli._places import in_full, located, spelt, target
    from bpfimg.cli._render import image_entry, json_text

    found = located(options, arguments.source, goes=arguments.destination)
    destination = in_full(arguments.destination, found.reference)
    place, tag = target(options, destination, named=found.reference, platform=what.only)
    descriptor = copied(options, found, place, tag, what)
    name = spelt(destination, place.repository, tag)
    if options.json:
        print(json_text({"images": [image_entry(name, descriptor)]}))
    else:
        print(descriptor.digest if options.quiet else f"{name}@{descriptor.digest}")
    return 0
