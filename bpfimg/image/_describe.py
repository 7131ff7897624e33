"""From an object to the parts of its description: what stands in them is fixed by the spec (BI-39 to BI-44)."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bpfimg.btf import Ext
    from bpfimg.bytecode import BytecodeObject, Dissection, GlobalSpec, MapSpec, ProgramSpec

    Part = dict[str, object]

__all__ = ["DEFAULTS", "described"]

#: the value that a member has when it is left out; one that is not here is always there, or absent where it is unknown
DEFAULTS: dict[str, object] = {
    "attach_type": None, "target": None, "sleepable": False, "frags": False, "multi": False, "autoload": True,
    "helpers": [], "kfuncs": [], "ksyms": [], "maps": [], "flags": 0, "map_extra": 0, "pinning": "none",
    "legacy": False, "inner": None, "key_type": None, "value_type": None, "read_only": False, "default": None,
    "lines": False, "core": {}, "since": None, "optional": False,
}  # fmt: skip
EXACT = 2**53 - 1
"""What every JSON reader keeps exactly (RFC 7493, 2.2); larger integers are written as text."""


def described(dissection: Dissection, toolchain: Mapping[str, str]) -> dict[str, object]:
    """The parts by name: texts, and JSON values whose objects have their keys in order."""
    obj = dissection.object
    parts: dict[str, object] = {
        "programs": [_program(program) for program in sorted(obj.programs, key=lambda program: program.name)],
        "maps": [_map(found) for found in sorted(obj.maps, key=lambda found: found.name) if not found.internal],
        "globals": [_global(spec, obj.byte_order) for spec in _settable(obj.globals)],
        "requires": _requires(obj),
        "license": obj.license,
        "byte-order": obj.byte_order,
        "btf": _btf(obj, dissection.ext) if obj.has_btf else None,
        "toolchain": dict(sorted(toolchain.items())),
    }
    return {name: part for name, part in parts.items() if part}


def _members(**members: object) -> Part:
    """The members in order, without those that have their default."""
    return {name: members[name] for name in sorted(members) if members[name] != DEFAULTS.get(name, ...)}


def _program(program: ProgramSpec) -> Part:
    return _members(
        name=program.name,
        section=program.section,
        type=program.type,
        attach_type=program.attach_type,
        target=program.target,
        sleepable=program.sleepable,
        frags=program.frags,
        multi=program.multi,
        autoload=program.autoload,
        instructions=program.instructions,
        helpers=list(program.uses.helpers),
        kfuncs=list(program.uses.kfuncs),
        ksyms=list(program.uses.ksyms),
        maps=list(program.uses.maps),
    )


def _map(found: MapSpec) -> Part:
    shape = _shape(found)
    return _members(name=found.name, inner=_shape(found.inner) if found.inner else None, **shape)


def _shape(found: MapSpec) -> Part:
    """A map without its name, as the inner map of a map of maps has it."""
    return _members(
        type=found.type,
        key_size=found.key_size,
        value_size=found.value_size,
        key_type=found.key_type,
        value_type=found.value_type,
        max_entries=found.max_entries,
        flags=found.flags,
        map_extra=_number(found.map_extra),
        pinning=found.pinning,
        legacy=found.legacy,
    )


def _settable(globals_: Iterable[GlobalSpec]) -> list[GlobalSpec]:
    """Without what compilers put there themselves: a dot in its name is what tells a format string."""
    named = (spec for spec in globals_ if "." not in spec.name)
    return sorted(named, key=lambda spec: (spec.name, spec.section, spec.offset))


def _global(spec: GlobalSpec, byte_order: str) -> Part:
    return _members(
        name=spec.name,
        section=spec.section,
        type=spec.type,
        size=spec.size,
        read_only=spec.read_only,
        default=_default(spec, byte_order),
    )


def _default(spec: GlobalSpec, byte_order: str) -> object:
    """The value before anybody sets it: exact in every language, so no floating point and no large number."""
    found = spec.default(byte_order)
    if isinstance(found, float):
        found = f"hex:{spec.initial.hex()}"
    if isinstance(found, int) and not isinstance(found, bool):
        return _number(found)
    if isinstance(found, str) and found.startswith("hex:") and not any(spec.initial):
        return None  # zeros say nothing that their number does not
    return found


def _number(number: int) -> int | str:
    return number if -EXACT <= number <= EXACT else str(number)


def _btf(obj: BytecodeObject, ext: Ext | None) -> Part:
    from bpfimg.btf import kinds

    words = kinds.CORE_KINDS
    core: dict[str, int] = {}
    for relocation in (each for section in ext.core.values() for each in section) if ext else ():
        word = words[relocation.kind] if relocation.kind < len(words) else f"kind_{relocation.kind}"
        core[word] = core.get(word, 0) + 1
    return _members(size=obj.btf_size, lines=obj.has_line_info, core=dict(sorted(core.items())))


def _requires(obj: BytecodeObject) -> Part:
    """Kind to name to what is known of it."""
    from bpfimg.bytecode import requirements

    found: dict[str, Part] = {}
    for need in requirements(obj):
        found.setdefault(need.kind, {})[need.name] = _members(since=need.since, optional=need.optional)
    return {kind: dict(sorted(found[kind].items())) for kind in sorted(found)}
