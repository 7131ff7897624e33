"""Header, segments and sections of an executable, checked with plain arithmetic before anything is believed."""

from __future__ import annotations

import struct

from bpfimg._value import value
from bpfimg.bytecode._executable._limits import Limits
from bpfimg.errors import BytecodeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Reader = Callable[[int, int], bytes]  # (offset, size) -> the bytes there; fewer at the end of the file

#: e_machine -> the word of uname(2)
MACHINES = {62: "x86_64", 183: "aarch64", 243: "riscv64", 258: "loongarch64", 22: "s390x", 21: "ppc64"}
ET_EXEC, ET_DYN = 2, 3
SHT_SYMTAB, SHT_STRTAB, SHT_NOTE, SHT_NOBITS, SHT_DYNSYM = 2, 3, 7, 8, 11
SHT_VERDEF, SHT_VERSYM = 0x6FFFFFFD, 0x6FFFFFFF
PT_LOAD, PT_NOTE = 1, 4
_PF_X = 1
_KINDS = {1: "an object file", 4: "a core dump"}
_HEADER, _SECTION, _SEGMENT = 64, 64, 56


@value(frozen=True, slots=True)
class Segment:
    """A program header; numbers in bytes."""

    type: int
    flags: int
    offset: int
    address: int
    file_size: int


@value(frozen=True, slots=True)
class Section:
    """A section header; `name` is its place in the section names, `link` the index of another section."""

    name: int
    type: int
    address: int
    offset: int
    size: int
    link: int
    entries: int


@value(frozen=True, slots=True, eq=False)
class Executable:
    """An executable or shared library of 64 bits. `order` is the character of `struct` for its byte order."""

    order: str
    position_independent: bool
    machine: int
    segments: tuple[Segment, ...]
    sections: tuple[Section, ...]
    names: int
    size: int
    limits: Limits
    reader: Reader

    @property
    def byte_order(self) -> str:
        """`little` or `big`."""
        return "little" if self.order == "<" else "big"

    @property
    def machine_word(self) -> str:
        """The machine as uname(2) says it, or its number."""
        return MACHINES.get(self.machine, f"machine {self.machine}")

    def part(self, offset: int, size: int, what: str) -> bytes:
        """That part of the file; `BytecodeError` when it ends before."""
        found = self.reader(offset, size) if size and offset + size <= self.size else b""
        if len(found) != size:
            raise BytecodeError(f"{what} should be {size} bytes at byte {offset}, but the file ends at {self.size}")
        return found

    def content(self, section: Section, what: str, limit: int) -> bytes:
        """The content of a section; `BytecodeError` when it is larger than `limit` or not in the file."""
        if section.type == SHT_NOBITS:
            return b""
        if section.size > limit:
            raise BytecodeError(f"{what} has {section.size} bytes, expected at most {limit}")
        return self.part(section.offset, section.size, what)

    def called(self, name: str) -> Section | None:
        """The first section of that name."""
        wanted = name.encode() + b"\0"
        if not self.names < len(self.sections):
            return None
        table = self.sections[self.names]
        for section in self.sections:
            if section.name < table.size and self.reader(table.offset + section.name, len(wanted)) == wanted:
                return section
        return None

    def file_offset(self, address: int) -> int | None:
        """Where in the file the code at that address is; None when no code is there."""
        return self._offset(address, _PF_X)

    def data_offset(self, address: int) -> int | None:
        """Where in the file that address is, code or not."""
        return self._offset(address, 0)

    def code_address(self, offset: int) -> int | None:
        """The address of the code at that place of the file; None when no code is there."""
        for each in self.segments:
            if each.type == PT_LOAD and each.flags & _PF_X and 0 <= offset - each.offset < each.file_size:
                return offset - each.offset + each.address
        return None

    def _offset(self, address: int, flags: int) -> int | None:
        for each in self.segments:
            if each.type == PT_LOAD and each.flags & flags == flags and 0 <= address - each.address < each.file_size:
                return address - each.address + each.offset
        return None


def read(reader: Reader, size: int, limits: Limits | None = None) -> Executable:
    """The executable in a file of `size` bytes that `reader` reads; `BytecodeError` when it is none of 64 bits."""
    limits = limits or Limits()
    head = reader(0, _HEADER) if size else b""  # files of proc say that they have none, and may wait for a reader
    if head[:4] != b"\x7fELF":
        shebang = " (a script: its interpreter is what can be probed)" if head[:2] == b"#!" else ""
        raise BytecodeError(f"it is not an ELF file{shebang}")
    if len(head) < _HEADER:
        raise BytecodeError(f"it ends after {len(head)} bytes, expected an ELF header")
    if head[4] != 2:
        raise BytecodeError("it is an ELF file of 32 bits, expected 64")
    if head[5] not in (1, 2):
        raise BytecodeError(f"its byte order is {head[5]}, expected 1 (little) or 2 (big)")
    order = "<" if head[5] == 1 else ">"
    kind, machine = struct.unpack_from(order + "HH", head, 16)
    if kind not in (ET_EXEC, ET_DYN):
        said = _KINDS.get(kind, f"an ELF file of type {kind}")
        raise BytecodeError(f"it is {said}, expected an executable or a shared library")
    segments = _segments(reader, order, head, limits)
    sections, names = _sections(reader, order, head, limits)
    return Executable(order, kind == ET_DYN, machine, segments, sections, names, size, limits, reader)


def _segments(reader: Reader, order: str, head: bytes, limits: Limits) -> tuple[Segment, ...]:
    (offset,) = struct.unpack_from(order + "Q", head, 32)
    width, count = struct.unpack_from(order + "HH", head, 54)
    if not count or width != _SEGMENT or count > limits.segments:
        raise BytecodeError(f"it has {count} program headers of {width} bytes, expected 1 to {limits.segments} of 56")
    data = _table(reader, offset, count * width, "the program headers")
    rows = struct.iter_unpack(order + "IIQQQQQQ", data)
    return tuple(Segment(kind, flags, at, address, size) for kind, flags, at, address, _, size, _, _ in rows)


def _sections(reader: Reader, order: str, head: bytes, limits: Limits) -> tuple[tuple[Section, ...], int]:
    (offset,) = struct.unpack_from(order + "Q", head, 40)
    width, count, names = struct.unpack_from(order + "HHH", head, 58)
    if not offset:
        return (), 0  # a file may do without: then it has no symbols, but code to probe by offset
    if width != _SECTION:
        raise BytecodeError(f"its section headers have {width} bytes, expected {_SECTION}")
    if not count or names == 0xFFFF:  # more than the header can say: the first section header does
        first = struct.unpack_from(order + "IIQQQQIIQQ", _table(reader, offset, _SECTION, "the first section header"))
        count, names = count or first[5], first[6] if names == 0xFFFF else names
    if count > limits.sections:
        raise BytecodeError(f"it has {count} sections, expected at most {limits.sections}")
    data = _table(reader, offset, count * width, "the section headers")
    rows = struct.iter_unpack(order + "IIQQQQIIQQ", data)
    return tuple(
        Section(name, kind, address, at, size, link, info)
        for name, kind, _, address, at, size, link, info, _, _ in rows
    ), names


def _table(reader: Reader, offset: int, size: int, what: str) -> bytes:
    data = reader(offset, size) if offset < 1 << 63 else b""
    if len(data) != size:
        raise BytecodeError(f"{what} should be {size} bytes at byte {offset}, but the file ends before")
    return data
