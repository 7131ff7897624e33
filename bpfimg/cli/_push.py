"""`bpfimg push`: from the local store to a registry, with signatures and other referrers."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from bpfimg.cli._options import Options

EPILOG = """\
examples:
  bpfimg push registry.example/xdp_counter:v1
  bpfimg push xdp_counter:v1 registry.example/team/xdp_counter:v1"""


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    parser.add_argument("reference", metavar="REF", help="an image in the local store")
    parser.add_argument("destination", metavar="DEST", nargs="?", help="where to, when it is not REF itself")


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Copies, prints `DEST@sha256:...`."""
    from bpfimg.cli._places import registry, store
    from bpfimg.cli._render import print_image
    from bpfimg.oci import Reference, copy

    source = Reference.parse(arguments.reference)
    target = Reference.parse(arguments.destination or arguments.reference)
    local, remote = store(options, source.repository), registry(options, target.repository)
    descriptor = copy(local, source.selector, remote, target.tag)
    print_image(options, target, descriptor)
    return 0
