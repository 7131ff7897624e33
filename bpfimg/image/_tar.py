"""A strict tar reader: regular files out of an archive in memory. Nothing is ever written to a file system.

The standard library's reader loops for ever on a negative size (Python 3.11.2 to 3.13.0) and repairs what it should
refuse. This one takes ustar, pax (`path`, `size`), GNU long names and the old v7 form, and nothing that two readers
could take in two ways.
"""

from __future__ import annotations

from bpfimg.errors import quoted
from bpfimg.image._limits import DEFAULT, broken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.image._limits import Limits

__all__ = ["regular_files"]

BLOCK = 512
REFUSED = {
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


def regular_files(archive: bytes | bytearray, *, limits: Limits = DEFAULT) -> dict[str, memoryview]:
    """The archive's regular files, in order: plain name (without `./`) to a view of the content.

    Raises ImageError: BI-11 when the bytes are no tar archive; BI-12 for entries that an image must not have
    (links, devices, names that leave the root, names that stand twice, whiteouts); BI-27 for too many entries.
    """
    files: dict[str, memoryview] = {}
    names: set[str] = set()
    for raw, kind, content in _entries(memoryview(archive), limits):
        name = _plain(raw, kind)
        if kind in REFUSED:
            raise broken("BI-12", f"layer entry {quoted(name)} is {REFUSED[kind]}, expected regular files only")
        if kind not in (b"0", b"\0", b"5"):
            raise broken("BI-12", f"layer entry {quoted(name)} has the unknown type {kind!r}")
        if not name and kind == b"5":
            continue  # "./": the root itself
        if name in names:
            raise broken("BI-12", f"the layer has two entries named {quoted(name)}")
        names.add(name)
        if kind != b"5":
            files[name] = content
    return files


def _plain(raw: bytes, kind: bytes) -> str:
    """The name inside the root; "" is the root itself."""
    try:
        name = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise broken("BI-12", f"a layer entry's name is not UTF-8: {quoted(raw)}") from error
    if not name or not name.isprintable():
        raise broken("BI-12", f"a layer entry is named {quoted(name)}, expected printable characters")
    if name.startswith("/"):
        raise broken("BI-12", f"layer entry {quoted(name)} has an absolute name")
    parts = (name.rstrip("/") if kind == b"5" else name).split("/")
    while parts and parts[0] == ".":
        del parts[0]
    if ".." in parts or "." in parts or "" in parts:
        raise broken("BI-12", f"layer entry {quoted(name)} has a name that is not plain")
    if any(part.startswith(".wh.") for part in parts):
        raise broken("BI-12", f"layer entry {quoted(name)} is a whiteout")
    return "/".join(parts)


def _entries(archive: memoryview, limits: Limits) -> Iterator[tuple[bytes, bytes, memoryview]]:
    """(name, type, content) of each entry, extension headers already applied."""
    position = headers = extensions = 0
    extended: dict[bytes, bytes] = {}
    while (header := _header(archive, position)) is not None:
        headers += 1
        if headers > limits.tar_members:
            raise broken("BI-27", f"the layer has over {limits.tar_members} tar headers, the limit")
        kind = header[156:157]
        extension = kind in b"xgL"
        size = _number(header[124:136]) if extension or b"size" not in extended else _decimal(extended[b"size"])
        start = position + BLOCK
        if size > len(archive) - start:
            entry = quoted(extended.get(b"path", _name(header)))
            left = len(archive) - start
            raise broken("BI-11", f"layer entry {entry} says {size} bytes, {left} are left in the archive")
        if size and kind == b"5":
            raise broken("BI-11", f"a directory in the layer says it has {size} bytes, expected 0")
        content = archive[start : start + size]
        position = start + -(-size // BLOCK) * BLOCK
        if not extension:
            yield extended.get(b"path", _name(header)), kind, content
            extended = {}
            continue
        extensions += size
        if extensions > limits.tar_extensions:
            raise broken("BI-27", f"the layer has over {limits.tar_extensions} bytes of tar extension headers")
        extended = _extended(extended, kind, bytes(content))
    if extended:
        raise broken("BI-11", "the archive ends after an extension header, expected the entry it belongs to")


def _extended(before: dict[bytes, bytes], kind: bytes, content: bytes) -> dict[bytes, bytes]:
    """What the next entry's name and size are to be, after one more extension header."""
    if kind == b"L":
        found = {b"path": content.rstrip(b"\0")}
    else:
        found = dict(_pax(content))
        if kind == b"g" and found:
            raise broken("BI-11", "the layer has a pax header that names every entry at once")
    for key in found.keys() & before.keys():
        raise broken("BI-11", f"two extension headers give one layer entry its {key.decode()}")
    return before | found


def _header(archive: memoryview, position: int) -> bytes | None:
    """The header block at `position`, its checksum verified; None at the end of the archive."""
    block = bytes(archive[position : position + BLOCK])
    if not block and position:
        return None  # an archive without an end marker, as some writers make
    if len(block) < BLOCK:
        raise broken("BI-11", f"the layer is no tar archive: it is cut at byte {len(archive)}")
    if not any(block):
        if not _all_zero(archive, position):
            raise broken("BI-11", f"the archive goes on after its end marker at byte {position}")
        return None
    want = _number(block[148:156])
    if sum(block) - sum(block[148:156]) + 8 * 0x20 != want:
        raise broken("BI-11", f"the layer is no tar archive: wrong header checksum at byte {position}")
    return block


def _all_zero(archive: memoryview, position: int) -> bool:
    zeros = bytes(64 * 1024)
    for start in range(position, len(archive), len(zeros)):
        piece = bytes(archive[start : start + len(zeros)])
        if piece != zeros[: len(piece)]:
            return False
    return True


def _number(field: bytes) -> int:
    """A size or checksum: octal digits, or GNU's base-256."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \0")
    if any(digit not in b"01234567" for digit in digits):  # base-256 below zero begins with ff
        raise broken("BI-11", f"a tar header holds {quoted(bytes(field))} as a number, expected octal digits")
    return int(digits or b"0", 8)


def _decimal(value: bytes) -> int:
    if not value.isdigit() or len(value) > 20:
        raise broken("BI-11", f"a pax header holds {quoted(value)} as a number, expected a decimal number")
    return int(value)


def _name(header: bytes) -> bytes:
    name = header[:100].split(b"\0", 1)[0]
    if header[257:263] == b"ustar\0":  # GNU's magic has a blank here, and other things in place of the prefix
        prefix = header[345:500].split(b"\0", 1)[0]
        return prefix + b"/" + name if prefix else name
    return name


def _pax(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The records of a pax header that say what an entry is called and how long it is."""
    position = 0
    while position < len(content):
        blank = content.find(b" ", position, position + 21)
        end = position + _decimal(content[position : max(blank, position)])
        key, equals, value = content[blank + 1 : end].partition(b"=")
        if not equals or end > len(content) or value[-1:] != b"\n":
            raise broken("BI-11", f"a pax header holds a record that is none: {quoted(content[position:][:40])}")
        if key.startswith(b"GNU.sparse."):
            raise broken("BI-12", "the layer has a sparse file, expected plain ones")
        if key in (b"path", b"size"):
            yield key, value[:-1]
        position = end
