"""Broken objects that still look like objects: the numbers of ELF, BTF and .BTF.ext, each changed on its own.

Random bytes die at the first check. So a seed is mapped once, all its numbers with their places; a mutation changes a
few of them to values that are likely to hurt (0, -1, one more, the value of a neighbour, a size of the file), or cuts,
moves and swaps whole parts.
"""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator, Sequence

_INTERESTING = (0, 1, 2, 3, 4, 7, 8, 15, 16, 24, 31, 32, 63, 64, 127, 128, 255, 256, 1023, 1024, 4095, 4096, 65535)
_EXTREME = (
    0xFFFF,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFE,
    0xFFFFFFFF,
    1 << 31,
    1 << 32,
    (1 << 63) - 1,
    1 << 63,
    (1 << 64) - 1,
)
_CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}
_ROW = "IIQQQQIIQQ"
_SYMBOL = "IBBHQQ"
_SEGMENT = "IIQQQQQQ"
_HEADER = (
    (16, 2),
    (18, 2),
    (20, 4),
    (24, 8),
    (32, 8),
    (40, 8),
    (48, 4),
    (52, 2),
    (54, 2),
    (56, 2),
    (58, 2),
    (60, 2),
    (62, 2),
)
_WHOLE_SECTIONS = (".BTF", ".BTF.ext", ".maps", "license")

# Where a number is, and how wide it is in bytes.
Field = tuple[int, int]


class Seed:
    """One object and the map of it: `groups` are lists of fields of one kind, `parts` the sections' places."""

    def __init__(self, name: str, data: bytes) -> None:
        self.name = name
        self.data = data
        self.order = "<" if data[5] == 1 else ">"
        self.groups: list[list[Field]] = []
        self.parts: list[tuple[str, int, int, int]] = []  # name, place of its header, offset, size
        self.relocatable = data[16:18] in (b"\1\0", b"\0\1")
        self._map()

    def _map(self) -> None:
        self.groups.append([(at, width) for at, width in _HEADER] + [(4, 1), (5, 1), (6, 1)])
        (table,) = struct.unpack_from(self.order + "Q", self.data, 40)
        count, names = struct.unpack_from(self.order + "HH", self.data, 60)
        rows = [struct.unpack_from(self.order + _ROW, self.data, table + 64 * i) for i in range(count)]
        strings = rows[names][4]
        self.groups.append([field for i in range(count) for field in _fields(table + 64 * i, _ROW)])
        (segments,) = struct.unpack_from(self.order + "Q", self.data, 32)
        (many,) = struct.unpack_from(self.order + "H", self.data, 56)
        if many:  # an executable
            self.groups.append([field for i in range(many) for field in _fields(segments + 56 * i, _SEGMENT)])
        for i, row in enumerate(rows):
            start = strings + row[0]
            name = self.data[start : self.data.index(b"\0", start)].decode(errors="replace")
            if row[1] in (0, 8) or not row[5]:
                continue
            self.parts.append((name, table + 64 * i, row[4], row[5]))
            self._section(name, row[1], bool(row[2] & 4), row[4], row[5])

    def _section(self, name: str, kind: int, code: bool, start: int, size: int) -> None:
        end = start + size
        if kind in (2, 11):
            self.groups.append([field for at in range(start, end, 24) for field in _fields(at, _SYMBOL)])
        elif kind == 9:
            self.groups.append(
                [field for at in range(start, end, 16) for field in ((at, 8), (at + 8, 4), (at + 12, 4))]
            )
        elif name == ".BTF":
            (header, types, types_size) = struct.unpack_from(self.order + "III", self.data, start + 4)
            first = start + header + types
            self.groups.append([(start, 2), (start + 2, 1), (start + 3, 1), *_words(start + 4, start + header)])
            self.groups += [_words(first, first + types_size)] * 3  # most of what can go wrong is here
            self.groups.append(_words(first + types_size, end))
        elif name == ".BTF.ext":
            self.groups.append([(start, 2), (start + 2, 1), (start + 3, 1), *_words(start + 4, start + 32)])
            self.groups += [_words(start + 32, end)] * 2
        elif code:
            places = ((0, 1), (1, 1), (2, 2), (4, 4))
            self.groups.append([(at + off, width) for at in range(start, end, 8) for off, width in places])
        elif not name.startswith(".debug"):
            self.groups.append(_words(start, end) or [(start, 1)])

    def section(self, name: str) -> bytes:
        """The content of that section, empty where there is none."""
        return next((self.data[at : at + size] for own, _, at, size in self.parts if own == name), b"")


