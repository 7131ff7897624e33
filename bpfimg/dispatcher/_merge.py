"""The types of a program that is made of others: what their functions and source lines need, in one BTF.

Of each member's BTF, as the kernel has it, the functions that are there are taken, with the types that they lead to and
the tags that stand on them; maps have types of their own. Ids and strings are written anew
(https://docs.kernel.org/bpf/btf.html).
"""

from __future__ import annotations

import struct
import sys

from bpfimg._value import value
from bpfimg.btf import Btf, Limits, kinds
from bpfimg.errors import BytecodeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpfimg.dispatcher._assemble import Assembled, Function, Part

_MAGIC, _VERSION, _HEADER = 0xEB9F, 1, 24
_SIGNED_32 = 1 << 24 | 32
_CONTEXTS = {"xdp": "xdp_md", "tc": "__sk_buff"}
_FILE = "bpfimg"
_PROTO = 4  # the id of `int f(struct xdp_md *ctx)`
_NAME_MAX = 127
#: kinds whose third word is a type, not a size
_LEADING = frozenset((kinds.PTR, kinds.FUNC, kinds.FUNC_PROTO, kinds.DECL_TAG, *kinds.TRANSPARENT))
#: kind -> number of words of each member, and which of them are a string and a type (-1: none)
_MEMBERS = {
    kinds.STRUCT: (3, 0, 1),
    kinds.UNION: (3, 0, 1),
    kinds.ENUM: (2, 0, -1),
    kinds.ENUM64: (3, 0, -1),
    kinds.FUNC_PROTO: (2, 0, 1),
}


@value(frozen=True, slots=True)
class Merged:
    """What PROG_LOAD is given: BTF, arrays of struct bpf_func_info and bpf_line_info."""

    btf: bytes
    functions: bytes
    lines: bytes


def merge(hook: str, name: str, made: Assembled, parts: Sequence[Part], btfs: Sequence[bytes]) -> Merged:
    """The types of `made`, the program `name`; `btfs` are those of the parts, b"" for one without."""
    types = _Types(_CONTEXTS[hook])
    read = [_read(btf) for btf in btfs]
    taken = [_Taken(types, btf) if btf is not None else None for btf in read]
    functions = []
    for function in made.functions:
        part = taken[function.part] if function.part >= 0 else None
        number = part.function(function) if part is not None and not function.unseen else 0
        named = name if function.part < 0 else _named(parts[function.part].code.name, function)
        functions.append((function.place, number or types.function(named, function.unseen)))
    for part in taken:
        if part is not None:
            part.tags()
    rows: list[int] = []
    notes = {index: types.string(part.note.encode()) for index, part in enumerate(parts)}
    notes[-1], file = types.string(name.encode()), types.string(_FILE.encode())
    for line in made.lines:
        part = taken[line.part] if line.part >= 0 else None
        if part is not None:
            rows += (line.place, part.string(line.file), part.string(line.text), line.position)
        else:
            rows += (line.place, file, notes[line.text if line.part < 0 else line.part], line.position)
    return Merged(
        btf=types.btf(),
        functions=b"".join(struct.pack("=II", *each) for each in functions),
        lines=struct.pack(f"={len(rows)}I", *rows),
    )


