"""Plain Python to bytes, by their BTF type: range, sign, size and names are checked."""

from __future__ import annotations

from bpfimg._value import value as plain
from bpfimg.btf import _kinds as kinds
from bpfimg.btf._render import spelled
from bpfimg.btf._value_read import (
    FLOATS,
    RAW,
    Reader,
    bits_at,
    endless,
    is_char,
    order_of,
    parts_of,
    pieces,
    plain_size,
)
from bpfimg.btf._value_text import parse_number
from bpfimg.errors import BytecodeError, UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.btf._read import Btf
    from bpfimg.btf._value_read import Order, Piece, Value

_TRUTH = {"true": 1, "yes": 1, "on": 1, "1": 1, "false": 0, "no": 0, "off": 0, "0": 0}
_NETWORK = {"__be16", "__be32", "__be64", "in_addr_t", "in_port_t"}
_SIZE_MAX = 256 << 20
_MEMBERS_MAX = 65_536  # of one struct, those of unnamed ones counted in
_ADDRESSES = {"in_addr": 4, "in6_addr": 16}


def encode(
    btf: Btf, type_id: int, value: Value, *, initial: bytes = b"", what: str = "the value", network: bool = False
) -> bytes:
    """Returns `value` as the bytes of that type, in the byte order of its BTF; `network`: its numbers big-endian.

    What `value` leaves out of a struct is as in `initial` (zero without one). `what` is for the UsageError of a value
    that the type does not take, which says the place in it: `global 'cfg' (struct cfg): a.b[2] (__u8) takes 0 to 255`.
    """
    bare = btf.bare(type_id)
    size = btf.target(bare) if btf.kind(bare) == kinds.DATASEC else btf.size(bare)
    if size > _SIZE_MAX:
        raise BytecodeError(f"a value of {size} bytes by its type in section .BTF, expected at most {_SIZE_MAX}")
    data = bytearray(initial[:size].ljust(size, b"\0"))
    writer = _Writer(btf, data, f"{what} ({_spelled(btf, type_id)})", network=network)
    writer.write(type_id, value, _Place())
    return bytes(data)


@plain(frozen=True, slots=True)
class _Place:
    """Where in the whole: at which byte, by which names, how deep."""

    at: int = 0
    path: str = ""
    level: int = 0

    def below(self, offset: int, path: str) -> _Place:
        return _Place(self.at + offset, path, self.level + 1)


@plain(frozen=True, slots=True)
class _Member:
    """`start` and `width` (of a bit field, else 0) in bits."""

    type_id: int
    start: int
    width: int


