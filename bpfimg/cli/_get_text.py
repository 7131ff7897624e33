"""One program in full, for people: what was asked for, where it is attached, what the kernel says."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bpfimg.inspect import Inventory, LinkView, MapView, ProgramView
    from bpfimg.load import ImageRecord, LoadRecord, SignerRecord

    Pairs = Iterator[tuple[str, str]]

__all__ = ["text"]

#: fields of a hook that have a line of their own, or are in the words for where it is
_SHOWN = ("interface", "netns", "mode", "priority", "proceed_on", "direction", "side", "kind", "dispatcher", "protocol")


def text(view: ProgramView, inventory: Inventory) -> str:
    """Two blocks, *Program* and *Kernel*."""
    from bpfimg.cli._render import block

    links = inventory.by_program().get(view.id, [])
    maps = [found for found in inventory.maps if found.load is not None and found.load == view.load]
    program = [*_program(view), *_maps(view, maps), *(pair for link in links for pair in _link(link))]
    return f"{block('Program', program)}\n{block('Kernel', _kernel(view))}"


def _program(view: ProgramView) -> Pairs:
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
    yield "globals", _globals(record) if record else ""
    yield "metadata", _pairs(record.metadata.items()) if record else ""
    if view.target:
        yield "loaded for", view.target
    if view.held_by:
        yield "held by", "; ".join(view.held_by)
    if view.damage:
        yield "damage", view.damage


def _globals(record: LoadRecord) -> str:
    """What was set, with the C types."""
    types = record.global_types
    shown = (f"{name}={text}" + (f" ({types[name]})" if name in types else "") for name, text in record.globals.items())
    return ", ".join(shown)


def _signers(image: ImageRecord | None) -> Pairs:
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


def _maps(view: ProgramView, maps: list[MapView]) -> Pairs:
    pins = [(found.name, found.pin) for found in maps if found.pin]
    yield "map pins", pins[0][1] if pins else ""
    for _, pin in pins[1:]:
        yield "", pin
    users = sorted({number for found in maps for number in found.program_ids} - {view.id})
    yield "map owner", str(view.load) if view.load is not None else ""
    yield "map users", ", ".join(map(str, users))
    if view.record is not None and view.record.shared:
        yield "shared maps", ", ".join(f"{name} ({whose})" for name, whose in view.record.shared.items())
    if view.record is not None and view.record.map_access:
        words = {name: oct(n)[2:] if name == "mode" else str(n) for name, n in view.record.map_access.items()}
        yield "map access", _pairs(words.items())


def _link(link: LinkView) -> Pairs:
    """A link and what is known of it, whatever hook it is of."""
    record = link.record
    yield "link", f"{link.id if link.id is not None else '-'} ({link.state}; {_held(link)})"
    moved = " (moved to another network namespace)" if link.moved else ""
    yield "  hook", f"{link.hook} {link.target}".strip() + moved
    if link.reason:
        yield "  why stale", link.reason
    if link.netns:
        yield "  network namespace", link.netns
    if link.interface:
        index = record.ifindex if record else link.ifindex
        yield "  interface", f"{link.interface} (index {index})"
    mode = (record.used_mode if record is not None else None) or link.details.get("mode")
    if mode:
        yield "  mode", str(mode)
    yield from _chain(link)
    if link.attach_type and link.attach_type != link.hook:
        yield "  attach type", link.attach_type
    spec = record.spec if record else {}
    asked = {name: content for name, content in spec.items() if name not in _SHOWN and content not in (None, False)}
    for name, content in {**asked, **link.details}.items():
        if name not in _SHOWN and name != "attach_type" and content not in (None, "", (), []):
            yield f"  {name.replace('_', ' ')}", _said(name, content)
    if record is not None and record.note:
        yield "  note", record.note
    if link.held_by:
        yield "  held by", "; ".join(link.held_by)


def _held(link: LinkView) -> str:
    """What makes it run."""
    numbers = () if link.kernel_id is None else (link.kernel_id, *link.part_ids)
    kernel = f"kernel link {', '.join(map(str, numbers)) or 'none'}"
    if link.how == "dispatcher":
        return f"in a dispatcher, {kernel}" if numbers else "in a dispatcher"
    return f"{kernel}, {link.how}"


def _chain(link: LinkView) -> Pairs:
    """Where it stands among the programs of its hook, and what lets them share it."""
    from bpfimg.cli._chain_words import BUILDERS, place

    if link.priority is not None:
        yield "  priority", str(link.priority)
    if link.position is not None:
        yield "  position", place(link)
    if link.proceed_on:
        yield "  proceed-on", ", ".join(link.proceed_on)
    if link.builder:
        yield "  dispatcher", BUILDERS.get(link.builder, link.builder)
        if link.builder != "direct":
            protocol = f", libxdp's protocol v{link.protocol}" if link.protocol else ""
            yield "  runs as", f"program {link.details.get('dispatcher', '-')}{protocol}"


def _said(name: str, content: object) -> str:
    """A fact in words: offsets as people write them, lists with commas."""
    if isinstance(content, bool):
        return "yes" if content else "no"
    if isinstance(content, int) and name in ("offset", "address", "ref_ctr_offset", "cookie"):
        return hex(content)
    if isinstance(content, list | tuple):
        shown = ", ".join(_said(name.removesuffix("s"), each) for each in content[:16])
        return shown + (f", and {len(content) - 16} more" if len(content) > 16 else "")
    if isinstance(content, dict):
        return _pairs(content.items())
    return str(content)


def _pairs(items: Iterable[tuple[object, object]]) -> str:
    return ", ".join(f"{key}={value}" for key, value in items)


def _kernel(view: ProgramView) -> Pairs:
    info = view.info
    yield "id", str(view.id)
    yield "name", info.name if info else view.name[:15]
    yield "type", view.kernel_type
    yield "loaded at", view.loaded_at
    yield "tag", info.tag if info else ""
    yield "GPL compatible", ("yes" if info.gpl else "no") if info else ""
    yield "map ids", ", ".join(map(str, view.map_ids))
    yield "BTF id", str(view.btf_id or "")
    if info is None:
        return
    yield "translated size", _number(info.xlated_size, "bytes")
    yield "jited size", _number(info.jited_size, "bytes")
    yield "memory", _number(info.memlock, "bytes")
    yield "verified", _number(info.verified_insns, "instructions")
    if info.run_count:
        yield "ran", f"{info.run_count} times, {info.run_time} ns in all, while it was counted"


def _number(value: int | None, unit: str) -> str:
    return "" if value is None else f"{value} {unit}"
