"""The running kernel's own types, by /sys/kernel/btf/vmlinux: enough of BTF to check offsets and enumerations."""

from __future__ import annotations

import functools
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

SOURCE = Path("/sys/kernel/btf/vmlinux")
_ORDER = "<" if sys.byteorder == "little" else ">"
_INT, _ARRAY, _STRUCT, _UNION, _ENUM, _FUNC_PROTO, _VAR, _DATASEC, _DECL_TAG, _ENUM64 = (
    1,
    3,
    4,
    5,
    6,
    13,
    14,
    15,
    17,
    19,
)
_EXTRA = {_INT: 4, _ARRAY: 12, _VAR: 4, _DECL_TAG: 4}  # bytes after the common 12, and for each of `vlen` entries:
_ENTRY = {_STRUCT: 12, _UNION: 12, _ENUM: 8, _FUNC_PROTO: 8, _DATASEC: 12, _ENUM64: 12}


@dataclass(frozen=True, slots=True)
class Vmlinux:
    data: bytes
    names: int  # where the strings begin
    places: tuple[int, ...]  # type id -> where it is described; 0 is void

    def _words(self, place: int, count: int) -> tuple[int, ...]:
        return struct.unpack_from(f"{_ORDER}{count}I", self.data, place)

    def _name(self, offset: int) -> str:
        start = self.names + offset
        return self.data[start : self.data.index(b"\0", start)].decode()

    def _find(self, name: str, *kinds: int) -> int:
        wanted = self.data.index(b"\0" + name.encode() + b"\0", self.names) + 1 - self.names
        for place in self.places[1:]:
            at, info, _ = self._words(place, 3)
            if at == wanted and info >> 24 & 31 in kinds:
                return place
        pytest.fail(f"this kernel's BTF has no {name}")

    def enumeration(self, name: str) -> dict[str, int]:
        place = self._find(name, _ENUM)
        count = self._words(place + 4, 1)[0] & 0xFFFF
        pairs = (self._words(place + 12 + 8 * index, 2) for index in range(count))
        return {self._name(at): value for at, value in pairs}

    def structures(self, name: str) -> list[dict[str, tuple[int, int]]]:
        """Every way to read the fields of a struct or union: the anonymous ones of a union's members apart."""
        place = self._find(name, _STRUCT, _UNION)
        return [self._flat(member, 0, "") for member in self._members(place)] + [dict(self._fields(place, 0, ""))]

    def part(self, name: str, member: str) -> dict[str, tuple[int, int]]:
        """The fields of a named member, from its own beginning."""
        for at, target, _ in self._members(self._find(name, _STRUCT, _UNION)):
            if self._name(at) == member:
                return dict(self._fields(self.places[target], 0, ""))
        pytest.fail(f"this kernel's {name} has no {member}")

    def _members(self, place: int) -> list[tuple[int, int, int]]:
        info = self._words(place + 4, 1)[0]
        found = []
        for index in range(info & 0xFFFF):
            at, target, offset = self._words(place + 12 + 12 * index, 3)
            found.append((at, target, offset & 0xFFFFFF if info >> 31 else offset))
        return found

    def _fields(self, place: int, base: int, prefix: str) -> list[tuple[str, tuple[int, int]]]:
        found: list[tuple[str, tuple[int, int]]] = []
        for member in self._members(place):
            found += self._flat(member, base, prefix).items()
        return found

    def _flat(self, member: tuple[int, int, int], base: int, prefix: str) -> dict[str, tuple[int, int]]:
        at, target, bits = member
        name, start = self._name(at), base + bits // 8
        kind, size = self._resolved(target)
        if kind in (_STRUCT, _UNION):
            inner = f"{prefix}{name}." if name else prefix
            return dict(self._fields(self._place(target), start, inner))
        return {prefix + name: (start, size)}

    def _place(self, target: int) -> int:
        place = self.places[target]
        while self._words(place + 4, 1)[0] >> 24 & 31 in (8, 9, 10, 11, 18):  # typedef, const, volatile, …
            place = self.places[self._words(place + 8, 1)[0]]
        return place

    def _resolved(self, target: int) -> tuple[int, int]:
        place = self._place(target)
        kind = self._words(place + 4, 1)[0] >> 24 & 31
        if kind == _ARRAY:
            element, _, count = self._words(place + 12, 3)
            return kind, self._resolved(element)[1] * count
        return kind, 8 if kind == 2 else self._words(place + 8, 1)[0]


@functools.cache
def vmlinux() -> Vmlinux:
    if not SOURCE.exists():
        pytest.skip("this kernel has no btf")
    data = SOURCE.read_bytes()
    header, types, types_length, strings, _ = struct.unpack_from(f"{_ORDER}5I", data, 4)
    place, end, places = header + types, header + types + types_length, [0]
    info_at = struct.Struct(f"{_ORDER}I")
    while place < end:
        places.append(place)
        info = info_at.unpack_from(data, place + 4)[0]
        kind = info >> 24 & 31
        place += 12 + _EXTRA.get(kind, 0) + _ENTRY.get(kind, 0) * (info & 0xFFFF)
    return Vmlinux(data, header + strings, tuple(places))