def _named(name: str, function: Function) -> str:
    """A name for a function that brings none, of the characters that the kernel takes."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in name)
    return f"m_{plain}"[2 if plain[:1].isalpha() or plain[:1] == "_" else 0 :][: _NAME_MAX - 8] + (
        "" if function.entry else f"_{function.place}"
    )


def _read(btf: bytes) -> Btf | None:
    if not btf:
        return None
    try:
        return Btf(btf, sys.byteorder, Limits())
    except BytecodeError:  # the kernel has checked it: it has a kind that is newer than this program
        return None


class _Types:
    """Types and strings as they are written; ids begin with what a function without types of its own needs."""

    def __init__(self, context: str) -> None:
        self._strings, self._known = bytearray(1), {b"": 0}
        self._rows: list[bytes] = []
        self.add(struct.pack("=IIII", self.string(b"int"), kinds.INT << 24, 4, _SIGNED_32))
        self.add(struct.pack("=III", self.string(context.encode()), kinds.STRUCT << 24, 0))
        self.add(struct.pack("=III", 0, kinds.PTR << 24, 2))
        self.add(struct.pack("=IIIII", 0, kinds.FUNC_PROTO << 24 | 1, 1, self.string(b"ctx"), 3))

    def string(self, text: bytes) -> int:
        at = self._known.get(text)
        if at is None:
            at = self._known[text] = len(self._strings)
            self._strings += text + b"\0"
        return at

    def add(self, row: bytes) -> int:
        """Its id; the row may be given later."""
        self._rows.append(row)
        return len(self._rows)

    def put(self, number: int, row: bytes) -> None:
        self._rows[number - 1] = row

    def function(self, name: str, unseen: bool) -> int:
        """A function that is given the context. A global one is verified by itself: whoever calls it does not know its
        result."""
        linkage = kinds.GLOBAL if unseen else kinds.STATIC
        return self.add(struct.pack("=III", self.string(name.encode()), kinds.FUNC << 24 | linkage, _PROTO))

    def btf(self) -> bytes:
        body = b"".join(self._rows)
        head = (_MAGIC, _VERSION, 0, _HEADER, 0, len(body), len(body), len(self._strings))
        return struct.pack("=HBBIIIII", *head) + body + self._strings


class _Taken:
    """What was taken of one BTF: its ids and strings there, and here."""

    def __init__(self, types: _Types, btf: Btf) -> None:
        self._types, self._btf = types, btf
        self._data, self._starts = btf.raw_types()
        self._text = btf.raw_strings()
        self._ids, self._strings = {0: 0}, {0: 0}

    def string(self, offset: int) -> int:
        here = self._strings.get(offset)
        if here is None:
            end = self._text.find(b"\0", offset)
            here = self._strings[offset] = self._types.string(self._text[offset:end] if end >= 0 else b"")
        return here

    def function(self, function: Function) -> int:
        """The id of its FUNC here; 0 where it has none. A member's own is static: the verifier goes on into it, with
        what it knows, and sees its result."""
        number = function.type
        if not 0 < number < len(self._btf) or self._btf.kind(number) != kinds.FUNC:
            return 0
        here = self._type(number)
        if function.entry:
            row = self._row(number)
            word = struct.unpack_from("=I", row, 4)[0] & ~0xFFFF | kinds.STATIC
            self._types.put(here, row[:4] + struct.pack("=I", word) + row[8:])
        return here

    def tags(self) -> None:
        """Takes the tags on functions that were taken: `__arg_nonnull` and others change what the verifier expects."""
        for number in self._btf.of_kind(kinds.DECL_TAG):
            if self._btf.target(number) in self._ids:
                self._type(number)

    def _type(self, number: int) -> int:
        """The id here of a type, which is taken with all that it leads to."""
        here = self._ids.get(number)
        if here is not None:
            return here
        here = self._ids[number] = self._types.add(b"")
        waiting = [number]
        while waiting:
            number = waiting.pop()
            for each in self._led_to(number):
                if each not in self._ids:
                    self._ids[each] = self._types.add(b"")
                    waiting.append(each)
            self._types.put(self._ids[number], self._row(number))
        return here

    def _words(self, number: int) -> list[int]:
        start = self._starts[number]
        end = self._starts[number + 1] if number + 1 < len(self._starts) else len(self._data)
        return list(struct.unpack(f"={(end - start) // 4}I", self._data[start:end]))

    def _led_to(self, number: int) -> list[int]:
        words, kind = self._words(number), self._btf.kind(number)
        found = [words[2]] if kind in _LEADING else words[3:5] if kind == kinds.ARRAY else []
        size, _, at = _MEMBERS.get(kind, (1, 0, -1))
        return found + (words[3 + at :: size] if at >= 0 else [])

    def _row(self, number: int) -> bytes:
        """The type as it is written here; what it leads to has its id already."""
        words, kind = self._words(number), self._btf.kind(number)
        words[0] = self.string(words[0])
        if kind in _LEADING:
            words[2] = self._ids[words[2]]
        if kind == kinds.ARRAY:
            words[3:5] = [self._ids[words[3]], self._ids[words[4]]]
        if kind in _MEMBERS:
            size, text, leads = _MEMBERS[kind]
            words[3 + text :: size] = [self.string(each) for each in words[3 + text :: size]]
            if leads >= 0:
                words[3 + leads :: size] = [self._ids[each] for each in words[3 + leads :: size]]
        return struct.pack(f"={len(words)}I", *words)
