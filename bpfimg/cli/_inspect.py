"""`bpfimg inspect`: what is in an image or object file, without running it or trusting its labels."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping
    from typing import Any

    from bpfimg.cli._options import Options

EPILOG = """\
What is shown is read from the object itself; nothing is verified, loaded or run. An image for several architectures
is shown as this machine would get it.

examples:
  bpfimg inspect xdp_counter.bpf.o
  bpfimg inspect registry.example/xdp_counter:v1 -o json"""


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    parser.add_argument("what", metavar="REF|OBJ", help="an image, or the path of an ELF object")


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Prints programs, maps and globals."""
    from bpfimg import bytecode, inspect
    from bpfimg.cli._render import json_text

    head: dict[str, object] = {"id": arguments.what}
    if os.path.isfile(arguments.what):
        from bpfimg.cli._build import read_object

        found = inspect.report(bytecode.parse(read_object(arguments.what)))
    else:
        head, found = _image(arguments.what, options)
    if options.json:
        print(json_text({**head, **found}))
    else:
        _show(head, found)
    return 0


def _image(text: str, options: Options) -> tuple[dict[str, object], dict[str, object]]:
    from bpfimg import inspect
    from bpfimg.cli._parser import warn
    from bpfimg.cli._places import find
    from bpfimg.image import BytecodeImage
    from bpfimg.oci import Platform, Reference

    reference = Reference.parse(text)
    place, descriptor = find(options, reference)
    image = BytecodeImage.fetch(place, descriptor, Platform.host())
    for finding in image.check():
        warn(f"{finding.message} ({finding.rule})")
    head: dict[str, object] = {
        "id": str(descriptor.digest),
        "reference": str(reference),
        "digest": str(descriptor.digest),
        "platform": str(image.platform),
        "file": image.file_name,
        "labels": image.labels.to_dict(),
    }
    return head, inspect.report(image.object)


def _show(head: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    from bpfimg.cli._render import block, table

    names = ("reference", "digest", "platform", "file")
    pairs = [(name, str(head[name])) for name in names if name in head]
    pairs += [("size", f"{found['size']} bytes"), ("licence", found["license"]), ("byte order", found["byte_order"])]
    pairs += [("BTF", "yes" if found["btf"] else "no"), ("CO-RE", "yes" if found["core"] else "no")]
    print(block("Image" if "digest" in head else f"Object {head['id']}", pairs))
    if found["programs"]:
        rows = [(p["name"], p["type"], p["section"], str(p["instructions"])) for p in found["programs"]]
        print("\n" + table(("PROGRAM", "TYPE", "SECTION", "INSTRUCTIONS"), rows))
    maps = [m for m in found["maps"] if not m["internal"]]
    if maps:
        maps_ = [(m["name"], m["type"], _sized(m, "key"), _sized(m, "value"), str(m["max_entries"])) for m in maps]
        print("\n" + table(("MAP", "TYPE", "KEY", "VALUE", "MAX ENTRIES"), maps_))
    # a dot is what compilers put into the names of statics: format strings, not something to set
    settable = [g for g in found["globals"] if "." not in g["name"]]
    if settable:
        globals_ = [(g["name"], g["type"], _value(g["value"]), "yes" if g["read_only"] else "no") for g in settable]
        print("\n" + table(("GLOBAL", "TYPE", "VALUE", "READ-ONLY"), globals_))


def _sized(found: Mapping[str, Any], part: str) -> str:
    kind, size = found[f"{part}_type"], found[f"{part}_size"]
    return f"{kind} ({size})" if kind else str(size)


def _value(value: object) -> str:
    return "-" if value is None else str(value)
