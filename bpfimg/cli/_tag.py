"""`bpfimg tag`: one more name for an image of the local store."""

from __future__ import annotations

from bpfimg.errors import NotFound, UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from bpfimg.cli._options import Options

EPILOG = """\
Both names are of the local store; a name that is there already is moved. Signatures and other referrers come along,
but most signatures say for which repository they are, and count for that alone.

examples:
  bpfimg tag registry.example/xdp_counter:v1 registry.example/xdp_counter:stable
  bpfimg tag xdp_counter:v1 registry.example/team/xdp_counter:v1"""


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    parser.add_argument("source", metavar="SRC", help="an image in the local store")
    parser.add_argument("destination", metavar="DST", help="its further name")


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Gives the name, prints `DST@sha256:...`."""
    from bpfimg.cli._places import here, store
    from bpfimg.cli._render import print_image
    from bpfimg.oci import Reference, places

    target = Reference.parse(_in_store(arguments.destination))
    if target.digest is not None or target.tag is None:
        raise UsageError(
            f"{quoted(arguments.destination)} has a digest, expected NAME:TAG: an image has the one it has"
        )
    name = _in_store(arguments.source)
    found = here(options, name)
    if found is None:
        from bpfimg.cli._near import near_image

        hint = near_image(options, name, "`bpfimg images` lists what it has")
        raise NotFound(f"the store {options.store} has no {name}", hint=hint)
    source = store(options, found.reference.repository)
    local = store(options, target.repository)
    print_image(options, target, places.stores.retag(source, found.reference.selector, local, target.tag))
    return 0


def _in_store(text: str) -> str:
    from bpfimg.oci import places

    where = places.Location.parse(text)
    if where.transport not in ("", "store"):
        hint = "`bpfimg copy` goes between places"
        raise UsageError(f"{quoted(text)} is not in the local store, expected a name there", hint=hint)
    return where.reference
