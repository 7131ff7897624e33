"""DER as a tree, changed and written again: certificates, timestamps and keys that still look like some."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

_DEEPEST = 24
_WRAPPED = (b"\x30", b"\x02", b"\x03", b"\x04", b"\x0c")
_TIMES = (b"20250615120000Z", b"99991231235959Z", b"00000101000000Z", b"250615120000Z", b"20250230000000Z")
_TIMES += (b"2025061512", b"20250615120000.5Z", b"20250615120000+0100", b"491231235959Z", b"500101000000Z", b"")
_NUMBERS = (b"\0", b"\1", b"\2", b"\3", b"\xff", b"\x7f", b"\0\xff", b"\0\0", b"", b"\x80" + bytes(8), b"\x7f" * 21)
_TAGS = (0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0A, 0x0C, 0x13, 0x16, 0x17, 0x18, 0x1E, 0x30, 0x31, 0x80, 0x82, 0xA0)
_OBJECTS = (b"", b"\x80\1", b"\x2a" + b"\x86\x48" * 9, b"\xff" * 12 + b"\1")
_TEXTS = (b"", b"\0", b"a\0b", b"\xff\xfe", "\u202eé".encode(), b"x" * 300, b"https://[", b"a@b@c", b"%s", b"*.example")


class Node:
    """One element: `inner` are its elements, or None where `content` is just bytes; `lead` comes before them (the
    count of unused bits in a BIT STRING)."""

    __slots__ = ("content", "inner", "lead", "length", "tag")

    def __init__(self, tag: int, content: bytes, inner: list[Node] | None = None, lead: bytes = b"") -> None:
        self.tag, self.content, self.inner, self.lead = tag, content, inner, lead
        self.length = ""

    def copy(self) -> Node:
        """The same once more, so that a change is of one of them."""
        inner = None if self.inner is None else [one.copy() for one in self.inner]
        return Node(self.tag, self.content, inner, self.lead)

    def dump(self) -> bytes:
        """The bytes, with the length spelled as `length` says ("": right)."""
        content = self.content if self.inner is None else self.lead + b"".join(one.dump() for one in self.inner)
        size = len(content)
        if self.length == "endless":
            return bytes((self.tag, 0x80)) + content + b"\0\0"
        if self.length == "long":
            return bytes((self.tag, 0x84)) + size.to_bytes(4, "big") + content
        if self.length == "huge":
            return bytes((self.tag, 0x88)) + b"\x7f" * 8 + content
        size += {"less": -1, "more": 1}.get(self.length, 0)
        size = max(size, 0)
        if size < 0x80:
            return bytes((self.tag, size)) + content
        octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
        return bytes((self.tag, 0x80 | len(octets))) + octets + content


def parsed(data: bytes, depth: int = 0) -> list[Node] | None:
    """The elements that `data` consists of; None when it is something else."""
    found: list[Node] = []
    at = 0
    while at < len(data):
        if len(data) - at < 2 or data[at] & 0x1F == 0x1F:
            return None
        tag, size, start = data[at], data[at + 1], at + 2
        if size >= 0x80:
            octets = size & 0x7F
            if not 1 <= octets <= 3 or start + octets > len(data):
                return None
            size, start = int.from_bytes(data[start : start + octets], "big"), start + octets
        if start + size > len(data):
            return None
        found.append(_element(tag, data[start : start + size], depth))
        at = start + size
    return found


def _element(tag: int, content: bytes, depth: int) -> Node:
    lead = b"\0" if tag == 0x03 else b""
    wrapped = tag in (0x03, 0x04) and content[len(lead) : len(lead) + 1] in _WRAPPED
    if depth < _DEEPEST and (tag & 0x20 or (wrapped and content.startswith(lead))):
        inner = parsed(content[len(lead) :], depth + 1)
        if inner:
            return Node(tag, content, inner, lead)
    return Node(tag, content)


def changed(data: bytes, choose: random.Random, donors: list[bytes]) -> bytes:
    """`data` (DER) with one thing in it changed, or taken from one of the donors; other bytes where it is no DER."""
    tree = parsed(data)
    if not tree or choose.random() < 0.12:
        return scratched(data, choose)
    places = list(_places(tree))
    row, number = choose.choice(places)
    node = row[number]
    kind = choose.randrange(12)
    if kind == 0:
        del row[number]
    elif kind == 1:
        row.insert(number, node.copy())
    elif kind == 2:
        other = choose.randrange(len(row))
        row[number], row[other] = row[other], row[number]
    elif kind == 3 and donors:
        given = parsed(choose.choice(donors))
        if given:
            there, which = choose.choice(list(_places(given)))
            row[number] = there[which]
    elif kind == 4:
        node.tag = choose.choice(_TAGS) if choose.random() < 0.7 else node.tag ^ choose.choice((0x20, 0x80, 0x40, 1))
    elif kind == 5:
        node.length = choose.choice(("endless", "long", "huge", "less", "more"))
    elif kind == 6:
        nested = node
        for _ in range(choose.choice((1, 3, 40, 150))):
            nested = Node(0x30, b"", [nested])
        row[number] = nested
    elif kind == 7:
        other_row, other = choose.choice(places)
        row[number] = other_row[other].copy()
    else:
        _leaf(choose.choice([there[which] for there, which in places if there[which].inner is None] or [node]), choose)
    return b"".join(one.dump() for one in tree)


def _leaf(node: Node, choose: random.Random) -> None:
    node.inner = None
    if choose.random() < 0.5:
        node.content = scratched(node.content, choose)
    elif node.tag in (0x17, 0x18):
        node.content = choose.choice(_TIMES)
    elif node.tag in (0x01, 0x02, 0x0A):
        node.content = choose.choice(_NUMBERS)
    elif node.tag == 0x06:
        node.content = choose.choice((*_OBJECTS, node.content[:-1] + b"\1"))
    else:
        node.content = choose.choice(_TEXTS)


def scratched(data: bytes, choose: random.Random) -> bytes:
    """Any bytes with some of them changed, gone or repeated."""
    found = bytearray(data)
    kind = choose.randrange(6)
    at = choose.randrange(len(found) + 1)
    if kind == 0:
        del found[at:]
    elif kind == 1:
        del found[at : at + choose.choice((1, 2, 4, 16))]
    elif kind == 2:
        found[at:at] = choose.choice((b"\0", b"\xff", b"\n", b"0\x80", bytes(16), bytes(found[at : at + 40])))
    elif kind == 3:
        found += choose.choice((b"\0", b"\n", b"\x30\0", bytes(found[:64])))
    elif found:
        at %= len(found)
        found[at] = choose.choice((0, 1, 0x7F, 0x80, 0xFF, found[at] ^ 1 << choose.randrange(8)))
    return bytes(found)


def _places(row: list[Node]) -> list[tuple[list[Node], int]]:
    found: list[tuple[list[Node], int]] = []
    todo = [row]
    while todo:
        one = todo.pop()
        for number, node in enumerate(one):
            found.append((one, number))
            if node.inner is not None:
                todo.append(node.inner)
    return found
