"""A reader of section .BTF.ext: functions, source lines and CO-RE relocations of each program section.

https://docs.kernel.org/bpf/btf.html#btf-ext-section. The tables are checked when they are opened; records become
values only when they are asked for, because most callers only count.
"""

from __future__ import annotations

import struct

from bpfimg._value import value
from bpfimg.errors import BytecodeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Protocol

    from bpfimg.btf._limits import Limits

    class Strings(Protocol):
        """Where the names are: a `Btf`, or what has only those."""

        def string(self, offset: int) -> str:
            """The string at an offset; `BytecodeError` if there is none."""


_MAGIC = 0xEB9F
_HEADER_SIZE = 24
_HEADER_WITH_CORE = 32  # since LLVM 10
_FUNCTIONS, _LINES, _CORE = range(3)
_WORDS = ("function records", "line records", "CO-RE relocations")
_RECORD_SIZES = (8, 16, 16)  # what this reader knows; a newer compiler may write more
_SECTIONS_MAX = 4096

_Table = tuple[int, dict[str, tuple[int, int]]]  # record size; section -> start, number of records


@value(frozen=True, slots=True)
class LineInfo:
    """From the instruction at `offset` (bytes in its section) on, the code is that of `line` in `file`."""

    offset: int
    file: str
    text: str
    line: int
    column: int


@value(frozen=True, slots=True)
class CoreRelocation:
    """What the instruction at `offset` (bytes in its section) asks of a kernel's type.

    `type_id` is the type in the object's BTF, `access` the path into it ("0:1:2") or an enumerator's index, `kind` a
    number of `enum bpf_core_relo_kind`.
    """

    offset: int
    type_id: int
    access: str
    kind: int


class Ext:
    """The three tables, by name of the program section; decoded anew on every call.

    Every method raises `BytecodeError` for strings that are not there.
    """

    __slots__ = ("_btf", "_data", "_order", "_tables")

    def __init__(self, data: bytes, order: str, btf: Strings, tables: tuple[_Table, _Table, _Table]) -> None:
        self._data = data
        self._order = order
        self._btf = btf
        self._tables = tables

    @property
    def functions(self) -> Mapping[str, tuple[tuple[int, int], ...]]:
        """(offset in bytes, id of the FUNC) of each function."""
        return {
            section: tuple((offset, type_id) for offset, type_id in self._records(_FUNCTIONS, "II", section))
            for section in self._tables[_FUNCTIONS][1]
        }

    @property
    def lines(self) -> Mapping[str, tuple[LineInfo, ...]]:
        """The source lines in the order of the file."""
        return {section: tuple(self._lines(section)) for section in self._tables[_LINES][1]}

    @property
    def core(self) -> Mapping[str, tuple[CoreRelocation, ...]]:
        """The CO-RE relocations in the order of the file."""
        return {section: tuple(self._core(section)) for section in self._tables[_CORE][1]}

    def rows(self, section: str) -> Iterator[tuple[int, int, int, int]]:
        """The source lines as they are written, in the order of the file: offset in bytes, file and text as offsets in
        the strings of the BTF, line << 10 | column."""
        yield from self._records(_LINES, "IIII", section)  # type: ignore[misc]

    def core_offsets(self, section: str) -> tuple[int, ...]:
        """Where the CO-RE relocations of that section are, in bytes; cheaper than `core`."""
        return tuple(offset for (offset,) in self._records(_CORE, "I", section))

    def line_at(self, section: str, offset: int) -> LineInfo | None:
        """The source line of the instruction at byte `offset`, None where none is known; cheaper than `lines`."""
        size, sections = self._tables[_LINES]
        start, number = sections.get(section, (0, 0))
        at = struct.Struct(self._order + "IIII").unpack_from
        low, high = 0, number
        while low < high:  # the table is in the order of the code
            middle = (low + high) // 2
            low, high = (middle + 1, high) if at(self._data, start + middle * size)[0] <= offset else (low, middle)
        if not low:
            return None
        where, file, text, position = at(self._data, start + (low - 1) * size)
        return LineInfo(where, self._btf.string(file), self._btf.string(text), position >> 10, position & 0x3FF)

    def files(self) -> frozenset[str]:
        """The source files that the lines are of, as the compiler was told of them."""
        names = {name for section in self._tables[_LINES][1] for _, name in self._records(_LINES, "II", section)}
        return frozenset(self._btf.string(name) for name in names)

    def count(self) -> tuple[int, int, int]:
        """How many functions, source lines and CO-RE relocations there are in all sections."""
        functions, lines, core = (sum(number for _, number in table[1].values()) for table in self._tables)
        return functions, lines, core

    def _lines(self, section: str) -> Iterator[LineInfo]:
        files: dict[int, str] = {}
        for offset, file, text, position in self._records(_LINES, "IIII", section):
            if file not in files:
                files[file] = self._btf.string(file)
            yield LineInfo(offset, files[file], self._btf.string(text), position >> 10, position & 0x3FF)

    def _core(self, section: str) -> Iterator[CoreRelocation]:
        for offset, type_id, access, kind in self._records(_CORE, "IIII", section):
            yield CoreRelocation(offset, type_id, self._btf.string(access), kind)

    def _records(self, which: int, layout: str, section: str) -> Iterator[tuple[int, ...]]:
        size, sections = self._tables[which]
        start, number = sections.get(section, (0, 0))
        if not number:
            return
        record = struct.Struct(self._order + layout)
        padded = struct.Struct(f"{self._order}{layout}{size - record.size}x")
        yield from padded.iter_unpack(self._data[start : start + number * size])


