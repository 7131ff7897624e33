"""`bpfimg pull`: from a registry to the local store, with signatures and other referrers."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from bpfimg.cli._options import Options

EPILOG = """\
Of an image for several architectures, this machine's is fetched; --all-platforms fetches all.

examples:
  bpfimg pull registry.example/xdp_counter:v1
  bpfimg pull registry.example/xdp_counter@sha256:..."""


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    parser.add_argument("reference", metavar="REF", help="an image in a registry")
    parser.add_argument("--all-platforms", action="store_true", help="fetch every architecture of the image")


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Copies, prints `REF@sha256:...`."""
    from bpfimg.cli._places import registry, store
    from bpfimg.cli._render import print_image
    from bpfimg.oci import Platform, Reference, copy

    reference = Reference.parse(arguments.reference)
    local, remote = store(options, reference.repository), registry(options, reference.repository)
    platform = None if arguments.all_platforms else Platform.host()
    tag = None if reference.digest else reference.tag  # a digest says which: it moves no tag that others go by
    descriptor = copy(remote, reference.selector, local, tag, platform=platform)
    print_image(options, reference, descriptor)
    return 0
