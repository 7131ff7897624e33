"""The tables of an ELF file, checked with plain arithmetic before anything in them is believed.

After `check` every section that is read lies within the file, overlaps no other and is not compressed, every string
ends soon, and every relocation names a symbol that there is.
"""

from __future__ import annotations

import struct
from itertools import pairwise

from bpfimg._value import value
from bpfimg.bytecode._header import HEADER_SIZE, prefix
from bpfimg.errors import BytecodeError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.bytecode._limits import Limits

SHT_PROGBITS, SHT_SYMTAB, SHT_STRTAB, SHT_RELA, SHT_NOBITS, SHT_REL = 1, 2, 3, 4, 8, 9
#: symbol numbers for a linker of machine code: meaningless once symbols are renumbered, and nobody's business in BPF
LLVM_ADDRSIG = 0x6FFF4C03
_SHT_NULL = 0
_SHF_COMPRESSED = 0x800
_SECTION_HEADER_SIZE = 64
_SYMBOL_SIZE = 24
_RELOCATION_SIZE = 16

#: how the names of sections begin that hold DWARF, which nothing that loads looks at; it may be compressed
DWARF = (b".debug", b".zdebug")

ROW = (
    "IIQQQQIIQQ"  # sh_name, sh_type, sh_flags, sh_addr, sh_offset, sh_size, sh_link, sh_info, sh_addralign, sh_entsize
)
SYMBOL = "IBBHQQ"  # st_name, st_info, st_other, st_shndx, st_value, st_size
Row = tuple[int, int, int, int, int, int, int, int, int, int]


@value(frozen=True, slots=True)
class Tables:
    """What was checked. `wanted` are the indexes of code and data, `relocations` those of the tables for them."""

    rows: list[Row]
    names: list[str]
    wanted: tuple[int, ...]
    symbols: int
    strings: bytes
    relocations: tuple[int, ...]


def check(data: bytes, byte_order: str, limits: Limits) -> Tables:
    """The section headers, and which sections matter: code, data, relocations and the one symbol table.

    Raises `BytecodeError`, naming the section, for a file that cannot be read safely within `limits`.
    """
    if len(data) > limits.object_bytes:
        raise BytecodeError(f"the object has {len(data)} bytes, expected at most {limits.object_bytes}")
    rows, names_index = _section_headers(data, byte_order, limits)
    names = _Names(data, rows, names_index, limits)
    for index, row in enumerate(rows):
        if row[1] not in (_SHT_NULL, SHT_NOBITS) and row[4] + row[5] > len(data):
            raise BytecodeError(
                f"section {names.of(index)} is said to reach from byte {row[4]} to {row[4] + row[5]}, "
                f"but the object ends at {len(data)}"
            )
    wanted = [i for i, row in enumerate(rows) if row[1] in (SHT_PROGBITS, SHT_NOBITS) and not names.debug(i)]
    for index in wanted:
        if rows[index][2] & _SHF_COMPRESSED:
            raise BytecodeError(f"section {names.of(index)} is compressed, which libbpf cannot read")
    symbols, strings = _symbol_table(data, byte_order, rows, names, limits)
    relocations = _relocations(rows, names, set(wanted), symbols, limits)
    _no_overlap(rows, names, [*wanted, *relocations, symbols, rows[symbols][6]])
    zeros = sum(rows[i][5] for i in wanted if rows[i][1] == SHT_NOBITS)
    if zeros > limits.zero_bytes:
        raise BytecodeError(f"the .bss sections have {zeros} bytes, expected at most {limits.zero_bytes}")
    return Tables(rows, names.all(), tuple(wanted), symbols, strings, relocations)


def _section_headers(data: bytes, byte_order: str, limits: Limits) -> tuple[list[Row], int]:
    """The section header table, and which section holds the names."""
    order = prefix(byte_order)
    (offset,) = struct.unpack_from(order + "Q", data, 40)
    size, count, names = struct.unpack_from(order + "HHH", data, 58)
    if not 0 < count <= limits.sections:
        raise BytecodeError(f"the object has {count} sections, expected 1 to {limits.sections}")
    if size != _SECTION_HEADER_SIZE:
        raise BytecodeError(f"a section header is said to have {size} bytes, expected {_SECTION_HEADER_SIZE}")
    end = offset + count * size
    if offset < HEADER_SIZE or end > len(data):
        raise BytecodeError(
            f"the section headers are said to reach from byte {offset} to {end}, but the object ends at {len(data)}"
        )
    rows: list[Row] = list(struct.iter_unpack(order + ROW, data[offset:end]))
    if names >= count:
        raise BytecodeError(f"section {names} should hold the section names, but there are only {count} sections")
    return rows, names