class _Writer:
    __slots__ = ("_btf", "_data", "_known", "_left", "_network", "_order", "_what")

    def __init__(self, btf: Btf, data: bytearray, what: str, *, network: bool) -> None:
        self._btf, self._data, self._what = btf, data, what
        self._order: Order = order_of(btf)
        self._network = network
        self._left = parts_of(len(data))
        self._known: dict[int, dict[str, _Member]] = {}

    def refused(self, place: _Place, type_id: int, why: str, hint: str = "") -> UsageError:
        where = f"{self._what}: {place.path} ({_spelled(self._btf, type_id)})" if place.path else self._what
        return UsageError(f"{where} {why}", hint=hint)

    def write(self, type_id: int, value: Value, place: _Place) -> None:
        """Puts `value` as that type at its place."""
        btf = self._btf
        self._left -= 1
        if self._left < 0:
            raise endless(len(self._data))
        if place.level > btf.depth:
            raise btf.endless(type_id)
        bare = btf.bare(type_id)
        kind = btf.kind(bare)
        if isinstance(value, str) and value.startswith(RAW):
            self._raw(type_id, value[len(RAW) :], place)
        elif kind in (kinds.STRUCT, kinds.UNION, kinds.DATASEC):
            self._members(type_id, bare, value, place)
        elif kind == kinds.ARRAY:
            self._array(type_id, bare, value, place)
        elif kind == kinds.FLOAT:
            self._put(place.at, self._float(type_id, plain_size(btf, bare), value, place))
        elif kind == kinds.PTR:
            self._pointer(type_id, bare, value, place)
        elif kind in (kinds.INT, *kinds.ENUMS):
            self._integer(type_id, bare, value, place)
        else:
            raise BytecodeError(f"type {bare} in section .BTF has no value (kind {kind}), expected one that has")

    def _put(self, at: int, data: bytes) -> None:
        if at + len(data) > len(self._data):
            raise BytecodeError("a member in section .BTF is behind the end of its struct")
        self._data[at : at + len(data)] = data

    def _raw(self, type_id: int, digits: str, place: _Place) -> None:
        size = self._size(type_id)
        try:
            data = bytes.fromhex(digits)
        except ValueError:
            raise self.refused(place, type_id, f"takes pairs of hex digits, not {quoted(digits)}") from None
        begins = self._btf.kind(self._btf.bare(type_id)) == kinds.ARRAY and len(data) < size
        if len(data) != size and not begins:
            why = f"is {size} bytes large, but hex: gives {len(data)}"
            raise self.refused(place, type_id, why, f"write exactly {2 * size} hex digits")
        self._put(place.at, data.ljust(size, b"\0"))

    def _size(self, type_id: int) -> int:
        bare = self._btf.bare(type_id)
        return self._btf.target(bare) if self._btf.kind(bare) == kinds.DATASEC else self._btf.size(bare)

    def _integer(self, type_id: int, bare: int, value: Value, place: _Place) -> None:
        size = plain_size(self._btf, bare)
        offset, bits = self._btf.integer_bits(bare) if self._btf.kind(bare) == kinds.INT else (0, 8 * size)
        if offset or bits != 8 * size:
            self._bits(8 * place.at + offset, bits, self._number(type_id, bare, bits, value, place))
            return
        address = _address(value) if isinstance(value, str) else None
        if address is not None and len(address) == size:
            if not (self._network or self._is_network(type_id)):
                why = f"takes a number, not the address {quoted(value)}: its type does not say in which byte order"
                raise self.refused(place, type_id, why, "for network byte order give it with --global-be")
            self._put(place.at, address)
            return
        number = self._number(type_id, bare, bits, value, place)
        order: Order = "big" if self._network else self._order
        self._put(place.at, (number & (1 << bits) - 1).to_bytes(size, order))

    def _is_network(self, type_id: int) -> bool:
        """Whether one of its names says that it is in network byte order."""
        for _ in range(self._btf.depth):
            if self._btf.kind(type_id) not in kinds.TRANSPARENT:
                return False
            if self._btf.name(type_id) in _NETWORK:
                return True
            type_id = self._btf.target(type_id)
        raise self._btf.endless(type_id)

    def _bits(self, start: int, width: int, number: int) -> None:
        if not width:
            return
        first, end, shift = bits_at(self._data, self._order, start, width)
        mask = (1 << width) - 1
        whole = int.from_bytes(self._data[first:end], self._order)
        whole = whole & ~(mask << shift) | (number & mask) << shift
        self._data[first:end] = whole.to_bytes(end - first, self._order)

    def _number(self, type_id: int, bare: int, bits: int, value: Value, place: _Place) -> int:
        """The number that `value` says, in the range of `bits` bits of that INT or enum."""
        btf = self._btf
        enum = btf.kind(bare) in kinds.ENUMS
        if not bits:
            return 0
        if not enum and btf.integer(bare) & kinds.INT_BOOL:
            return self._truth(type_id, value, place)
        number = value if isinstance(value, int) and not isinstance(value, bool) else None
        if isinstance(value, str):
            number = self._named(bare, value) if enum else None
            number = parse_number(value) if number is None else number
            if number is None and len(value) == 1 and value.isascii() and is_char(btf, bare):
                number = ord(value)
        if number is None:
            kind = "one of its names or a number" if enum else "a number"
            raise self.refused(place, type_id, f"takes {kind}, not {_said(value)}", self._advice(bare, value))
        signed = btf.flag(bare) if enum else bool(btf.integer(bare) & kinds.INT_SIGNED)
        low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
        if enum:  # BTF of older compilers does not say whether an enum is signed
            low, high = -(1 << bits - 1), (1 << bits) - 1
        if not low <= number <= high:
            raise self.refused(
                place, type_id, f"takes {low} to {high}, not {number if abs(number) < 1 << 256 else '…'}"
            )
        return number

    def _truth(self, type_id: int, value: Value, place: _Place) -> int:
        number = value if isinstance(value, int) else None
        if isinstance(value, str):
            number = _TRUTH.get(value.lower(), parse_number(value))
        if number not in (0, 1):
            raise self.refused(place, type_id, f"is a bool and takes true or false, not {_said(value)}")
        return int(number)

    def _named(self, bare: int, name: str) -> int | None:
        return next((number for at, number in self._btf.enumerators(bare) if self._btf.string(at) == name), None)

    def _advice(self, bare: int, value: Value) -> str:
        if self._btf.kind(bare) in kinds.ENUMS:
            names = [self._btf.string(at) for at, _ in self._btf.enumerators(bare)]
            near = _near(value, names)
            said = f"did you mean {near}? " if near else ""
            return f"{said}it has: {_listed(names)}" if names else ""
        if isinstance(value, str) and len(value) <= 80 and value and all(c in "0123456789abcdefABCDEF" for c in value):
            return f"for a hexadecimal number write 0x{value}"
        return ""

    def _float(self, type_id: int, size: int, value: Value, place: _Place) -> bytes:
        import struct

        try:
            if isinstance(value, bool | list | dict):
                raise ValueError(value)
            order: Order = "big" if self._network else self._order
            return struct.pack(("<" if order == "little" else ">") + FLOATS[size], float(value))
        except (KeyError, ValueError, OverflowError):
            hint = "" if size in FLOATS else f"write hex: and {2 * size} hex digits"
            raise self.refused(place, type_id, f"takes a number that fits it, not {_said(value)}", hint) from None

    def _pointer(self, type_id: int, bare: int, value: Value, place: _Place) -> None:
        there = Reader(self._btf, bytes(self._data[place.at : place.at + 8]), {}).value(bare, 0)
        number = parse_number(value) if isinstance(value, str) else value
        if isinstance(there, str) and number == int(there, 16) and not isinstance(number, bool):
            return  # as it was: what was read may be written again as a whole
        why = f"is a pointer and cannot be set: an address that is given from outside means nothing, not {_said(value)}"
        raise self.refused(place, type_id, why, "leave it out")

    def _array(self, type_id: int, bare: int, value: Value, place: _Place) -> None:
        btf = self._btf
        element, count = btf.array(bare)
        inner = btf.bare(element)
        size = btf.size(inner)
        if isinstance(value, str):
            self._put(place.at, self._text(type_id, inner, size * count, value, place))
            return
        if not isinstance(value, list):
            raise self.refused(place, type_id, f"takes a list like [1,2,3], not {_said(value)}")
        if len(value) > count:
            raise self.refused(place, type_id, f"takes {count} values, not {len(value)}")
        for index, each in enumerate(value):
            self.write(element, each, place.below(index * size, f"{place.path}[{index}]"))
        rest = size * (count - len(value))
        self._put(place.at + size * count - rest, bytes(rest))

    def _text(self, type_id: int, inner: int, size: int, value: str, place: _Place) -> bytes:
        """Text for an array of char, an address for one of bytes."""
        if is_char(self._btf, inner):
            data = value.encode(errors="surrogateescape")
            if b"\0" in data:
                why = "takes text without NUL"
            elif len(data) >= size:
                why = f"takes at most {max(size - 1, 0)} bytes of text, not {len(data)}"
            else:
                return data.ljust(size, b"\0")
            raise self.refused(place, type_id, why, "to fill it without a NUL at the end, write hex:")
        address = _address(value)
        plain = self._btf.kind(inner) == kinds.INT and self._btf.size(inner) == 1
        element, _ = self._btf.array(self._btf.bare(type_id))
        if address is not None and len(address) == size and (plain or self._network or self._is_network(element)):
            return address
        hint = f"write a list, or hex: and at most {2 * size} hex digits, in the object's byte order"
        raise self.refused(place, type_id, f"takes a list like [1,2,3], not {quoted(value)}", hint)

    def _members(self, type_id: int, bare: int, value: Value, place: _Place) -> None:
        btf = self._btf
        if isinstance(value, str) and _ADDRESSES.get(btf.name(bare)) == self._size(bare):
            address = _address(value)
            if address is not None and len(address) == self._size(bare):
                self._put(place.at, address)
                return
        if not isinstance(value, dict):
            example = ", ".join(f'"{_clean(name)}": …' for name, *_ in _flat(btf, bare)[:2])
            word = "union" if btf.kind(bare) == kinds.UNION else "struct"
            hint = f"or write hex: and {2 * self._size(bare)} hex digits, in the object's byte order"
            why = f"is a {word} and takes an object like {{{example}}}, not {_said(value)}"
            raise self.refused(place, type_id, why, hint)
        known = self._known.get(bare)
        if known is None:
            self._known[bare] = known = {name: _Member(*rest) for name, *rest in _flat(btf, bare)}
        for name, each in value.items():
            if name not in known:
                raise self._unknown(type_id, name, list(known), place)
            self._member(known[name], each, place, name)
        self._agree(type_id, value, known, place)

    def _member(self, member: _Member, value: Value, place: _Place, name: str) -> None:
        path = f"{place.path}.{_clean(name)}" if place.path else _clean(name)
        below = place.below(member.start // 8, path)
        if not member.width:
            self.write(member.type_id, value, below)
            return
        number = self._number(member.type_id, self._btf.bare(member.type_id), member.width, value, below)
        self._bits(8 * place.at + member.start, member.width, number)

    def _unknown(self, type_id: int, name: str, known: list[str], place: _Place) -> UsageError:
        near = _near(name, known)
        hint = (f"did you mean {near}? " if near else "") + "it has: " + _listed(known)
        return self.refused(place, type_id, f"has no member {quoted(name)}", hint if known else "it has no members")

    def _agree(self, type_id: int, value: dict[str, Value], known: dict[str, _Member], place: _Place) -> None:
        """Members of a union may be given together only where they say the same of the bytes that they share."""
        last = 0
        for member in sorted((known[name] for name in value), key=lambda member: member.start):
            if member.start < last:
                break
            last = member.start + (member.width or 8 * self._size(member.type_id))
        else:
            return
        whole = slice(place.at, place.at + self._size(type_id))
        written = bytes(self._data[whole])
        for name, each in value.items():
            self._member(known[name], each, place, name)
            if self._data[whole] != written:
                why = f"is given members that share bytes and differ ({_listed(list(value), 8)})"
                raise self.refused(place, type_id, why, "give one of them")


def _flat(btf: Btf, bare: int) -> list[Piece]:
    """Name, type, offset in bits and width of every member, those of unnamed structs and unions among them."""
    found: list[Piece] = []
    seen, left = 0, [(bare, 0)]
    while left:
        inside, start = left.pop()
        for name, member, at, width in pieces(btf, inside):
            seen += 1
            if seen > _MEMBERS_MAX:
                raise btf.endless(bare)
            inner = btf.bare(member)
            if name:
                found.append((name, member, start + at, width))
            elif btf.kind(inner) in kinds.COMPOSITES:
                left.append((inner, start + at))
    found.sort(key=lambda piece: piece[2])
    return found


def _address(text: str) -> bytes | None:
    """The bytes of an IPv4, IPv6 or MAC address, as they are on the wire."""
    if not 2 <= len(text) <= 45 or not ("." in text or ":" in text):
        return None
    pairs = text.split(":")
    if len(pairs) == 6 and all(len(pair) == 2 for pair in pairs):
        try:
            return bytes.fromhex("".join(pairs))
        except ValueError:
            return None
    from ipaddress import ip_address

    try:
        return ip_address(text).packed
    except ValueError:
        return None


def _near(name: Value, names: list[str]) -> str:
    from difflib import get_close_matches

    found = get_close_matches(str(name)[:128], names[:4096], 1)
    return _clean(found[0]) if found else ""


def _clean(name: str) -> str:
    """A name in a message: BTF is nobody's word."""
    return name if name.isprintable() and name.isascii() and len(name) <= 64 else quoted(name, 64)[1:-1]


def _listed(names: list[str], most: int = 30) -> str:
    return ", ".join(map(_clean, names[:most])) + (f" and {len(names) - most} more" if len(names) > most else "")


def _said(value: Value) -> str:
    """The value in a message."""
    if isinstance(value, str):
        return quoted(value)
    text = repr(value) if not isinstance(value, int) or abs(value) < 1 << 256 else "…"
    return text if len(text) <= 60 else text[:59] + "…"


def _spelled(btf: Btf, type_id: int) -> str:
    words = btf.name(type_id) if btf.kind(btf.bare(type_id)) == kinds.DATASEC else spelled(btf, type_id)
    return words if words.isprintable() and len(words) <= 96 else quoted(words)
