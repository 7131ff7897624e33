"""An object without its DWARF: what `llvm-strip -g` does, without LLVM and with the same bytes everywhere."""

from __future__ import annotations

import struct

from bpfimg._value import replace, value
from bpfimg.bytecode._header import HEADER_SIZE, prefix
from bpfimg.bytecode._tables import DWARF, LLVM_ADDRSIG, ROW, SHT_NOBITS, SHT_PROGBITS, SHT_REL, SHT_RELA, SYMBOL
from bpfimg.errors import BytecodeError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bpfimg.bytecode._elf import ElfObject
    from bpfimg.bytecode._tables import Row

    Symbol = tuple[int, int, int, int, int, int]

__all__ = ["rewritten", "stripped"]

_SHT_GROUP, _SHT_SYMTAB_SHNDX = 17, 18
_INFO_LINK = 0x40  # SHF_INFO_LINK: sh_info is the index of a section
_STT_FILE = 4
_MAX_ALIGNMENT = 4096
_POINTER = 8
_BTF = b".BTF"
_HINT = "build with --no-strip to leave the object as it is"


def stripped(elf: ElfObject) -> bytes:
    """The object without `.debug*` sections, what refers to them, and the symbol of the source file's name.

    Programs, maps, their relocations, `.BTF` and `.BTF.ext` are as they were, byte by byte; an object without DWARF is
    returned as it is. Raises BytecodeError when what stays refers to what would go.
    """
    order = prefix(elf.byte_order)
    old = _read(elf, order)
    gone = _gone(old)
    if not gone:
        return elf.data
    sections = _numbering(len(old.rows), gone)
    kept_symbols = [i for i, symbol in enumerate(old.symbols) if not i or not _leaves(symbol, gone)]
    symbols = {index: new for new, index in enumerate(kept_symbols)}
    rebuilt = _tables(old, order, sections, kept_symbols)
    contents = {}
    for index in sections:
        row = old.rows[index]
        if index in rebuilt.contents:
            contents[index] = rebuilt.contents[index]
        elif row[1] in (SHT_REL, SHT_RELA):
            contents[index] = _relocations(old, index, order, symbols)
        elif row[1] == _SHT_GROUP:
            contents[index] = _group(old.content(index), order, sections)
        else:
            contents[index] = old.content(index)
    rows = {index: _row(old, index, sections, symbols, rebuilt) for index in sections}
    return _written(elf.data, order, rows, contents, sections[old.names_index])


def rewritten(
    elf: ElfObject,
    *,
    name: tuple[int, bytes],
    contents: Mapping[int, bytes],
    symbols: Mapping[int, tuple[int, int]],
    btf: bytes,
) -> bytes:
    """The object with another `name` for one section, other `contents` and `.BTF`, and `symbols` (by their index) of
    another place and size. Everything else is as it was, byte by byte, if not at the same place."""
    order = prefix(elf.byte_order)
    old = _read(elf, order)
    rows, names = [*old.rows], [*old.names]
    names[name[0]] = name[1]
    filled = {index: old.content(index) for index in range(len(rows))} | dict(contents)
    if _BTF not in names:
        rows.append((0, SHT_PROGBITS, 0, 0, 0, 0, 0, 0, 4, 0))
        names.append(_BTF)
    filled[names.index(_BTF)] = btf
    for index in contents:
        rows[index] = (*rows[index][:8], _POINTER, rows[index][9])
    table = [(*each[:4], *symbols.get(number, each[4:])) for number, each in enumerate(old.symbols)]
    new = replace(old, rows=rows, names=names, symbols=table)
    sections, numbers = ({index: index for index in range(len(each))} for each in (rows, table))
    made = _tables(new, order, sections, list(numbers))
    headers = {index: _row(new, index, sections, numbers, made) for index in sections}
    return _written(elf.data, order, headers, {**filled, **made.contents}, old.names_index)


@value(frozen=True, slots=True)
class _Old:
    data: bytes
    rows: list[Row]
    names: list[bytes]
    names_index: int
    symbols_index: int
    symbols: list[Symbol]

    def content(self, index: int) -> bytes:
        row = self.rows[index]
        return b"" if row[1] in (0, SHT_NOBITS) else self.data[row[4] : row[4] + row[5]]

    def name(self, index: int) -> str:
        return quoted(self.names[index])


def _read(elf: ElfObject, order: str) -> _Old:
    data = elf.data
    segments, names_index = struct.unpack_from(order + "H4xH", data, 56)
    if segments:
        raise BytecodeError(f"the object has {segments} program headers, which no relocatable file has", hint=_HINT)
    rows, index = elf.tables.rows, elf.tables.symbols
    if sum(row[5] for row in rows if row[1] not in (0, SHT_NOBITS)) > len(data):
        raise BytecodeError("sections of the object overlap, so it cannot be stripped", hint=_HINT)
    strings = data[rows[names_index][4] : rows[names_index][4] + rows[names_index][5]]
    names = [strings[row[0] : strings.index(b"\0", row[0])] for row in rows]
    table = data[rows[index][4] : rows[index][4] + rows[index][5]]
    for number, row in enumerate(rows):
        if row[1] == _SHT_SYMTAB_SHNDX or row[8] > _MAX_ALIGNMENT:
            raise BytecodeError(f"section {quoted(names[number])} is of a kind that cannot be stripped", hint=_HINT)
    return _Old(data, rows, names, names_index, index, list(struct.iter_unpack(order + SYMBOL, table)))


