"""The types of map keys, map values and globals as C."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.btf import Btf
    from bpfimg.bytecode import Dissection

_MAPS = ".maps"


def definitions(dissection: Dissection) -> list[dict[str, object]]:
    """For each key, value and global: whose it is, how its type is spelled, and what C needs to know it.

    `definition` is "" for types that C has anyway, and null where the object's BTF is not sound.
    """
    types = dissection.types
    if types is None:
        return []
    found = [entry(types, "map", name, part, type_id) for name, part, type_id in _map_types(types)]
    wanted = {(spec.section, spec.name) for spec in dissection.object.globals if "." not in spec.name}
    for section, type_id in types.data_sections().items():
        for variable, _offset, _size in types.variables(type_id):
            if (section, types.name(variable)) in wanted:
                found.append(entry(types, "global", types.name(variable), "value", types.target(variable)))
    return found


def entry(types: Btf, kind: str, name: str, part: str, type_id: int) -> dict[str, object]:
    from bpfimg.btf import declaration, spelled
    from bpfimg.errors import BytecodeError

    try:
        definition: str | None = declaration(types, type_id)
    except BytecodeError:
        definition = None
    words = spelled(types, type_id)
    return {"kind": kind, "name": name, "part": part, "type": words, "definition": definition}


def _map_types(types: Btf) -> Iterator[tuple[str, str, int]]:
    """(map, "key" or "value", type) of the maps that BTF describes."""
    section = types.data_sections().get(_MAPS, 0)
    if not section:
        return
    for variable, _offset, _size in types.variables(section):
        shape = types.bare(types.target(variable))
        for name, member in types.members(shape):
            if types.string(name) in ("key", "value"):
                yield types.name(variable), types.string(name), types.target(types.bare(member))
