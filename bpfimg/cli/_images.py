"""`bpfimg images`: what is in the local store."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from bpfimg.cli._options import Options

EPILOG = """\
examples:
  bpfimg images
  bpfimg images registry.example/xdp_counter -o json"""


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    parser.add_argument("reference", metavar="REF", nargs="?", help="only this repository, or only this tag")


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Prints the images, sorted by name; an empty store is an empty list."""
    from bpfimg.cli._render import image_entry, json_text, table
    from bpfimg.oci import Layout, Reference

    found = sorted(
        ((str(name), descriptor) for name, descriptor in Layout.images(options.store)), key=lambda pair: pair[0]
    )
    if arguments.reference is not None:
        wanted = Reference.parse(arguments.reference)
        tagged = ":" in arguments.reference.rpartition("/")[2]
        prefix = str(wanted) if tagged else f"{wanted.repository}:"
        found = [
            (name, descriptor)
            for name, descriptor in found
            if name == prefix or (not tagged and name.startswith(prefix))
        ]
    if options.json:
        print(json_text({"images": [image_entry(name, descriptor) for name, descriptor in found]}))
    elif options.quiet:
        print("".join(f"{descriptor.digest}\n" for _, descriptor in found), end="")
    else:
        print(table(("IMAGE", "DIGEST"), [(name, str(descriptor.digest)) for name, descriptor in found]))
    return 0
