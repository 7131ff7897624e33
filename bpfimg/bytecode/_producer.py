"""Which compiler made an object, by what DWARF says."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.bytecode._elf import ElfObject

_MARKS = (b"clang version ", b"GNU C", b"rustc version ", b"LLVM version ")
_LENGTH = 512


def producer(elf: ElfObject) -> str | None:
    """The compiler's name for itself (DW_AT_producer), "Debian clang version 14.0.6"; None without DWARF.

    It is looked for among the strings of DWARF: reading the compilation units for it would need a DWARF reader, and
    no other string of an object is like a compiler's name.
    """
    for name in (".debug_str", ".debug_info"):
        for index, title in enumerate(elf.tables.names):
            if title == name:
                row = elf.tables.rows[index]
                found = _among(elf.data[row[4] : row[4] + row[5]])
                if found is not None:
                    return found
    return None


def _among(strings: bytes) -> str | None:
    for mark in _MARKS:
        at = strings.find(mark)
        if at >= 0:
            start = strings.rfind(b"\0", max(at - _LENGTH, 0), at) + 1
            text = strings[start : strings.find(b"\0", at, at + _LENGTH)].decode(errors="replace")
            if text.isprintable() and "\ufffd" not in text:
                return text
    return None
