"""Types by name: made for one look at a kernel's 130,000 types, of which a few dozen matter.

Names are searched as bytes in the strings, then one pass over the types finds those that have one of them.
"""

from __future__ import annotations

import struct
import sys
from array import array

from bpfimg.btf import _kinds as kinds
from bpfimg.btf._core import essential
from bpfimg.errors import BytecodeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bpfimg.btf._read import Btf

_PLACES_MAX = 1 << 20
_LONGER = 6


class Index:
    """The types of `btf` itself, not of its base, by their names. Answers are kept."""

    __slots__ = ("_enumerators", "_found", "_like", "_names", "btf")

    def __init__(self, btf: Btf) -> None:
        self.btf = btf
        self._found: dict[str, list[int]] = {}
        self._like: dict[int, dict[str, list[str]]] = {}
        self._enumerators: dict[str, int | None] = {}
        data, starts = btf.raw_types()
        words = array("I", data)
        if (btf.byte_order == "little") != (sys.byteorder == "little"):
            words.byteswap()
        self._names = array("I", [0, *(words[start >> 2] for start in starts[1:])])

    def expect(self, names: Iterable[str]) -> None:
        """Looks up many names at once, for the price of one."""
        missing = {name for name in names if name and name not in self._found}
        wanted = {at: name for name in missing for at in self._places(name)}
        for name in missing:
            self._found[name] = []
        first = self.btf.first
        for type_id, at in [(i, at) for i, at in enumerate(self._names) if at in wanted]:
            if type_id:
                self._found[wanted[at]].append(first + type_id)

    def candidates(self, name: str) -> list[int]:
        """The types of any kind with that name, whatever flavour follows it ("task_struct___2")."""
        if name not in self._found:
            self.expect((name,))
        return self._found.get(name, [])

    def exactly(self, name: str, *of: int) -> int | None:
        """The first type of exactly that name and of one of these kinds."""
        btf = self.btf
        for type_id in self.candidates(essential(name)):
            if btf.kind(type_id) in of and btf.name(type_id) == name:
                return type_id
        return None

    def enumerator(self, name: str) -> int | None:
        """The enum that has an enumerator of that name."""
        if name not in self._enumerators:
            self._enumerators[name] = next(self._enums_with(name), None)
        return self._enumerators[name]

    def like(self, name: str, kind: int) -> list[str]:
        """The names of types of that kind that begin as `name` does and are not much longer or shorter."""
        btf = self.btf
        if kind not in self._like:
            names: dict[str, list[str]] = {}
            for type_id in btf.of_kind(kind):
                found = btf.name(type_id)
                names.setdefault(found[:2], []).append(found)
            self._like[kind] = names
        near = self._like[kind].get(name[:2], ())
        return sorted({other for other in near if abs(len(other) - len(name)) <= _LONGER})

    def _places(self, name: str) -> Iterator[int]:
        """Where in the strings that name is, with any flavour."""
        text = name.encode("utf-8", "surrogateescape")
        strings, first = self.btf.raw_strings(), self.btf.first_string
        number = 0
        for ending in (b"\0", b"___"):
            at = strings.find(text + ending)
            while at >= 0:
                number += 1
                if number > _PLACES_MAX:
                    raise BytecodeError(f"section .BTF holds one name more than {_PLACES_MAX} times")
                if ending == b"\0" or essential(self.btf.string(first + at)) == name:
                    yield first + at
                at = strings.find(text + ending, at + 1)

    def _enums_with(self, name: str) -> Iterator[int]:
        data, starts = self.btf.raw_types()
        order = "<" if self.btf.byte_order == "little" else ">"
        for place in self._places(name):
            wanted = struct.pack(order + "I", place)
            at = data.find(wanted)
            while at >= 0:
                if at % 4 == 0:
                    type_id = self.btf.first + _last_before(starts, at)
                    if self.btf.kind(type_id) in (kinds.ENUM, kinds.ENUM64) and self._has(type_id, place):
                        yield type_id
                at = data.find(wanted, at + 1)

    def _has(self, type_id: int, place: int) -> bool:
        return any(name == place for name, _ in self.btf.enumerators(type_id))


def _last_before(starts: list[int], at: int) -> int:
    from bisect import bisect_right

    return bisect_right(starts, at, lo=1) - 1
