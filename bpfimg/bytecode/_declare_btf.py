"""BTF that declares maps, as `__uint(max_entries, 8)` does: a number is the length of an array that a pointer leads to.

What was described before keeps its number; the DATASEC of the old section becomes that of the new one.
"""

from __future__ import annotations

import struct

from bpfimg.btf import kinds
from bpfimg.bytecode._header import prefix
from bpfimg.errors import BytecodeError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpfimg.btf import Btf
    from bpfimg.bytecode._model import MapSpec

__all__ = ["SIZE", "described"]

_FIELDS = ("type", "key_size", "value_size", "max_entries", "map_flags", "pinning")
SIZE = 8 * len(_FIELDS)  # bytes of one declaration: pointers
_MAGIC, _HEADER = 0xEB9F, 24
_SIGNED_32 = 1 << 24 | 32


class _Types:
    """Types that are added behind others."""

    def __init__(self, btf: Btf | None, order: str) -> None:
        data, self.starts = btf.raw_types() if btf else (b"", [0])
        self.rows, self.order = bytearray(data), order
        self.strings = bytearray(btf.raw_strings() if btf else b"\0")
        self.next = len(btf) if btf else 1
        self._numbers: dict[int, int] = {}
        self._int = 0

    def name(self, text: str) -> int:
        at = len(self.strings)
        self.strings += text.encode() + b"\0"
        return at

    def add(self, name: int, kind: int, target: int, *rest: int, members: int = 0) -> int:
        """A type with `rest` behind its three words; returns its id."""
        self.rows += struct.pack(f"{self.order}{3 + len(rest)}I", name, kind << 24 | members, target, *rest)
        self.next += 1
        return self.next - 1

    def number(self, number: int) -> int:
        """A pointer to an array of so many."""
        self._int = self._int or self.add(self.name("int"), kinds.INT, 4, _SIGNED_32)
        if number not in self._numbers:
            array = self.add(0, kinds.ARRAY, 0, self._int, self._int, number)
            self._numbers[number] = self.add(0, kinds.PTR, array)
        return self._numbers[number]

    def whole(self) -> bytes:
        sizes = (len(self.rows), len(self.rows), len(self.strings))
        head = struct.pack(self.order + "HBBIIIII", _MAGIC, 1, 0, _HEADER, 0, *sizes)
        return head + self.rows + self.strings


def described(
    btf: Btf | None, byte_order: str, sections: tuple[str, str], maps: Sequence[tuple[MapSpec, bool]]
) -> bytes:
    """The content of `.BTF` that says also what these maps are; with each whether it is pinned by name.

    `sections` are the names of the old section and of the new one, in which the maps lie one behind the other.
    Raises BytecodeError where the old section is said to hold something else.
    """
    made = _Types(btf, prefix(byte_order))
    names = [made.name(field) for field in _FIELDS]
    structs = [_declaration(made, names, spec, pinned=pinned) for spec, pinned in maps]
    place = made.name(sections[1])
    before = btf.data_sections().get(sections[0]) if btf else None
    if btf is None or before is None:
        variables = [
            made.add(made.name(spec.name), kinds.VAR, type_id, kinds.GLOBAL)
            for (spec, _), type_id in zip(maps, structs, strict=True)
        ]
        rows = [word for number, each in enumerate(variables) for word in (each, number * SIZE, SIZE)]
        made.add(place, kinds.DATASEC, SIZE * len(maps), *rows, members=len(variables))
        return made.whole()
    _turned(made, btf, before, place, dict(zip((spec.name for spec, _ in maps), structs, strict=True)))
    return made.whole()


def _declaration(made: _Types, names: Sequence[int], spec: MapSpec, *, pinned: bool) -> int:
    numbers = (spec.type_id, spec.key_size, spec.value_size, spec.max_entries, spec.flags, int(pinned))
    rows: list[int] = []
    for at, (name, number) in enumerate(zip(names, numbers, strict=True)):
        rows += [name, made.number(number or 0), 64 * at]
    return made.add(0, kinds.STRUCT, SIZE, *rows, members=len(names))


def _turned(made: _Types, btf: Btf, section: int, place: int, structs: dict[str, int]) -> None:
    """Makes of the DATASEC of the old maps that of the new ones: name, size, and the types and places of its VARs."""
    variables = {btf.name(variable): variable for variable, _, _ in btf.variables(section)}
    if set(variables) != set(structs) or len(variables) != btf.length(section):
        stray = sorted(set(variables) ^ set(structs))
        raise BytecodeError(f"section .BTF and section 'maps' do not agree about {', '.join(map(quoted, stray[:4]))}")
    rows = []
    for number, (name, type_id) in enumerate(structs.items()):
        at = made.starts[variables[name]]
        struct.pack_into(made.order + "II", made.rows, at + 8, type_id, kinds.GLOBAL)
        rows += [variables[name], number * SIZE, SIZE]
    at = made.starts[section]
    struct.pack_into(made.order + "I", made.rows, at, place)
    struct.pack_into(f"{made.order}{1 + len(rows)}I", made.rows, at + 8, SIZE * len(structs), *rows)
