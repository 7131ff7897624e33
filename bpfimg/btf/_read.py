"""A reader of BTF, the types of an object or a kernel, made for files nobody vouches for.

https://docs.kernel.org/bpf/btf.html. One pass finds where each type begins; nothing else is decoded before it is asked
for. No function recurses: every walk along a chain of types ends after `Limits.depth` steps, so that cycles and endless
chains are an error.
"""

from __future__ import annotations

import struct

from bpfimg.btf import _kinds as kinds
from bpfimg.errors import BytecodeError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.btf._limits import Limits

_MAGIC = 0xEB9F
_HEADER_SIZE = 24
_POINTER_SIZE = 8
_SIZE_MAX = 0xFFFF_FFFF

# Bytes after the 12 that every type has: so many, and so many for each of the vlen members.
_FIXED = {kinds.INT: 4, kinds.ARRAY: 12, kinds.VAR: 4, kinds.DECL_TAG: 4}
_EACH = {kinds.STRUCT: 12, kinds.UNION: 12, kinds.ENUM: 8, kinds.FUNC_PROTO: 8, kinds.DATASEC: 12, kinds.ENUM64: 12}
# By kind: bytes of the type itself, and of each of its members; None for a kind that there is not.
_SIZES = [
    (12 + _FIXED.get(kind, 0), _EACH.get(kind, 0)) if kinds.INT <= kind <= kinds.ENUM64 else None for kind in range(32)
]


