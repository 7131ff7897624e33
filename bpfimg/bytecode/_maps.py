"""Maps: those declared with BTF in `.maps`, those of struct_ops, and those that hold the global variables."""

from __future__ import annotations

from bpfimg.btf import kinds, spelled
from bpfimg.bytecode._legacy import legacy
from bpfimg.bytecode._map_types import MAP_TYPES, map_type
from bpfimg.bytecode._model import MapSpec
from bpfimg.bytecode._text import checked
from bpfimg.bytecode._variables import KCONFIG, is_global_section, is_read_only
from bpfimg.errors import BytecodeError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.btf import Btf
    from bpfimg.bytecode._elf import ElfObject
    from bpfimg.bytecode._variables import Budget, GlobalSpec

_ARRAY, _STRUCT_OPS = MAP_TYPES.index("array"), MAP_TYPES.index("struct_ops")
_F_RDONLY_PROG, _F_MMAPABLE, _F_LINK = 1 << 7, 1 << 10, 1 << 13
_PINNING = ("none", "by-name")

_DECLARED = ".maps"
_STRUCT_OPS_SECTIONS = {".struct_ops": 0, ".struct_ops.link": _F_LINK, "?.struct_ops": 0, "?.struct_ops.link": _F_LINK}
_FIELDS_MAX = 64  # libbpf knows about a dozen
_LINKAGE_STATIC = 0


def maps(elf: ElfObject, btf: Btf | None, globals_: tuple[GlobalSpec, ...], budget: Budget) -> tuple[MapSpec, ...]:
    """All maps of the object, in libbpf's order: declared, global data, .kconfig, struct_ops; old ones come first."""
    old = legacy(elf)
    return (*old, *_new(elf, btf, globals_, budget)) if old else _new(elf, btf, globals_, budget)


def _new(elf: ElfObject, btf: Btf | None, globals_: tuple[GlobalSpec, ...], budget: Budget) -> tuple[MapSpec, ...]:
    if btf is None:
        if elf.content(_DECLARED):
            raise BytecodeError(
                "section '.maps' declares maps, but the object has no BTF to describe them",
                hint="compile with clang -g, and strip with llvm-strip -g",
            )
        return tuple(_internal(elf, {}, globals_))
    sections = btf.data_sections()
    found = [*_declared(btf, elf, sections, budget), *_internal(elf, _shared(btf, sections), globals_)]
    for section, flags in _STRUCT_OPS_SECTIONS.items():
        if section in sections and elf.content(section):
            found += _struct_ops(btf, section, sections[section], flags, budget)
    return tuple(found)


def _declared(btf: Btf, elf: ElfObject, sections: dict[str, int], budget: Budget) -> list[MapSpec]:
    if _DECLARED not in sections:
        if elf.content(_DECLARED):
            raise BytecodeError("section '.maps' declares maps, but section .BTF does not describe it")
        return []
    found: dict[str, MapSpec] = {}
    budget.variables(btf.length(sections[_DECLARED]))
    for variable, _offset, _size in btf.variables(sections[_DECLARED]):
        name = checked(btf.name(variable), "a map in section '.maps'")
        if name in found:
            raise BytecodeError(f"section '.maps' declares the map {quoted(name)} twice")
        definition = btf.bare(btf.target(variable)) if btf.kind(variable) == kinds.VAR else variable
        if btf.kind(definition) != kinds.STRUCT or btf.length(definition) > _FIELDS_MAX:
            raise BytecodeError(f"map {quoted(name)} is not declared as a struct of up to {_FIELDS_MAX} fields")
        found[name] = _definition(btf, name, definition, inner=False)
    return list(found.values())


def _definition(btf: Btf, name: str, definition: int, *, inner: bool) -> MapSpec:
    """One `struct { __uint(type, …); __type(key, …); … }`: numbers are lengths of arrays, types are pointers."""
    fields = {btf.string(offset): member for offset, member in btf.members(definition)}

    def number(field: str) -> int:
        return _number(btf, name, field, fields[field]) if field in fields else 0

    def typed(field: str) -> tuple[int, str | None]:
        size = number(f"{field}_size")
        if field not in fields:
            return size, None
        type_id = _pointed(btf, name, field, fields[field])
        own = btf.size(type_id)
        if size not in (0, own):
            raise BytecodeError(f"map {quoted(name)} has a {field}_size of {size}, but its {field} has {own} bytes")
        return own, checked(spelled(btf, type_id), f"the {field} of map {quoted(name)}")

    type_id, pinning = number("type"), number("pinning")
    if not type_id:
        raise BytecodeError(f"map {quoted(name)} has no type, expected __uint(type, BPF_MAP_TYPE_…)")
    if pinning >= len(_PINNING):
        raise BytecodeError(f"map {quoted(name)} has the pinning {pinning}, expected 0 (none) or 1 (by name)")
    (key_size, key_type), (value_size, value_type) = typed("key"), typed("value")
    return MapSpec(
        name=name,
        type=map_type(type_id),
        type_id=type_id,
        key_size=key_size,
        # The value of a map of maps or of programs is an id; libbpf fills in the size.
        value_size=4 if "values" in fields and not value_size else value_size,
        key_type=key_type,
        value_type=value_type,
        max_entries=number("max_entries"),
        flags=number("map_flags"),
        pinning=_PINNING[pinning],
        internal=False,
        map_extra=number("map_extra"),
        inner=_inner(btf, name, fields["values"]) if "values" in fields and not inner else None,
    )


