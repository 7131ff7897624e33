"""Sections, symbols and relocations of an object, of a file that `_tables` has checked."""

from __future__ import annotations

import struct

from bpfimg._value import value
from bpfimg.bytecode import _tables
from bpfimg.bytecode._header import check_header, prefix
from bpfimg.bytecode._text import checked
from bpfimg.errors import BytecodeError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.bytecode._limits import Limits

STT_OBJECT, STT_FUNC, STT_SECTION = 1, 2, 3
STB_LOCAL, STB_WEAK = 0, 2
SHN_UNDEF, SHN_RESERVED = 0, 0xFF00

_SHF_EXECINSTR = 4


class Section:
    """Code or data, one for each index; `content` is cut out anew every time, and empty where the file holds none."""

    __slots__ = ("_data", "executable", "index", "name", "offset", "size", "zeros")

    def __init__(self, data: bytes, index: int, name: str, row: _tables.Row) -> None:
        self._data = data
        self.index = index
        self.name = name
        self.offset, self.size = row[4], row[5]
        self.executable = bool(row[2] & _SHF_EXECINSTR)
        self.zeros = row[1] == _tables.SHT_NOBITS  # .bss

    @property
    def content(self) -> bytes:
        return b"" if self.zeros else self._data[self.offset : self.offset + self.size]


class Symbol:
    """One row of the symbol table. `section` is the index of its section, `value` the offset in it, in bytes."""

    __slots__ = ("bind", "kind", "name", "section", "size", "value")

    def __init__(self, name: str, row: tuple[int, int, int, int, int, int]) -> None:
        self.name = name
        _, kind, _, self.section, self.value, self.size = row
        self.kind, self.bind = kind & 0xF, kind >> 4

    @property
    def of_section(self) -> bool:
        """Whether it stands for a section and has no name of its own."""
        return self.kind == STT_SECTION

    @property
    def local(self) -> bool:
        return self.bind == STB_LOCAL


@value(frozen=True, slots=True, eq=False)
class ElfObject:
    """`sections` are code and data without DWARF; `table` is the whole symbol table by index."""

    byte_order: str
    sections: tuple[Section, ...]
    table: tuple[Symbol, ...]
    tables: _tables.Tables
    data: bytes

    @property
    def symbols(self) -> Iterator[Symbol]:
        """The named symbols that have a place in a section."""
        return (s for s in self.table if s.name and SHN_UNDEF < s.section < SHN_RESERVED)

    @property
    def undefined(self) -> Iterator[Symbol]:
        """The named symbols that somebody else has to define."""
        return (s for s in self.table if s.name and s.section == SHN_UNDEF)

    def section(self, name: str) -> Section | None:
        """The section of that name, None if there is none; `BytecodeError` if there are several."""
        found = [section for section in self.sections if section.name == name]
        if len(found) > 1:
            raise BytecodeError(f"the object has {len(found)} sections named {quoted(name)}, expected one")
        return found[0] if found else None

    def content(self, name: str) -> bytes:
        """The content of that section, empty if there is none."""
        section = self.section(name)
        return section.content if section else b""

    def relocations(self, section: int) -> list[tuple[int, int, int]]:
        """(offset in the section, index of the symbol, type) of what changes the section of that index.

        Raises `BytecodeError` for a relocation whose symbol or place there is not.
        """
        found = []
        record = struct.Struct(prefix(self.byte_order) + "QII")
        size = self.tables.rows[section][5]
        for index in self.tables.relocations:
            row = self.tables.rows[index]
            if row[7] != section:
                continue
            words = record.iter_unpack(self.data[row[4] : row[4] + row[5]])
            # r_info is symbol << 32 | type, so its halves stand the other way round in a little-endian file
            swap = self.byte_order == "little"
            for offset, first, second in words:
                kind, symbol = (first, second) if swap else (second, first)
                if symbol >= len(self.table) or offset >= size:
                    raise BytecodeError(
                        f"a relocation of section {quoted(self.tables.names[section])} is for byte {offset} of {size} "
                        f"and symbol {symbol} of {len(self.table)}"
                    )
                found.append((offset, symbol, kind))
        return found


def read(data: bytes, limits: Limits) -> ElfObject:
    """The code and data sections and the symbols; `BytecodeError` for anything that is not a sound eBPF object."""
    byte_order = check_header(data)
    tables = _tables.check(data, byte_order, limits)
    sections = tuple(
        Section(data, index, checked(tables.names[index], f"section {index}"), tables.rows[index])
        for index in tables.wanted
    )
    return ElfObject(byte_order, sections, tuple(_symbols(data, byte_order, tables)), tables, data)


def _symbols(data: bytes, byte_order: str, tables: _tables.Tables) -> Iterator[Symbol]:
    row = tables.rows[tables.symbols]
    strings = tables.strings
    entry = struct.Struct(prefix(byte_order) + _tables.SYMBOL)
    for words in entry.iter_unpack(data[row[4] : row[4] + row[5]]):
        name = words[0]
        text = strings[name : strings.index(b"\0", name)].decode(errors="replace") if name else ""
        yield Symbol(text, words)
