"""Bytes to plain Python, by their BTF type."""

from __future__ import annotations

from bpfimg.btf import _kinds as kinds
from bpfimg.errors import BytecodeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from bpfimg.btf._read import Btf

    Value = int | float | str | bool | list["Value"] | dict[str, "Value"]
    Order = Literal["little", "big"]
    Piece = tuple[str, int, int, int]
    Known = dict[int, list[Piece] | dict[int, str]]

_PARTS_MAX = 8 << 20
_PLAIN_SIZES = (1, 2, 4, 8, 10, 12, 16)  # 10 and 12: floats of other machines
FLOATS = {2: "e", 4: "f", 8: "d"}
RAW = "hex:"


def decode(btf: Btf, type_id: int, data: bytes, *, known: Known | None = None) -> Value:
    """Returns what `data` means as that type; bytes behind the type's size do not matter.

    `known` keeps what was found out about types of this BTF, for many values of the same. BytecodeError: types that are
    not sound, have no value (functions, void), or are larger than the data.
    """
    return Reader(btf, data, {} if known is None else known).value(type_id, 0)


def parts_of(size: int) -> int:
    """How many numbers a value of so many bytes may have: members of unions are counted again and again."""
    return min(4096 + 64 * size, _PARTS_MAX)


def endless(size: int) -> BytecodeError:
    return BytecodeError(f"a value of {size} bytes has more than {parts_of(size)} parts by its type in section .BTF")


def order_of(btf: Btf) -> Order:
    return "little" if btf.byte_order == "little" else "big"


def bits_at(data: bytes | bytearray, order: Order, start: int, width: int) -> tuple[int, int, int]:
    """Of a bit field: first byte, end byte, and how far its bits are from the right of the number in those bytes."""
    first, end = start // 8, -(-(start + width) // 8)
    if end > len(data):
        raise short(len(data), end)
    inside = start % 8
    return first, end, inside if order == "little" else 8 * (end - first) - inside - width


def plain_size(btf: Btf, bare: int) -> int:
    """Bytes of a number or pointer, of one that there can be."""
    size = btf.size(bare)
    if size not in _PLAIN_SIZES:
        raise BytecodeError(f"type {bare} in section .BTF is a number of {size} bytes, expected 1 to 16")
    return size


def short(have: int, want: int) -> BytecodeError:
    return BytecodeError(f"a value of {have} bytes is too short for its type in section .BTF, expected {want}")


def is_char(btf: Btf, bare: int) -> bool:
    """An INT that holds a letter: clang marks none as such, so the name has to say it."""
    if btf.kind(bare) != kinds.INT or btf.target(bare) != 1:
        return False
    return bool(btf.integer(bare) & kinds.INT_CHAR) or btf.name(bare) == "char"


def pieces(btf: Btf, bare: int) -> list[Piece]:
    """The members of a STRUCT or UNION, or the variables of a DATASEC: name, type, offset in bits, width of a bit
    field (0: not one)."""
    if btf.kind(bare) == kinds.DATASEC:
        return [(btf.name(v), btf.target(v), 8 * at, 0) for v, at, _ in btf.variables(bare)]
    return [(btf.string(name), member, at, width) for name, member, at, width in btf.fields(bare)]