def _gone(old: _Old) -> set[int]:
    """Indexes of the sections that go; none when there is no DWARF."""
    debug = {i for i, name in enumerate(old.names) if name.startswith(DWARF) or name == b".gdb_index"}
    if not debug:
        return debug
    if debug & {0, old.names_index, old.symbols_index, old.rows[old.symbols_index][6]}:
        raise BytecodeError("the object keeps its symbols or names in a .debug section, expected DWARF", hint=_HINT)
    tables = {i for i, row in enumerate(old.rows) if row[1] in (SHT_REL, SHT_RELA) and row[7] in debug}
    return debug | tables | {i for i, row in enumerate(old.rows) if row[1] == LLVM_ADDRSIG}


def _leaves(symbol: Symbol, gone: set[int]) -> bool:
    return symbol[1] & 15 == _STT_FILE or symbol[3] in gone


def _numbering(count: int, gone: set[int]) -> dict[int, int]:
    """Old index of each section that stays -> new one."""
    return {index: new for new, index in enumerate(i for i in range(count) if i not in gone)}


@value(frozen=True, slots=True)
class _Rebuilt:
    """The tables that are written anew: their contents by old section index, and where each section's name starts."""

    contents: Mapping[int, bytes]
    names: Mapping[int, int]


def _tables(old: _Old, order: str, sections: Mapping[int, int], kept: list[int]) -> _Rebuilt:
    strings_index = old.rows[old.symbols_index][6]
    source = old.content(strings_index)
    labels = {i: source[old.symbols[i][0] : source.index(b"\0", old.symbols[i][0])] for i in kept}
    names = [old.names[index] for index in sections]
    if strings_index == old.names_index:  # as LLVM writes them: one table for both
        text, at = _strings([*names, *labels.values()])
        contents, of_sections = {strings_index: text}, at
    else:
        text, at = _strings(labels.values())
        of_names, of_sections = _strings(names)
        contents = {strings_index: text, old.names_index: of_names}
    table = b"".join(
        struct.pack(order + SYMBOL, at[labels[i]], info, other, sections.get(where, where), start, size)
        for i in kept
        for _, info, other, where, start, size in (old.symbols[i],)
    )
    contents[old.symbols_index] = table
    return _Rebuilt(contents, {index: of_sections[old.names[index]] for index in sections})


def _strings(names: Iterable[bytes]) -> tuple[bytes, dict[bytes, int]]:
    """A string table, each name once in order of first use, and where each one starts."""
    at = {b"": 0}
    content = bytearray(1)
    for name in names:
        if name not in at:
            at[name] = len(content)
            content += name + b"\0"
    return bytes(content), at


def _relocations(old: _Old, index: int, order: str, symbols: Mapping[int, int]) -> bytes:
    """The relocation table with the new symbol numbers; everything else in it as it was."""
    row, content = old.rows[index], bytearray(old.content(index))
    size = 24 if row[1] == SHT_RELA else 16
    if row[6] != old.symbols_index or len(content) % size:
        raise BytecodeError(f"section {old.name(index)} holds no relocations as ELF has them", hint=_HINT)
    for at in range(8, len(content), size):
        (packed,) = struct.unpack_from(order + "Q", content, at)
        new = symbols.get(packed >> 32)
        if new is None:
            raise BytecodeError(f"section {old.name(index)} refers to DWARF, so that cannot be stripped", hint=_HINT)
        struct.pack_into(order + "Q", content, at, new << 32 | packed & 0xFFFFFFFF)
    return bytes(content)


def _group(content: bytes, order: str, sections: Mapping[int, int]) -> bytes:
    """A section group: a word of flags, then its members' indexes."""
    words = struct.unpack(f"{order}{len(content) // 4}I", content[: len(content) // 4 * 4])
    left = [sections[index] for index in words[1:] if index in sections]
    return struct.pack(f"{order}{len(words[:1]) + len(left)}I", *words[:1], *left)


def _row(old: _Old, index: int, sections: Mapping[int, int], symbols: Mapping[int, int], rebuilt: _Rebuilt) -> Row:
    """The section's header with new name, link and info; offset and size come when it is written."""
    _, kind, flags, address, offset, size, link, info, alignment, entry = old.rows[index]
    if link not in sections or ((kind in (SHT_REL, SHT_RELA) or flags & _INFO_LINK) and info not in sections):
        raise BytecodeError(f"section {old.name(index)} belongs to DWARF, so that cannot be stripped", hint=_HINT)
    if index == old.symbols_index:
        info = sum(1 for symbol in symbols if symbol < info)  # the first symbol that is not local
    elif kind == _SHT_GROUP:
        info = symbols.get(info, 0)
    elif kind in (SHT_REL, SHT_RELA) or flags & _INFO_LINK:
        info = sections[info]
    return (rebuilt.names[index], kind, flags, address, offset, size, sections[link], info, alignment, entry)


def _written(
    data: bytes, order: str, rows: Mapping[int, Row], contents: Mapping[int, bytes], names_index: int
) -> bytes:
    """The file: the ELF header, the sections in their order, each at its alignment, and their headers."""
    out = bytearray(data[:HEADER_SIZE])
    table = bytearray()
    for index, row in rows.items():
        content = contents[index]
        if row[1]:
            out += bytes(-len(out) % (row[8] or 1))
        size = row[5] if row[1] == SHT_NOBITS else len(content)
        table += struct.pack(order + ROW, *row[:4], len(out) if row[1] else 0, size, *row[6:])
        out += content
    out += bytes(-len(out) % 8)
    struct.pack_into(order + "Q", out, 40, len(out))
    struct.pack_into(order + "HH", out, 60, len(rows), names_index)
    return bytes(out + table)
