"""Tar archives, header by header: strictly read, wherever the bytes are, and written the same everywhere.

The standard library's reader loops for ever on a negative size (Python 3.11.2 to 3.13.0) and repairs what it should
refuse. This one takes ustar, pax (`path`, `size`), GNU long names and the old v7 form, and nothing that two readers
could take in two ways. It never looks at content; each room says which entries it wants, in its own error class.
"""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.errors import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Read = Callable[[int, int], bytes]
    """(position, count) to the bytes there; fewer only at the end of the archive."""

__all__ = [
    "BLOCK",
    "END",
    "FILE",
    "FOLDER",
    "KINDS",
    "Bounds",
    "Entry",
    "Fault",
    "TooMuch",
    "entries",
    "header",
    "plain",
]

BLOCK = 512
END = bytes(2 * BLOCK)
FILE = (b"0", b"\0")
FOLDER = b"5"
KINDS = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a character device",
    b"4": "a block device",
    b"6": "a named pipe",
    b"7": "a contiguous file",
    b"K": "a link with a long target",
    b"S": "a sparse file",
    b"V": "a volume label",
}
_ZEROS = bytes(64 << 10)
_LARGEST = 8**11 - 1


class Fault(ValueError):  # noqa: N818  # it never leaves a room: there it is news, not an error
    """The bytes are no such archive; `str()` is a sentence. `.entry` says that it is about what an entry is."""

    def __init__(self, message: str, *, entry: bool = False) -> None:
        super().__init__(message)
        self.entry = entry


class TooMuch(Fault):
    """The archive is beyond the bounds."""


@value(frozen=True, slots=True)
class Bounds:
    """How much of an archive is looked at: headers, bytes of extension headers, bytes after the end marker."""

    headers: int
    extensions: int
    trailer: int


@value(frozen=True, slots=True, eq=False)
class Entry:
    """One entry: its name and kind as they stand there, where a link leads, and where its content is."""

    name: bytes
    kind: bytes
    link: bytes
    start: int
    size: int