def read_ext(data: bytes, byte_order: str, btf: Strings, limits: Limits) -> Ext:
    """The tables in the bytes of a .BTF.ext; `BytecodeError` unless every record lies within them."""
    if len(data) > limits.ext_bytes:
        raise BytecodeError(f"section .BTF.ext has {len(data)} bytes, expected at most {limits.ext_bytes}")
    order = "<" if byte_order == "little" else ">"
    functions, lines, core = (_table(data, order, btf, which, part) for which, part in enumerate(_parts(data, order)))
    return Ext(data, order, btf, (functions, lines, core))


def _parts(data: bytes, order: str) -> list[tuple[int, int]]:
    """Start and end of the three tables in `data`."""
    if len(data) < _HEADER_SIZE:
        raise BytecodeError(f"section .BTF.ext is cut off after {len(data)} bytes, expected at least {_HEADER_SIZE}")
    magic, version, _flags, header = struct.unpack_from(order + "HBBI", data)
    if magic != _MAGIC or version != 1:
        raise BytecodeError(
            f"section .BTF.ext begins with 0x{magic:04x} version {version}, expected 0x{_MAGIC:04x} version 1"
        )
    if not _HEADER_SIZE <= header <= len(data):
        raise BytecodeError(f"the header of section .BTF.ext is said to have {header} bytes, but there are {len(data)}")
    parts = []
    for which in (_FUNCTIONS, _LINES, _CORE):
        known = which != _CORE or header >= _HEADER_WITH_CORE
        offset, size = struct.unpack_from(order + "II", data, 8 + 8 * which) if known else (0, 0)
        start, end = header + offset, header + offset + size
        if end > len(data):
            raise BytecodeError(
                f"the {_WORDS[which]} in section .BTF.ext are said to end at byte {end}, "
                f"but the section ends at {len(data)}"
            )
        parts.append((start, end))
    return parts


def _table(data: bytes, order: str, btf: Strings, which: int, part: tuple[int, int]) -> _Table:
    """One table: the records' size, then for each program section its name, a count, the records."""
    position, end = part
    if position == end:
        return 0, {}
    words, least = _WORDS[which], _RECORD_SIZES[which]
    if position + 4 > end:
        raise BytecodeError(f"the {words} in section .BTF.ext are cut off")
    (record,) = struct.unpack_from(order + "I", data, position)
    if record < least:
        raise BytecodeError(
            f"the {words} in section .BTF.ext are said to have {record} bytes, expected at least {least}"
        )
    if position + 4 == end:  # compilers write the size even where there are no records
        return record, {}
    if record > end - part[0]:
        raise BytecodeError(f"the {words} in section .BTF.ext are cut off")
    position += 4
    found: dict[str, tuple[int, int]] = {}
    while position < end:
        if position + 8 > end:
            raise BytecodeError(f"the {words} in section .BTF.ext are cut off")
        name, number = struct.unpack_from(order + "II", data, position)
        position += 8
        section = btf.string(name)
        if section in found or len(found) > _SECTIONS_MAX:
            raise BytecodeError(f"the {words} in section .BTF.ext name a section twice, or too many of them")
        found[section] = (position, number)
        position += number * record
    if position > end:
        raise BytecodeError(f"the {words} in section .BTF.ext are cut off")
    return record, found