def _fields(at: int, layout: str) -> Iterator[Field]:
    for code in layout:
        width = struct.calcsize("=" + code)
        yield at, width
        at += width


def _words(start: int, end: int) -> list[Field]:
    return [(at, 4) for at in range(start, end - 3, 4)]


class Mutator:
    """Makes inputs of seeds; the same ones for the same `choose` (a random.Random)."""

    def __init__(self, seeds: Sequence[Seed], choose: random.Random) -> None:
        self._seeds = seeds
        self._choose = choose
        self._labels = [_labels(seed.data) for seed in seeds if len(seed.data) < 8192 and seed.relocatable][:60]
        self._named: dict[str, list[bytes]] = {}
        for seed in seeds:
            for name in _WHOLE_SECTIONS:
                if content := seed.section(name):
                    self._named.setdefault(name, []).append(content)

    def reseed(self, seed: int) -> None:
        """Goes on with other random numbers."""
        self._choose.seed(seed)

    def input(self) -> bytes:
        """One input: mostly objects, sometimes raw BTF or labels."""
        choose = self._choose
        kind = choose.random()
        seed = choose.choice(self._seeds)
        if kind < 0.04:
            return self._text(choose.choice(self._labels))
        data = self.changed(seed)
        if kind < 0.12:
            at = next((start for name, _, start, _ in seed.parts if name == ".BTF"), 0)
            return data[at : at + len(seed.section(".BTF"))] if at else data
        return data

    def changed(self, seed: Seed) -> bytes:
        """The seed with one to four changes."""
        choose = self._choose
        data = bytearray(seed.data)
        for _ in range(choose.choice((1, 1, 1, 2, 2, 3, 4))):
            if choose.random() < 0.85:
                self._number(seed, data)
            else:
                choose.choice(self._coarse())(seed, data)
        return bytes(data)

    def bytes_changed(self, data: bytes) -> bytes:
        """Any input with some of its bytes changed: for inputs that a coverage-guided engine has found."""
        changed = bytearray(data)
        for _ in range(self._choose.choice((1, 1, 2, 4))):
            if not changed:
                break
            at = self._choose.randrange(len(changed))
            changed[at] = self._choose.choice((0, 1, 0x7F, 0x80, 0xFF, changed[at] ^ 1 << self._choose.randrange(8)))
        return bytes(changed)

    # --- one number

    def _number(self, seed: Seed, data: bytearray) -> None:
        choose = self._choose
        at, width = choose.choice(choose.choice(seed.groups) or [(0, 1)])
        if at + width > len(data):
            return
        layout = seed.order + _CODES[width]
        (old,) = struct.unpack_from(layout, data, at)
        value = self._value(seed, data, old, width)
        struct.pack_into(layout, data, at, value & (1 << 8 * width) - 1)

    def _value(self, seed: Seed, data: bytearray, old: int, width: int) -> int:
        choose = self._choose
        kind = choose.randrange(9)
        if kind == 0:
            return choose.choice(_INTERESTING)
        if kind == 1:
            return choose.choice(_EXTREME)
        if kind == 2:
            return old + choose.choice((-8, -4, -2, -1, 1, 2, 4, 8))
        if kind == 3:
            return old ^ 1 << choose.randrange(8 * width)
        if kind == 4:  # of a neighbour, or of something quite different
            at, own = choose.choice(choose.choice(seed.groups) or [(0, 1)])
            return int.from_bytes(data[at : at + own], "little" if seed.order == "<" else "big")
        if kind == 5:
            return len(data) + choose.choice((-64, -24, -1, 0, 1))
        if kind == 6:  # a type of another kind, with other flags
            return (old & 0xFFFF) | choose.randrange(20) << 24 | choose.randrange(2) << 31
        if kind == 7:
            return choose.randrange(64)
        return choose.getrandbits(8 * width)

    # --- larger changes

    def _coarse(self) -> tuple[Callable[[Seed, bytearray], None], ...]:
        return (
            self._cut,
            self._insert,
            self._remove,
            self._repeat,
            self._swap,
            self._replace,
            self._text_bytes,
            self._alias,
        )

    def _cut(self, _seed: Seed, data: bytearray) -> None:
        del data[self._choose.randrange(len(data) + 1) :]

    def _insert(self, _seed: Seed, data: bytearray) -> None:
        at = self._choose.randrange(len(data) + 1)
        data[at:at] = self._choose.randbytes(self._choose.choice((1, 4, 8, 24, 64)))

    def _remove(self, _seed: Seed, data: bytearray) -> None:
        at = self._choose.randrange(len(data) + 1)
        del data[at : at + self._choose.choice((1, 4, 8, 16, 24, 64, 512))]

    def _repeat(self, seed: Seed, data: bytearray) -> None:
        _name, _header, start, size = self._choose.choice(seed.parts)
        piece = data[start : start + min(size, 2048)]
        data[start:start] = piece * self._choose.choice((1, 2, 8))

    def _swap(self, seed: Seed, data: bytearray) -> None:
        first, second = self._choose.choice(seed.parts)[1], self._choose.choice(seed.parts)[1]
        if max(first, second) + 64 <= len(data):
            data[first : first + 64], data[second : second + 64] = data[second : second + 64], data[first : first + 64]

    def _alias(self, seed: Seed, data: bytearray) -> None:
        """One section where another is."""
        first, second = self._choose.choice(seed.parts)[1], self._choose.choice(seed.parts)[1]
        if max(first, second) + 64 <= len(data):
            data[first + 24 : first + 40] = data[second + 24 : second + 40]

    def _replace(self, seed: Seed, data: bytearray) -> None:
        """The section of another object, or noise, behind the file, and its header pointed at it."""
        name, header, _start, size = self._choose.choice(seed.parts)
        if header + 64 > len(data):
            return
        others = self._named.get(name)
        content = self._choose.choice(others) if others else self._choose.randbytes(min(size, 4096))
        struct.pack_into(seed.order + "QQ", data, header + 24, len(data), len(content))
        data += content

    def _text_bytes(self, seed: Seed, data: bytearray) -> None:
        """Names: no end, no ASCII, control characters."""
        named = [part for part in seed.parts if part[0] in (".strtab", ".BTF", "license", ".shstrtab")]
        if not named:
            return
        name, _header, start, size = self._choose.choice(named)
        at = start + (
            self._choose.randrange(size) if name != ".BTF" else size - 1 - self._choose.randrange(min(size, 600))
        )
        if at < len(data):
            data[at] = self._choose.choice((0, 0x1B, 0x7F, 0xC3, 0xFF, ord("/"), ord("."), ord("\n"), ord('"')))

    # --- labels

    def _text(self, text: str) -> bytes:
        choose = self._choose
        words = list(text)
        for _ in range(choose.choice((0, 1, 1, 2, 5))):
            at = choose.randrange(len(words))
            kind = choose.randrange(4)
            if kind == 0:
                words[at] = choose.choice('{}[]",:\\0123456789-eE.ntfu \u202e\x1b')
            elif kind == 1:
                del words[at : at + choose.choice((1, 5, 40))]
            elif kind == 2:
                words[at:at] = words[choose.randrange(len(words)) :][: choose.choice((1, 8, 80))]
            else:
                words[at:at] = choose.choice(
                    ("9" * 400, "[" * 300, '\\\\"', "1e999", "-0", "null", "true", "{}", "\\\\u0000")
                )
            words = words or ["{"]
        return "".join(words).encode(errors="replace")


def _labels(data: bytes) -> str:
    """The labels of an image with that object, as its config has them."""
    from bpfimg.bytecode import dissect
    from bpfimg.image import Description, Labels

    found = dissect(data)
    return json.dumps({**Labels.of(found.object).to_dict(), **Description.of(found).to_labels()})
