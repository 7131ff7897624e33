"""`bpfimg get`: everything about one program."""

from __future__ import annotations

from bpfimg.errors import Error, UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from bpfimg.cli._options import Options
    from bpfimg.inspect import Inventory, LinkView, MapView, ProgramView
    from bpfimg.load import ImageRecord, SignerRecord

EPILOG = """\
The program may be another tool's; what only a record of bpfimg could tell is then shown as `-`.

examples:
  bpfimg get 42
  bpfimg get 42 -o json"""


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    parser.add_argument("id", metavar="ID", help="id of the program in the kernel, as `bpfimg list` shows it")


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Prints two blocks, *Program* and *Kernel*."""
    from bpfimg.cli._list import seen

    if not (arguments.id.isascii() and arguments.id.isdigit() and len(arguments.id) <= 10):
        raise UsageError(
            f"the program is {quoted(arguments.id)}, expected its id, a number", hint="`bpfimg list` shows the ids"
        )
    number = int(arguments.id)
    inventory = seen(options, maps=True)
    if all(view.id != number for view in inventory.programs):
        inventory = seen(options, all=True, maps=True)
    found = next((view for view in inventory.programs if view.id == number), None)
    if found is None:
        raise Error(f"there is no program {number} in this kernel", hint="`bpfimg list --all` shows what there is")
    show([found], inventory, options)
    return 0


def show(programs: list[ProgramView], inventory: Inventory, options: Options) -> None:
    """Prints programs in full: ids, blocks or JSON."""
    from bpfimg.cli._entries import program_entry
    from bpfimg.cli._render import block, json_text

    if options.json:
        print(json_text({"programs": [program_entry(view, inventory) for view in programs]}))
        return
    if options.quiet:
        print("".join(f"{view.id}\n" for view in programs), end="")
        return
    for view in programs:
        links = [link for link in inventory.links if link.program_id == view.id]
        maps = [found for found in inventory.maps if found.load is not None and found.load == view.load]
        print(
            block("Program", [*_program(view), *_maps(view, maps), *(pair for link in links for pair in _link(link))])
        )
        print(block("Kernel", _kernel(view)))


def _program(view: ProgramView) -> Iterator[tuple[str, str]]:
    record = view.record
    image = record.image if record else None
    yield "name", view.name
    yield "application", record.name if record else ""
    yield "image", image.reference if image else ""
    yield "digest", image.digest if image else ""
    if image and image.version:
        yield "version", image.version
    yield from _signers(image)
    yield "believed by", f"{image.policy}, {image.rule}" if image else ""
    yield "pull policy", image.pull if image else ""
    yield "globals", _pairs(record.globals.items()) if record else ""
    yield "metadata", _pairs(record.metadata.items()) if record else ""
    if view.held_by:
        yield "held by", "; ".join(view.held_by)
    if view.damage:
        yield "damage", view.damage


def _signers(image: ImageRecord | None) -> Iterator[tuple[str, str]]:
    """Whose signatures were believed, and below each what is known of it."""
    if image is None or not image.signers:
        nobody = "nobody: UNSIGNED, which the policy allows here" if image and image.unsafe else ""
        yield "signer", nobody
        return
    for signer in image.signers:
        yield "signer", signer.who
        if signer.format:
            yield "  signature", f"{signer.format}, {_seen(signer)}"
    if image.unsafe:
        yield "warning", "the policy asks for no signature here"


def _seen(signer: SignerRecord) -> str:
    """When it was made, and who says so."""
    if not signer.signed_at:
        return "no verified time"
    logs = f" by the log {', '.join(signer.logs)}" if signer.logs else ""
    stamps = f" by the timestamp authority {', '.join(signer.stamps)}" if signer.stamps else ""
    return f"{signer.signed_at}{' and'.join(filter(None, (logs, stamps)))}"


def _maps(view: ProgramView, maps: list[MapView]) -> Iterator[tuple[str, str]]:
    pins = [(found.name, found.pin) for found in maps if found.pin]
    yield "map pins", pins[0][1] if pins else ""
    for _, pin in pins[1:]:
        yield "", pin
    users = sorted({number for found in maps for number in found.program_ids} - {view.id})
    yield "map owner", str(view.load) if view.load is not None else ""
    yield "map users", ", ".join(map(str, users))


def _link(link: LinkView) -> Iterator[tuple[str, str]]:

    record = link.record
    yield (
        "link",
        f"{link.id if link.id is not None else '-'} ({link.state}; kernel link {link.kernel_id or 'none'}, {link.how})",
    )
    yield (
        "  hook",
        f"{link.hook} {link.target}".strip() + (" (moved to another network namespace)" if link.moved else ""),
    )
    if record is None:
        return
    if record.netns:
        yield "  network namespace", record.netns
    if record.interface:
        yield "  interface", f"{record.interface} (index {record.ifindex})"
    if record.used_mode:
        yield "  mode", record.used_mode + (f" ({record.note})" if record.note else "")
    if record.priority is not None:
        yield "  priority", str(record.priority)
    if record.proceed_on:
        yield "  proceed-on", ", ".join(record.proceed_on)


def _pairs(items: object) -> str:
    return ", ".join(f"{key}={value}" for key, value in items)  # type: ignore[attr-defined]


def _kernel(view: ProgramView) -> Iterator[tuple[str, str]]:
    yield "id", str(view.id)
    yield "name", view.name[:15]
    yield "type", view.type
    yield "loaded at", view.loaded_at
    yield "tag", view.tag
    yield "GPL compatible", {True: "yes", False: "no", None: ""}[view.gpl]
    yield "map ids", ", ".join(map(str, view.map_ids))
    yield "BTF id", str(view.btf_id or "")
    yield "translated size", _number(view.xlated_size, "bytes")
    yield "jited size", _number(view.jited_size, "bytes")
    yield "memory", _number(view.memlock, "bytes")
    yield "verified", _number(view.verified_insns, "instructions")


def _number(value: int | None, unit: str) -> str:
    return "" if value is None else f"{value} {unit}"
