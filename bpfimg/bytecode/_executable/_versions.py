"""Versions of dynamic symbols: `malloc@@GLIBC_2.2.5` is the one that programs get, `@` an older one."""

from __future__ import annotations

import struct

from bpfimg.bytecode._executable._file import SHT_VERDEF, SHT_VERSYM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.bytecode._executable._file import Executable, Section

_HIDDEN = 0x8000
_BASE = 1  # VER_FLG_BASE: the library's own name, no version


def versions(file: Executable, table: Section) -> dict[int, tuple[str, bool]]:
    """Index in the dynamic symbol table -> (version, whether it is the default); what has none is not there."""
    index = file.sections.index(table)
    words = next((each for each in file.sections if each.type == SHT_VERSYM and each.link == index), None)
    names = _names(file)
    if words is None or not names:
        return {}
    data = file.content(words, "the versions of its symbols", 2 * file.limits.symbols)
    data = data[: len(data) & ~1]
    return {
        at: (names[word & ~_HIDDEN], not word & _HIDDEN)
        for at, (word,) in enumerate(struct.iter_unpack(file.order + "H", data))
        if word & ~_HIDDEN in names
    }


def _names(file: Executable) -> dict[int, str]:
    """Number -> version, of those that the file itself defines."""
    table = next((each for each in file.sections if each.type == SHT_VERDEF), None)
    if table is None or table.link >= len(file.sections):
        return {}
    data = file.content(table, "the versions that it defines", file.limits.note_bytes)
    strings = file.content(file.sections[table.link], "the names of the versions", file.limits.string_bytes)
    found: dict[int, str] = {}
    at = 0
    for _ in range(min(table.entries, file.limits.versions)):
        if at + 20 > len(data):
            break
        _, flags, number, _, _, first, following = struct.unpack_from(file.order + "HHHHIII", data, at)
        if at + first + 8 <= len(data) and not flags & _BASE:
            (start,) = struct.unpack_from(file.order + "I", data, at + first)
            end = strings.find(b"\0", start, start + file.limits.name_bytes + 1)
            if end > start:
                found[number] = strings[start:end].decode("utf-8", "replace")
        if not following:
            break
        at += following
    return found