class Btf:
    """The types of one object or kernel by their ids; 0 is void. Every method raises `BytecodeError` for ids and
    offsets that do not exist.

    `base`: what a kernel module's types begin behind, those of vmlinux; ids and strings go on where its end.
    """

    __slots__ = (
        *("_base", "_data", "_limits", "_order", "_starts", "_strings", "_words"),
        *("byte_order", "first", "first_string", "pointer_size"),
    )

    def __init__(self, data: bytes, byte_order: str, limits: Limits, base: Btf | None = None) -> None:
        self._limits = limits
        self._base = base
        self.byte_order = byte_order
        self.pointer_size: int = base.pointer_size if base else _POINTER_SIZE  # in bytes; of BPF, and of most kernels
        self.first = len(base) - 1 if base else 0  # ids up to this one are the base's
        self._order = "<" if byte_order == "little" else ">"
        types, strings = _split(data, self._order, limits)
        self._data, self._strings = types, strings
        self.first_string: int = base.first_string + len(base._strings) if base else 0
        self._starts, self._words = _scan(types, self._order, limits)

    @property
    def depth(self) -> int:
        """How many types a chain may have: the limit that it was opened with."""
        return self._limits.depth

    def __len__(self) -> int:
        """How many ids there are, that of void and those of the base included."""
        return self.first + len(self._starts)

    def kind(self, type_id: int) -> int:
        return self._word(type_id) >> 24 & 0x1F

    def length(self, type_id: int) -> int:
        """How many members, enumerators or variables the type has."""
        return self._word(type_id) & 0xFFFF

    def flag(self, type_id: int) -> bool:
        """The kind flag: a signed enum, a forward declaration of a union."""
        return self._word(type_id) >> 31 == 1

    def target(self, type_id: int) -> int:
        """The type that a pointer, typedef, qualifier or variable leads to; the size in bytes of any other."""
        return self._head(type_id)[2]

    def name(self, type_id: int) -> str:
        return self.string(self._head(type_id)[0])

    def string(self, offset: int) -> str:
        if self._base is not None:
            if offset < self.first_string:
                return self._base.string(offset)
            offset -= self.first_string
        end = self._strings.find(b"\0", offset, offset + self._limits.name_bytes + 1)
        if end < 0:
            raise BytecodeError(
                f"section .BTF has no string at byte {offset} of {len(self._strings)}, "
                f"or one of more than {self._limits.name_bytes} bytes"
            )
        return self._strings[offset:end].decode(errors="replace")

    def integer(self, type_id: int) -> int:
        """The encoding of an INT: INT_SIGNED, INT_CHAR and INT_BOOL, or 0."""
        (word,) = struct.unpack_from(self._order + "I", *self._body(type_id))
        return int(word) >> 24 & 0xF

    def integer_bits(self, type_id: int) -> tuple[int, int]:
        """Offset and number of bits of an INT; the first is 0 but for bitfields in BTF from before Linux 4.20."""
        (word,) = struct.unpack_from(self._order + "I", *self._body(type_id))
        return int(word) >> 16 & 0xFF, int(word) & 0xFF

    def array(self, type_id: int) -> tuple[int, int]:
        """The element type and the number of elements of an ARRAY."""
        element, _index, count = struct.unpack_from(self._order + "III", *self._body(type_id))
        return element, count

    def members(self, type_id: int) -> Iterator[tuple[int, int]]:
        """Of a STRUCT or UNION: offset of the name in the strings, type."""
        return ((name, member) for name, member, _offset in self._each("III", 12, type_id))

    def fields(self, type_id: int) -> Iterator[tuple[int, int, int, int]]:
        """Of a STRUCT or UNION: offset of the name in the strings, type, offset in bits, width in bits of a bitfield
        (0: not one). BTF from before Linux 4.20 states the width in the INT: see `integer_bits`."""
        if not self.flag(type_id):
            return ((name, member, offset, 0) for name, member, offset in self._each("III", 12, type_id))
        rows = self._each("III", 12, type_id)
        return ((name, member, offset & 0xFF_FFFF, offset >> 24) for name, member, offset in rows)

    def field(self, type_id: int, index: int) -> tuple[int, int, int, int]:
        """One of `fields`, without looking at the others; `index` must be below `length`."""
        name, member, offset = struct.unpack_from(self._order + "III", *self._body(type_id, 12 * index))
        return (name, member, offset & 0xFF_FFFF, offset >> 24) if self.flag(type_id) else (name, member, offset, 0)

    def parameters(self, type_id: int) -> Iterator[tuple[int, int]]:
        """Of a FUNC_PROTO: offset of the name in the strings, type; a last one of (0, 0) stands for "..."."""
        return ((name, parameter) for name, parameter in self._each("II", 8, type_id))

    def enumerators(self, type_id: int) -> Iterator[tuple[int, int]]:
        """Of an ENUM or ENUM64: offset of the name in the strings, value."""
        signed = self.flag(type_id)
        if self.kind(type_id) == kinds.ENUM:
            return ((name, value) for name, value in self._each("Ii" if signed else "II", 8, type_id))
        words = self._each("IIi" if signed else "III", 12, type_id)
        return ((name, high << 32 | low) for name, low, high in words)

    def enumerator(self, type_id: int, index: int) -> tuple[int, int]:
        """One of `enumerators`, without looking at the others; `index` must be below `length`."""
        signed = self.flag(type_id)
        if self.kind(type_id) == kinds.ENUM:
            layout = self._order + ("Ii" if signed else "II")
            name, number = struct.unpack_from(layout, *self._body(type_id, 8 * index))
            return name, number
        layout = self._order + ("IIi" if signed else "III")
        name, low, high = struct.unpack_from(layout, *self._body(type_id, 12 * index))
        return name, high << 32 | low

    def variables(self, type_id: int) -> Iterator[tuple[int, int, int]]:
        """Of a DATASEC: the id of the VAR, its offset and its size in bytes."""
        return ((variable, offset, size) for variable, offset, size in self._each("III", 12, type_id))

    def linkage(self, type_id: int) -> int:
        """Of a VAR: 0 static, 1 global, 2 extern."""
        (linkage,) = struct.unpack_from(self._order + "I", *self._body(type_id))
        return int(linkage)

    def data_sections(self) -> dict[str, int]:
        """The DATASECs by name; `BytecodeError` if a name comes twice."""
        found: dict[str, int] = {}
        for type_id, word in enumerate(self._words, self.first):
            if word >> 24 & 0x1F == kinds.DATASEC:
                name = self.name(type_id)
                if name in found:
                    raise BytecodeError(f"section .BTF describes section {quoted(name)} twice")
                found[name] = type_id
        return found

    def of_kind(self, kind: int) -> list[int]:
        """The ids of all types of a kind, without the base's."""
        return [type_id for type_id, word in enumerate(self._words, self.first) if word >> 24 & 0x1F == kind]

    def raw_types(self) -> tuple[bytes, list[int]]:
        """The types' bytes, without the base's, and where each begins there; the first is void, and nowhere."""
        return self._data, self._starts

    def raw_strings(self) -> bytes:
        """The strings' bytes, without the base's."""
        return self._strings

    def bare(self, type_id: int) -> int:
        """The type behind typedefs, qualifiers and type tags."""
        for _ in range(self._limits.depth):
            if self.kind(type_id) not in kinds.TRANSPARENT:
                return type_id
            type_id = self.target(type_id)
        raise self.endless(type_id)

    def size(self, type_id: int) -> int:
        """The size in bytes of a value of that type."""
        count = 1
        for _ in range(self._limits.depth):
            type_id = self.bare(type_id)
            kind = self.kind(type_id)
            if kind == kinds.ARRAY:
                type_id, elements = self.array(type_id)
                count *= elements
            elif kind == kinds.PTR:
                return self._total(count, self.pointer_size, type_id)
            elif kind in (kinds.INT, kinds.STRUCT, kinds.UNION, kinds.ENUM, kinds.FLOAT, kinds.ENUM64):
                return self._total(count, self.target(type_id), type_id)
            else:
                raise BytecodeError(f"type {type_id} in section .BTF has no size (kind {kind}), expected one that has")
        raise self.endless(type_id)

    def endless(self, type_id: int) -> BytecodeError:
        """The error for a walk that has taken too many steps when it comes to `type_id`."""
        return BytecodeError(
            f"type {type_id} in section .BTF belongs to a cycle, or to a chain of more than {self._limits.depth} types"
        )

    def _total(self, count: int, size: int, type_id: int) -> int:
        if count * size > _SIZE_MAX:
            raise BytecodeError(f"an array of type {type_id} in section .BTF has {count} elements, more than 4 GiB")
        return count * size

    def _word(self, type_id: int) -> int:
        if self._base is not None and type_id <= self.first:
            return self._base._word(type_id)
        if 0 <= type_id < len(self):
            return self._words[type_id - self.first]
        raise self._none(type_id)

    def _body(self, type_id: int, skip: int = 0) -> tuple[bytes, int]:
        """Where what follows the 12 bytes that every type has is, and `skip` bytes further."""
        if self._base is not None and type_id <= self.first:
            return self._base._body(type_id, skip)
        if 0 <= type_id < len(self):
            return self._data, self._starts[type_id - self.first] + 12 + skip
        raise self._none(type_id)

    def _none(self, type_id: int) -> BytecodeError:
        return BytecodeError(f"section .BTF has no type {type_id}, expected one below {len(self)}")

    def _head(self, type_id: int) -> tuple[int, int, int]:
        return struct.unpack_from(self._order + "III", *self._body(type_id, -12)) if type_id else (0, 0, 0)

    def _each(self, layout: str, size: int, type_id: int) -> Iterator[tuple[int, ...]]:
        data, start = self._body(type_id)
        end = start + size * self.length(type_id)
        yield from struct.iter_unpack(self._order + layout, memoryview(data)[start:end])