def _symbol_table(data: bytes, byte_order: str, rows: list[Row], names: _Names, limits: Limits) -> tuple[int, bytes]:
    tables = [index for index, row in enumerate(rows) if row[1] == SHT_SYMTAB]
    if len(tables) != 1:
        raise BytecodeError(f"the object has {len(tables)} symbol tables, expected one")
    (index,) = tables
    row = rows[index]
    if row[9] != _SYMBOL_SIZE or row[5] % _SYMBOL_SIZE:
        raise BytecodeError(
            f"symbol table {names.of(index)} has {row[5]} bytes in entries of {row[9]}, expected entries of 24"
        )
    if row[5] // _SYMBOL_SIZE > limits.symbols:
        raise BytecodeError(f"the object has {row[5] // _SYMBOL_SIZE} symbols, expected at most {limits.symbols}")
    strings = _string_table(data, rows, row[6], limits)
    for (start,) in struct.iter_unpack(prefix(byte_order) + "I20x", data[row[4] : row[4] + row[5]]):
        if start >= len(strings):
            raise BytecodeError(f"a symbol's name is said to be at byte {start} of {len(strings)} in the string table")
    return index, strings


def _relocations(rows: list[Row], names: _Names, wanted: set[int], symbols: int, limits: Limits) -> tuple[int, ...]:
    """The relocation tables of the sections that matter; those of DWARF are nobody's business."""
    found = []
    total = 0
    for index, row in enumerate(rows):
        if row[1] == SHT_RELA and row[7] in wanted and row[5]:
            raise BytecodeError(f"section {names.of(index)} holds relocations with addends, which libbpf cannot read")
        if row[1] != SHT_REL or row[7] not in wanted:
            continue
        if row[9] != _RELOCATION_SIZE or row[5] % _RELOCATION_SIZE or row[6] != symbols:
            raise BytecodeError(
                f"relocation table {names.of(index)} has {row[5]} bytes in entries of {row[9]} for the symbols of "
                f"section {row[6]}, expected entries of {_RELOCATION_SIZE} for those of section {symbols}"
            )
        total += row[5] // _RELOCATION_SIZE
        if total > limits.relocations:
            raise BytecodeError(f"the object has more than {limits.relocations} relocations")
        found.append(index)
    return tuple(found)


def _string_table(data: bytes, rows: list[Row], index: int, limits: Limits) -> bytes:
    """The content of a string table whose strings all end, within the limit on names."""
    if index >= len(rows) or rows[index][1] != SHT_STRTAB:
        raise BytecodeError(f"section {index} should be a string table, but is none")
    row = rows[index]
    content = data[row[4] : row[4] + row[5]]
    if len(content) != row[5] or not content.endswith(b"\0"):
        raise BytecodeError(f"the string table in section {index} is cut off")
    position = 0
    while position < len(content):  # every window of that length has a NUL in it: two steps pass one window
        end = content.rfind(b"\0", position, position + limits.name_bytes + 1)
        if end < 0:
            raise BytecodeError(
                f"the string table in section {index} has a name of more than {limits.name_bytes} bytes"
            )
        position = end + 1
    return content


class _Names:
    """Section names, for messages and to tell DWARF from the rest."""

    def __init__(self, data: bytes, rows: list[Row], index: int, limits: Limits) -> None:
        self._rows = rows
        self._strings = _string_table(data, rows, index, limits)
        for row in rows:
            if row[0] >= len(self._strings):
                raise BytecodeError(
                    f"a section's name is said to be at byte {row[0]} of {len(self._strings)} in the section names"
                )

    def all(self) -> list[str]:
        """The names by index, as they are in the file."""
        return [self._name(row[0]) for row in self._rows]

    def of(self, index: int) -> str:
        return f"{index} ({quoted(self._name(self._rows[index][0]))})"

    def _name(self, start: int) -> str:
        return self._strings[start : self._strings.index(b"\0", start)].decode(errors="replace")

    def debug(self, index: int) -> bool:
        return self._strings.startswith(DWARF, self._rows[index][0])


def _no_overlap(rows: list[Row], names: _Names, indexes: list[int]) -> None:
    """Without overlap the content of all sections together is not more than the file."""
    ranges = sorted((rows[i][4], rows[i][5], i) for i in set(indexes) if rows[i][1] != SHT_NOBITS and rows[i][5])
    for (start, size, first), (following, _, second) in pairwise(ranges):
        if start + size > following:
            raise BytecodeError(f"sections {names.of(first)} and {names.of(second)} overlap")
