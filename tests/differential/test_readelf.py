"""Sections, symbols and relocations, as GNU readelf and pyelftools read them."""

from __future__ import annotations

import io
from typing import Any

from bpfimg.bytecode import dissect
from tests.support import corpus_groups, corpus_tools
from tests.support.corpus_groups import every_group

# The words of readelf for numbers of ours. A type that readelf has no word for is "LOOS+0xfff4c03"; binutils 2.44 has
# one for that, which 2.40 has not.
_KINDS = {0: "NULL", 1: "PROGBITS", 2: "SYMTAB", 3: "STRTAB", 4: "RELA", 7: "NOTE", 8: "NOBITS", 9: "REL"}
_NEWER_WORDS = {"LLVM_ADDRSIG": "LOOS+0xfff4c03"}
_SYMBOL_KINDS = {0: "NOTYPE", 1: "OBJECT", 2: "FUNC", 3: "SECTION", 4: "FILE", 6: "TLS"}
_BINDS = {0: "LOCAL", 1: "GLOBAL", 2: "WEAK"}
_PLACES = {0: "UND", 0xFFF1: "ABS", 0xFFF2: "COM"}

# Where these tools and we differ on purpose:
# - readelf shows the section's name for a section symbol, which has none of its own;
# - section 0, which readelf calls NULL, is not in the report;
# - relocations of DWARF are not read: nobody loads it;
# - the compiler is not read from compressed DWARF, and an empty name of a compiler is no name.


@every_group
def test_sections(group: str) -> None:
    different = []
    for sample in corpus_groups.objects(group):
        theirs = [
            (name, _NEWER_WORDS.get(kind, kind), offset, size)
            for name, kind, offset, size in corpus_tools.readelf(sample.data).sections
        ]
        found = dissect(sample.data)
        tables = found.elf.tables
        ours = [
            (name, _KINDS.get(row[1], f"LOOS+{row[1] - 0x60000000:#x}"), row[4], row[5])
            for name, row in zip(tables.names, tables.rows, strict=True)
        ]
        if theirs != ours:
            different.append((sample.name, theirs, ours))
        reported = [(section.name, section.size) for section in found.object.sections]
        if reported != [(name, size) for name, kind, _, size in theirs if kind != "NULL"]:
            different.append((sample.name, theirs, reported))
    assert not different


@every_group
def test_sums_of_sections(group: str) -> None:
    """What the report adds up: BTF, and DWARF with its relocations."""
    for sample in corpus_groups.objects(group):
        theirs = corpus_tools.readelf(sample.data).sections
        found = dissect(sample.data).object
        assert found.btf_size == sum(size for name, _, _, size in theirs if name in (".BTF", ".BTF.ext")), sample.name
        dwarf = sum(size for name, _, _, size in theirs if name.startswith((".debug", ".rel.debug")))
        assert found.dwarf_size == dwarf, sample.name
        assert found.has_btf == any(name == ".BTF" for name, *_ in theirs), sample.name


@every_group
def test_symbols(group: str) -> None:
    different = []
    for sample in corpus_groups.objects(group):
        theirs = corpus_tools.readelf(sample.data).symbols
        ours = [
            (
                symbol.value,
                symbol.size,
                _SYMBOL_KINDS.get(symbol.kind, str(symbol.kind)),
                _BINDS.get(symbol.bind, str(symbol.bind)),
                _PLACES.get(symbol.section, str(symbol.section)),
                symbol.name,
            )
            for symbol in dissect(sample.data).elf.table
        ]
        theirs = [(*row[:5], "" if row[2] == "SECTION" else row[5]) for row in theirs]
        different += [(sample.name, a, b) for a, b in zip(theirs, ours, strict=True) if a != b]
    assert not different


@every_group
def test_relocations(group: str) -> None:
    different = []
    for sample in corpus_groups.objects(group):
        theirs = corpus_tools.readelf(sample.data).relocations
        elf = dissect(sample.data).elf
        ours = {elf.tables.names[index]: elf.relocations(elf.tables.rows[index][7]) for index in elf.tables.relocations}
        theirs = {name: rows for name, rows in theirs.items() if not name.startswith((".rel.debug", ".rel.eh_frame"))}
        ours = {name: rows for name, rows in ours.items() if not name.startswith(".rel.eh_frame")}
        if theirs != ours:
            different.append((sample.name, theirs, ours))
    assert not different


@every_group
def test_pyelftools(group: str) -> None:
    """A second opinion: written in Python from the specification, as ours is, by other people."""
    from elftools.elf.elffile import ELFFile
    from elftools.elf.sections import SymbolTableSection

    for sample in corpus_groups.objects(group):
        elf: Any = ELFFile(io.BytesIO(sample.data))
        found = dissect(sample.data)
        sections = list(elf.iter_sections())
        assert [s.name for s in sections] == found.elf.tables.names, sample.name
        for section in found.elf.sections:
            other = sections[section.index]
            assert section.size == other["sh_size"], sample.name
            if not section.zeros:
                assert section.content == sample.data[other["sh_offset"] :][: other["sh_size"]], sample.name
        (table,) = [section for section in sections if isinstance(section, SymbolTableSection)]
        theirs = [(symbol.name, symbol["st_value"], symbol["st_size"]) for symbol in table.iter_symbols()]
        ours = [(symbol.name, symbol.value, symbol.size) for symbol in found.elf.table]
        named = [row for row, symbol in zip(theirs, found.elf.table, strict=True) if symbol.kind != 3]
        assert named == [row for row, symbol in zip(ours, found.elf.table, strict=True) if symbol.kind != 3]


@every_group
def test_producer(group: str) -> None:
    """The compiler, as DWARF names it."""
    tool = corpus_tools.newest("llvm-dwarfdump")
    different = []
    for sample in corpus_groups.objects(group):
        ours = dissect(sample.data).object.producer
        if b"debug_info" not in sample.data:
            assert ours is None, sample.name
            continue
        with corpus_tools.stored(sample.data) as path:
            said = corpus_tools.ask(tool, "--debug-info", path) or ""
        theirs = {line.partition('("')[2][:-2] for line in said.splitlines() if "DW_AT_producer" in line} - {""}
        if "compressed" in sample.name and ours is None:
            assert theirs
        elif ours not in (theirs or {None}):
            different.append((sample.name, theirs, ours))
    assert not different
