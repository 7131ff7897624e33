"""`bpfimg copy`: between any two places, with signatures and other referrers."""

from __future__ import annotations

from bpfimg.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from bpfimg.cli._options import Options
    from bpfimg.oci import Descriptor, Digest, Reference, Target

EPILOG = """\
SRC and DST are [TRANSPORT:]NAME[:TAG][@DIGEST]: registry:NAME, store:NAME (the local store), oci:DIR[:REF] (an OCI
image layout). Without a transport SRC is looked for in the local store first, then in its registry; DST is in a
registry.

examples:
  bpfimg copy registry.example/xdp_counter:v1 oci:/media/usb/images:registry.example/xdp_counter:v1
  bpfimg copy oci:/media/usb/images:registry.example/xdp_counter:v1 store:registry.example/xdp_counter:v1"""


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    parser.add_argument("source", metavar="SRC", help="where the image is")
    parser.add_argument("destination", metavar="DST", help="where it goes")


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Copies every architecture of the image; prints `DST@sha256:...`."""
    from bpfimg.cli._render import image_entry, json_text
    from bpfimg.oci import copy

    source, selector = _source(arguments.source, options)
    target, tag = _target(arguments.destination, options)
    descriptor: Descriptor = copy(source, selector, target, tag)
    if options.json:
        print(json_text({"images": [image_entry(arguments.destination, descriptor)]}))
    else:
        print(descriptor.digest if options.quiet else f"{arguments.destination}@{descriptor.digest}")
    return 0


def _source(text: str, options: Options) -> tuple[Target, str | Digest]:
    from bpfimg.cli import _places
    from bpfimg.oci import Layout, Reference

    word, rest = Reference.split_transport(text)
    if word == "oci":
        return Layout.named(rest, lock_timeout=options.lock_timeout)
    reference = Reference.parse(rest)
    if not word:
        return _places.find(options, reference)[0], reference.selector
    return _named(word, reference, options), reference.selector


def _target(text: str, options: Options) -> tuple[Target, str | None]:
    from bpfimg.oci import Layout, Reference

    word, rest = Reference.split_transport(text)
    if word == "oci":
        path, _, name = rest.partition(":")
        if not name:
            hint = f"as in oci:{path}:registry.example/xdp_counter:v1"
            raise UsageError(f"{text!r} says no name for the image, expected oci:DIR:NAME", hint=hint)
        if set(name) & set("/:@"):
            reference = Reference.parse(name)
            return Layout(path, reference.repository, lock_timeout=options.lock_timeout), reference.tag
        # a bare tag: written so that the same words find it again
        layout, selector = Layout.named(rest, lock_timeout=options.lock_timeout)
        return layout, str(selector)
    reference = Reference.parse(rest)
    return _named(word or "registry", reference, options), reference.tag


def _named(transport: str, reference: Reference, options: Options) -> Target:
    from bpfimg.cli import _places

    place = _places.store if transport == "store" else _places.registry
    return place(options, reference.repository)
