"""Notes of an executable: its build id, and its static probes (USDT, as SystemTap's <sys/sdt.h> writes them)."""

from __future__ import annotations

import struct

from bpfimg._value import value
from bpfimg.bytecode._executable._file import PT_NOTE, SHT_NOTE
from bpfimg.errors import BytecodeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.bytecode._executable._file import Executable

_BUILD_ID, _STAPSDT = 3, 3


@value(frozen=True, slots=True)
class Probe:
    """One place of a static probe: addresses in the file's own terms, `semaphore` 0 where it has none.

    `arguments` is text for `arguments()`: "-4@%edi 8@-16(%rbp)".
    """

    provider: str
    name: str
    address: int
    semaphore: int
    arguments: str


def build_id(file: Executable) -> str | None:
    """The build id in hexadecimal digits; None when the file has none."""
    left = 2 * file.limits.note_bytes  # segments and sections have the same notes; thousands may name one place
    for offset, size in _places(file):
        if size > min(file.limits.note_bytes, left) or offset + size > file.size:
            continue
        left -= size
        for owner, kind, content in _notes(file, file.part(offset, size, "its notes")):
            if owner == b"GNU\0" and kind == _BUILD_ID and 0 < len(content) <= 64:
                return content.hex()
    return None


def _places(file: Executable) -> Iterator[tuple[int, int]]:
    for segment in file.segments:
        if segment.type == PT_NOTE:
            yield segment.offset, segment.file_size
    for section in file.sections:
        if section.type == SHT_NOTE:
            yield section.offset, section.size


def probes(file: Executable) -> tuple[Probe, ...]:
    """Every place of every static probe, in the order of the file."""
    section = file.called(".note.stapsdt")
    if section is None:
        return ()
    base = file.called(".stapsdt.base")
    data = file.content(section, "section .note.stapsdt", file.limits.note_bytes)
    found = []
    for owner, kind, content in _notes(file, data):
        if owner == b"stapsdt\0" and kind == _STAPSDT:
            found.append(_probe(file, content, base.address if base else 0))
        if len(found) > file.limits.probes:
            raise BytecodeError(f"it has more than {file.limits.probes} static probes")
    return tuple(found)


def _probe(file: Executable, content: bytes, base: int) -> Probe:
    words = content[24:].split(b"\0")
    if len(content) < 24 or len(words) < 3:
        raise BytecodeError(f"a note of a static probe has {len(content)} bytes, expected three addresses and texts")
    address, linked, semaphore = struct.unpack_from(file.order + "QQQ", content)
    moved = base - linked if base and linked else 0  # prelink moves sections, and leaves notes as they are
    provider, name, arguments = (word.decode("utf-8", "replace") for word in words[:3])
    here = (address + moved) % (1 << 64)
    return Probe(provider, name, here, (semaphore + moved) % (1 << 64) if semaphore else 0, arguments)


def _notes(file: Executable, data: bytes) -> Iterator[tuple[bytes, int, bytes]]:
    """(owner, type, content) of each note; stops where they make no sense any more."""
    at = 0
    while at + 12 <= len(data):
        name_size, size, kind = struct.unpack_from(file.order + "III", data, at)
        start = at + 12 + (name_size + 3 & ~3)
        end = start + size
        if end > len(data):
            return
        yield data[at + 12 : at + 12 + name_size], kind, data[start:end]
        at = end + 3 & ~3