def _inner(btf: Btf, name: str, member: int) -> MapSpec | None:
    """The shape of the maps in a map of maps: `struct { ... } *values[]`; None for a prog_array's functions."""
    values = btf.bare(member)
    if btf.kind(values) != kinds.ARRAY:
        raise BytecodeError(f"field 'values' of map {quoted(name)} is no array, expected __array(values, ...)")
    pointed = btf.bare(_pointed(btf, name, "values", btf.array(values)[0]))
    if btf.kind(pointed) != kinds.STRUCT or btf.length(pointed) > _FIELDS_MAX:
        return None
    return _definition(btf, name, pointed, inner=True)


def _number(btf: Btf, name: str, field: str, member: int) -> int:
    """A number written as `int (*field)[N]`."""
    array = btf.bare(_pointed(btf, name, field, member))
    if btf.kind(array) != kinds.ARRAY:
        raise BytecodeError(f"field {quoted(field)} of map {quoted(name)} is no number, expected __uint({field}, …)")
    return btf.array(array)[1]


def _pointed(btf: Btf, name: str, field: str, member: int) -> int:
    pointer = btf.bare(member)
    if btf.kind(pointer) != kinds.PTR:
        raise BytecodeError(f"field {quoted(field)} of map {quoted(name)} is no pointer, expected __uint or __type")
    return btf.target(pointer)


def _internal(elf: ElfObject, shared: dict[str, bool], globals_: tuple[GlobalSpec, ...]) -> list[MapSpec]:
    """One array of one element for each section of global data, and for the .kconfig that no section holds."""
    sizes = [(s.name, s.size) for s in elf.sections if s.size and s.name != KCONFIG and is_global_section(s.name)]
    wanted = [spec.offset + spec.size for spec in globals_ if spec.section == KCONFIG]
    if wanted:
        sizes.append((KCONFIG, max(wanted)))
    return [_array(name, size, mapped=shared.get(name, False)) for name, size in sizes]


def _array(name: str, size: int, *, mapped: bool) -> MapSpec:
    return MapSpec(
        name=name,
        type=MAP_TYPES[_ARRAY],
        type_id=_ARRAY,
        key_size=4,
        value_size=size,
        key_type=None,
        value_type=None,
        max_entries=1,
        flags=(_F_RDONLY_PROG if is_read_only(name) else 0) | (_F_MMAPABLE if mapped else 0),
        pinning="none",
        internal=True,
    )


def _shared(btf: Btf, sections: dict[str, int]) -> dict[str, bool]:
    """Which sections user space may map: those with a variable that is not static."""
    return {
        name: any(btf.linkage(variable) != _LINKAGE_STATIC for variable, _, _ in btf.variables(type_id))
        for name, type_id in sections.items()
        if is_global_section(name)
    }


def _struct_ops(btf: Btf, section: str, type_id: int, flags: int, budget: Budget) -> list[MapSpec]:
    """Each variable is a map whose value is a table of functions for the kernel."""
    budget.variables(btf.length(type_id))
    found = []
    for variable, _offset, size in btf.variables(type_id):
        name = checked(btf.name(variable), f"a variable of section {section}")
        if btf.kind(variable) != kinds.VAR:
            raise BytecodeError(f"{quoted(name)} in section {section} is no variable")
        words = spelled(btf, btf.target(variable))
        found.append(
            MapSpec(
                name=name,
                type=MAP_TYPES[_STRUCT_OPS],
                type_id=_STRUCT_OPS,
                key_size=4,
                value_size=size,
                key_type=None,
                value_type=checked(words, f"the type of {quoted(name)}"),
                max_entries=1,
                flags=flags,
                pinning="none",
                internal=False,
            )
        )
    return found