def _split(data: bytes, order: str, limits: Limits) -> tuple[bytes, bytes]:
    """The type part and the string part, both within `data`."""
    if len(data) > limits.bytes:
        raise BytecodeError(f"section .BTF has {len(data)} bytes, expected at most {limits.bytes}")
    if len(data) < _HEADER_SIZE:
        raise BytecodeError(f"section .BTF is cut off after {len(data)} bytes, expected at least {_HEADER_SIZE}")
    magic, version, _flags, header, types, types_size, strings, strings_size = struct.unpack_from(
        order + "HBBIIIII", data
    )
    if magic != _MAGIC or version != 1:
        raise BytecodeError(
            f"section .BTF begins with 0x{magic:04x} version {version}, expected 0x{_MAGIC:04x} version 1"
        )
    for what, start, size in (("types", types, types_size), ("strings", strings, strings_size)):
        if header < _HEADER_SIZE or header + start + size > len(data):
            raise BytecodeError(
                f"the {what} in section .BTF are said to end at byte {header + start + size}, "
                f"but the section ends at {len(data)}"
            )
    types += header
    strings += header
    return data[types : types + types_size], data[strings : strings + strings_size]


def _scan(types: bytes, order: str, limits: Limits) -> tuple[list[int], list[int]]:
    """By id: where each type begins, and its word of kind, flag and length."""
    starts, words = [0], [0]
    position, end = 0, len(types)
    word_at = struct.Struct(order + "I").unpack_from
    while position + 12 <= end:
        if len(starts) > limits.types:
            raise BytecodeError(f"section .BTF has more than {limits.types} types")
        (word,) = word_at(types, position + 4)
        size = _SIZES[word >> 24 & 0x1F]
        if size is None:
            raise BytecodeError(
                f"type {len(starts)} in section .BTF is of kind {word >> 24 & 0x1F}, "
                f"expected {kinds.INT} to {kinds.ENUM64}"
            )
        starts.append(position)
        words.append(word)
        position += size[0] + size[1] * (word & 0xFFFF)
    if position > end:
        raise BytecodeError(f"type {len(starts) - 1} in section .BTF is cut off")
    if position < end:
        raise BytecodeError(f"type {len(starts)} in section .BTF is cut off")
    return starts, words
