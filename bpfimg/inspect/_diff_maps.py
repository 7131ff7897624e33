"""What changed about maps and global variables."""

from __future__ import annotations

from bpfimg.inspect._diff_layout import layouts
from bpfimg.inspect._diff_model import Of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.bytecode import Dissection, GlobalSpec, MapSpec
    from bpfimg.inspect._diff_layout import Layout
    from bpfimg.inspect._diff_model import Change

_KCONFIG = ".kconfig"


def maps(before: Dissection, after: Dissection) -> Iterator[Change]:
    """Maps by name; those that libbpf makes of global data are told as globals."""
    old = {found.name: found for found in before.object.maps if not found.internal}
    new = {found.name: found for found in after.object.maps if not found.internal}
    for name in old.keys() - new.keys():
        yield Of("map", name).removed(
            _words(old[name]), "breaking", "Whoever reads it, fills it or keeps its pin finds it no more."
        )
    for name in new.keys() - old.keys():
        yield Of("map", name).added(_words(new[name]), "compatible", "One more map is made.")
    common = old.keys() & new.keys()
    was, now = (layouts(before), layouts(after)) if common else ({}, {})
    for name in common:
        yield from _map(old[name], new[name])
        for part in ("key", "value"):
            yield from _layout(old[name], new[name], part, was.get((name, part)), now.get((name, part)))


def _words(found: MapSpec) -> str:
    return f"{found.type}, {found.key_size} to {found.value_size} bytes, {found.max_entries} entries"


def _map(old: MapSpec, new: MapSpec) -> Iterator[Change]:
    this = Of("map", old.name)
    yield from this.field(
        "type", old.type, new.type, "breaking", "Pins cannot be reused, and it is used in other ways."
    )
    for part in ("key", "value"):
        sizes = getattr(old, f"{part}_size"), getattr(new, f"{part}_size")
        yield from this.field(
            f"{part} size", *sizes, "breaking", "Pins cannot be reused, and readers of the old size fail."
        )
    yield from _entries(this, old, new)
    pinned = "by-name" in (old.pinning, new.pinning)
    effect = "breaking" if pinned else "compatible"
    yield from this.field("flags", hex(old.flags), hex(new.flags), effect, "Pins cannot be reused.")
    yield from this.field("extra", hex(old.map_extra), hex(new.map_extra), effect, "Pins cannot be reused.")
    reason = "Loads now share it under its name on the whole host."
    if new.pinning == "none":
        reason = "Nobody finds it under its name any more, and it ends with its programs."
    yield from this.field("pinning", old.pinning, new.pinning, "breaking", reason)
    reason = (
        "libbpf 1.0 and newer refuse the old kind of definition." if new.legacy else "libbpf 1.0 and newer take it."
    )
    yield from this.field("legacy", old.legacy, new.legacy, "breaking" if new.legacy else "compatible", reason)
    was, now = (_words(each.inner) if each.inner else None for each in (old, new))
    yield from this.field("inner map", was, now, "breaking", "Inner maps of the old shape are refused.")


def _entries(this: Of, old: MapSpec, new: MapSpec) -> Iterator[Change]:
    effect, reason = "compatible", "There is room for more."
    if "by-name" in (old.pinning, new.pinning):
        effect, reason = "breaking", "The pin of the old size cannot be reused."
    elif new.max_entries < old.max_entries and new.max_entries:
        effect, reason = "breaking", "There is room for fewer."
    elif not new.max_entries or not old.max_entries:
        reason = "The loader decides instead of the object, or the other way round."
    yield from this.field("max_entries", old.max_entries, new.max_entries, effect, reason)


def _layout(old: MapSpec, new: MapSpec, part: str, was: Layout | None, now: Layout | None) -> Iterator[Change]:
    """The inside of keys and values of the same size."""
    if getattr(old, f"{part}_size") != getattr(new, f"{part}_size"):
        return
    this = Of("map", old.name)
    names = getattr(old, f"{part}_type"), getattr(new, f"{part}_type")
    if was is None or now is None or was == now:
        reason = "The type has another name, its size is the same."
        yield from this.field(f"{part} type", *names, "informational", reason)
        return
    moved = [leaf.place for leaf in was] != [leaf.place for leaf in now]
    if moved:
        reason = "The size is the same, but fields are elsewhere or of another type: old pins would be misread."
    else:
        reason = "Fields have other names at the same places."
    lost, new_ones = (", ".join(leaf.words for leaf in leaves) for leaves in _differing(was, now))
    yield from this.field(f"{part} layout", lost, new_ones, "breaking" if moved else "informational", reason)


def _differing(was: Layout, now: Layout) -> tuple[Layout, Layout]:
    """The leaves that only one of the two has; the first eight."""
    lost, more = set(was) - set(now), set(now) - set(was)
    return tuple(leaf for leaf in was if leaf in lost)[:8], tuple(leaf for leaf in now if leaf in more)[:8]


def globals_(before: Dissection, after: Dissection) -> Iterator[Change]:
    """The globals that can be set before load; what .kconfig wants of the kernel is a requirement."""
    old, new = _settable(before), _settable(after)
    for name in old.keys() - new.keys():
        yield Of("global", name).removed(old[name].type, "breaking", "To set it before load fails.")
    for name in new.keys() - old.keys():
        yield Of("global", name).added(new[name].type, "compatible", "It has a default value.")
    for name in old.keys() & new.keys():
        yield from _global(old[name], new[name], before.object.byte_order, after.object.byte_order)


def _settable(dissection: Dissection) -> dict[str, GlobalSpec]:
    # a dot is what compilers put into the names of statics: format strings, not something to set
    return {g.name: g for g in dissection.object.globals if g.section != _KCONFIG and "." not in g.name}


def _global(old: GlobalSpec, new: GlobalSpec, was: str, now: str) -> Iterator[Change]:
    this = Of("global", old.name)
    yield from this.field("size", old.size, new.size, "breaking", "Values of the old size are refused or cut.")
    shape = (old.kind, old.signed) != (new.kind, new.signed)
    reason = "Values of the old type mean something else." if shape else "The type has another name."
    yield from this.field("type", old.type, new.type, "breaking" if shape else "informational", reason)
    reason = "Nobody can write it once it is loaded." if new.read_only else "It can be written once it is loaded, too."
    yield from this.field(
        "read-only", old.read_only, new.read_only, "breaking" if new.read_only else "compatible", reason
    )
    yield from _enumerators(this, dict(old.enumerators), dict(new.enumerators))
    if (old.kind, old.size) == (new.kind, new.size):
        defaults = old.default(was), new.default(now)
        yield from this.field("default", *defaults, "informational", "It is what those get who do not set it.")


def _enumerators(this: Of, old: dict[str, int], new: dict[str, int]) -> Iterator[Change]:
    lost = sorted(name for name, number in old.items() if new.get(name) != number)
    more = sorted(name for name in new if name not in old)
    if old and new and (lost or more):
        effect, reason = "compatible", "More names are known."
        if lost:
            effect, reason = "breaking", "Names that were set are gone or mean another number."
        yield from this.field("enumerators", ", ".join(lost), ", ".join(more), effect, reason)