def entries(read: Read, length: int, bounds: Bounds, word: str) -> Iterator[Entry]:
    """Yields the entries of the archive of `length` bytes, extension headers already applied.

    Raises `Fault`, in whose sentences the archive is called "the WORD".
    """
    position = count = extensions = 0
    extended: dict[bytes, bytes] = {}
    while (block := _header(read, position, length, bounds, word)) is not None:
        count += 1
        if count > bounds.headers:
            raise TooMuch(f"the {word} has over {bounds.headers} tar headers, the limit")
        kind = block[156:157]
        extension = kind in b"xgL"
        size = _number(block[124:136]) if extension or b"size" not in extended else _decimal(extended[b"size"])
        start = position + BLOCK
        if size > length - start:
            entry = quoted(extended.get(b"path", _name(block)))
            raise Fault(f"{word} entry {entry} says {size} bytes, {length - start} are left in the archive")
        if size and kind == FOLDER:
            raise Fault(f"a directory in the {word} says it has {size} bytes, expected 0")
        position = start + -(-size // BLOCK) * BLOCK
        if not extension:
            yield Entry(extended.get(b"path", _name(block)), kind, block[157:257].split(b"\0", 1)[0], start, size)
            extended = {}
            continue
        extensions += size
        if extensions > bounds.extensions:
            raise TooMuch(f"the {word} has over {bounds.extensions} bytes of tar extension headers")
        extended = _extended(extended, kind, read(start, size), word)
    if extended:
        raise Fault("the archive ends after an extension header, expected the entry it belongs to")


def plain(entry: Entry, word: str) -> str:
    """Returns the name inside the root, "" for the root itself; `Fault` for one that is not plain or leaves it."""
    try:
        name = entry.name.decode("utf-8")
    except UnicodeDecodeError:
        raise Fault(f"a {word} entry's name is not UTF-8: {quoted(entry.name)}", entry=True) from None
    if not name or not name.isprintable():
        raise Fault(f"a {word} entry is named {quoted(name)}, expected printable characters", entry=True)
    if name.startswith("/"):
        raise Fault(f"{word} entry {quoted(name)} has an absolute name", entry=True)
    parts = (name.rstrip("/") if entry.kind == FOLDER else name).split("/")
    while parts and parts[0] == ".":
        del parts[0]
    if ".." in parts or "." in parts or "" in parts:
        raise Fault(f"{word} entry {quoted(name)} has a name that is not plain", entry=True)
    return "/".join(parts)


def header(name: str, size: int, *, modified: int = 0) -> bytes:
    """Returns the ustar header of a regular file, every byte fixed: mode 0644, nobody's, `modified` in seconds.

    A name over 100 bytes gets a pax header in front. ValueError for what no such header can say.
    """
    raw = name.encode()
    if not 0 <= size <= _LARGEST or not 0 <= modified <= _LARGEST:
        raise ValueError(f"{size} bytes of {modified} do not fit into a tar header")
    if len(raw) <= 100:
        return _block(raw, size, modified, b"0")
    body = b" path=" + raw + b"\n"
    length = len(body) + 2
    while len(str(length)) + len(body) != length:
        length += 1
    record = str(length).encode() + body
    extension = _block(b"pax", len(record), modified, b"x") + record + bytes(-len(record) % BLOCK)
    return extension + _block(raw[:100], size, modified, b"0")


def _block(name: bytes, size: int, modified: int, kind: bytes) -> bytes:
    fields = (
        name.ljust(100, b"\0"),
        b"0000644\0",  # mode
        b"0000000\0",  # owner
        b"0000000\0",  # group
        b"%011o\0" % size,
        b"%011o\0" % modified,
        b" " * 8,  # the checksum is computed with blanks in its place
        kind,
        bytes(100),  # link target
        b"ustar\x0000",
        bytes(32),  # owner's name
        bytes(32),  # group's name
        bytes(8),  # device numbers
        bytes(8),
        bytes(155),  # prefix
        bytes(12),
    )
    block = b"".join(fields)
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def _extended(before: dict[bytes, bytes], kind: bytes, content: bytes, word: str) -> dict[bytes, bytes]:
    """What the next entry's name and size are to be, after one more extension header."""
    if kind == b"L":
        found = {b"path": content.rstrip(b"\0")}
    else:
        found = dict(_pax(content, word))
        if kind == b"g" and found:
            raise Fault(f"the {word} has a pax header that names every entry at once")
    for key in found.keys() & before.keys():
        raise Fault(f"two extension headers give one {word} entry its {key.decode()}")
    return before | found


def _header(read: Read, position: int, length: int, bounds: Bounds, word: str) -> bytes | None:
    """The header block at `position`, its checksum verified; None at the end of the archive."""
    block = read(position, BLOCK)
    if not block and position:
        return None  # an archive without an end marker, as some writers make
    if len(block) < BLOCK:
        raise Fault(f"the {word} is no tar archive: it is cut at byte {length}")
    if not any(block):
        if length - position > bounds.trailer or not _all_zero(read, position, length):
            raise Fault(f"the archive goes on after its end marker at byte {position}")
        return None
    want = _number(block[148:156])
    if sum(block) - sum(block[148:156]) + 8 * 0x20 != want:
        raise Fault(f"the {word} is no tar archive: wrong header checksum at byte {position}")
    return block


def _all_zero(read: Read, position: int, length: int) -> bool:
    for start in range(position, length, len(_ZEROS)):
        piece = read(start, len(_ZEROS))
        if piece != _ZEROS[: len(piece)]:
            return False
    return True


def _number(field: bytes) -> int:
    """A size or checksum: octal digits, or GNU's base-256."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \0")
    if any(digit not in b"01234567" for digit in digits):  # base-256 below zero begins with ff
        raise Fault(f"a tar header holds {quoted(field)} as a number, expected octal digits")
    return int(digits or b"0", 8)


def _decimal(text: bytes) -> int:
    if not text.isdigit() or len(text) > 20:
        raise Fault(f"a pax header holds {quoted(text)} as a number, expected a decimal number")
    return int(text)


def _name(block: bytes) -> bytes:
    name = block[:100].split(b"\0", 1)[0]
    if block[257:263] == b"ustar\0":  # GNU's magic has a blank here, and other things in place of the prefix
        prefix = block[345:500].split(b"\0", 1)[0]
        return prefix + b"/" + name if prefix else name
    return name


def _pax(content: bytes, word: str) -> Iterator[tuple[bytes, bytes]]:
    """The records of a pax header that say what an entry is called and how long it is."""
    position = 0
    while position < len(content):
        blank = content.find(b" ", position, position + 21)
        end = position + _decimal(content[position : max(blank, position)])
        key, equals, text = content[blank + 1 : end].partition(b"=")
        if not equals or end > len(content) or text[-1:] != b"\n":
            raise Fault(f"a pax header holds a record that is none: {quoted(content[position:][:40])}")
        if key.startswith(b"GNU.sparse."):
            raise Fault(f"the {word} has a sparse file, expected plain ones", entry=True)
        if key in (b"path", b"size"):
            yield key, text[:-1]
        position = end