class Reader:
    """Reads values out of one piece of data; counts them, because types nobody vouches for can be endless."""

    __slots__ = ("_btf", "_data", "_known", "_left", "_order")

    def __init__(self, btf: Btf, data: bytes, known: Known) -> None:
        self._btf, self._data, self._order = btf, data, order_of(btf)
        self._left = parts_of(len(data))
        self._known = known

    def value(self, type_id: int, at: int, level: int = 0) -> Value:
        """The value of that type at byte `at`."""
        self._step(type_id, level)
        btf = self._btf
        bare = btf.bare(type_id)
        kind = btf.kind(bare)
        if kind in (*kinds.COMPOSITES, kinds.DATASEC):
            return self._members(bare, at, level)
        if kind == kinds.ARRAY:
            return self._array(bare, at, level)
        size = plain_size(btf, bare)
        if kind == kinds.FLOAT:
            return self._float(self._bytes(at, size))
        if kind == kinds.PTR:
            return hex(int.from_bytes(self._bytes(at, size), self._order))
        offset, bits = btf.integer_bits(bare) if kind == kinds.INT else (0, 8 * size)
        return self._number(bare, 8 * at + offset, bits)

    def _step(self, type_id: int, level: int) -> None:
        self._left -= 1
        if self._left < 0:
            raise endless(len(self._data))
        if level > self._btf.depth:
            raise self._btf.endless(type_id)

    def _bytes(self, at: int, size: int) -> bytes:
        if at + size > len(self._data):
            raise short(len(self._data), at + size)
        return self._data[at : at + size]

    def _number(self, bare: int, start: int, width: int) -> int | bool | str:
        """An INT or enum in `width` bits from bit `start` on."""
        if not width:
            return 0
        first, end, shift = bits_at(self._data, self._order, start, width)
        number = int.from_bytes(self._data[first:end], self._order) >> shift & (1 << width) - 1
        btf = self._btf
        enum = btf.kind(bare) in kinds.ENUMS
        if number >> width - 1 and (btf.flag(bare) if enum else btf.integer(bare) & kinds.INT_SIGNED):
            number -= 1 << width
        if enum:
            return self._names(bare).get(number, number)
        return bool(number) if btf.integer(bare) & kinds.INT_BOOL else number

    def _names(self, bare: int) -> dict[int, str]:
        found = self._known.get(bare)
        if not isinstance(found, dict):
            found = {}
            for name, number in self._btf.enumerators(bare):
                found.setdefault(number, self._btf.string(name))
            self._known[bare] = found
        return found

    def _pieces(self, bare: int) -> list[Piece]:
        found = self._known.get(bare)
        if not isinstance(found, list):
            self._known[bare] = found = pieces(self._btf, bare)
        return found

    def _float(self, data: bytes) -> float | str:
        import struct

        form = FLOATS.get(len(data))
        if form is None:
            return RAW + data.hex()
        (number,) = struct.unpack(("<" if self._order == "little" else ">") + form, data)
        return float(number)

    def _members(self, bare: int, at: int, level: int) -> dict[str, Value]:
        found: dict[str, Value] = {}
        for name, member, offset, width in self._pieces(bare):
            inner = self._btf.bare(member)
            if self._btf.kind(inner) in (kinds.FUNC, kinds.FWD, kinds.VOID):
                continue  # variables that only other objects have
            value = self._member(inner, 8 * at + offset, width, level)
            if name:
                found[name] = value
            elif isinstance(value, dict):
                found |= value
        return found

    def _member(self, inner: int, start: int, width: int, level: int) -> Value:
        if not width:
            return self.value(inner, start // 8, level + 1)
        self._step(inner, level)
        if self._btf.kind(inner) not in (kinds.INT, *kinds.ENUMS):
            raise BytecodeError(f"type {inner} in section .BTF is a bit field, expected a number")
        return self._number(inner, start, width)

    def _array(self, bare: int, at: int, level: int) -> list[Value] | str:
        element, count = self._btf.array(bare)
        inner = self._btf.bare(element)
        size = self._btf.size(inner)
        whole = self._bytes(at, size * count)
        if count and is_char(self._btf, inner):
            text = c_string(whole)
            if text is not None:
                return text
        if size == 1 and self._btf.kind(inner) == kinds.INT and not self._btf.integer(inner):
            self._left -= count
            self._step(inner, level)
            return list(whole)
        if count > self._left:
            raise endless(len(self._data))
        return [self.value(inner, at + size * index, level + 1) for index in range(count)]


def c_string(data: bytes) -> str | None:
    """The text up to the first NUL; None where there is no NUL, what is before it is no text, or reads as raw bytes."""
    end = data.find(b"\0")
    if end < 0:
        return None
    try:
        text = data[:end].decode()
    except UnicodeDecodeError:
        return None
    if text.startswith(RAW):
        return None
    return text if text.isprintable() or all(c.isprintable() or c in "\t\n" for c in text) else None
