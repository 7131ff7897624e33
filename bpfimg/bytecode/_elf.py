"""Sections and symbols of an object: the only user of pyelftools, which sees no file that `_tables` has not checked."""

from __future__ import annotations

from dataclasses import dataclass

from bpfimg.bytecode import _tables
from bpfimg.bytecode._header import check_header
from bpfimg.bytecode._text import checked
from bpfimg.errors import BytecodeError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from bpfimg.bytecode._limits import Limits

_SHF_EXECINSTR = 4


@dataclass(frozen=True, slots=True)
class Section:
    """Code or data. `content` is empty where the file holds none (`zeros`: .bss)."""

    index: int
    name: str
    size: int
    content: bytes
    executable: bool
    zeros: bool


@dataclass(frozen=True, slots=True)
class Symbol:
    """A defined, named symbol; `section` is the index of its section, `value` the offset in it, in bytes."""

    name: str
    kind: str  # STT_FUNC, STT_OBJECT, ...
    local: bool
    section: int
    value: int
    size: int


@dataclass(frozen=True, slots=True)
class ElfObject:
    byte_order: str
    sections: tuple[Section, ...]
    symbols: tuple[Symbol, ...]

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


def read(data: bytes, limits: Limits) -> ElfObject:
    """The code and data sections and the symbols; `BytecodeError` for anything that is not a sound eBPF object."""
    byte_order = check_header(data)
    wanted = _tables.check(data, byte_order, limits)

    import struct
    from io import BytesIO

    from elftools.common.exceptions import ELFError
    from elftools.construct import ConstructError
    from elftools.elf.elffile import ELFFile

    try:
        elf = ELFFile(BytesIO(data))
        found: list[Any] = [elf.get_section(index) for index in wanted]
        table = found.pop()
        sections = tuple(_section(index, section, data) for index, section in zip(wanted, found, strict=False))
        symbols = tuple(_symbol(symbol) for symbol in table.iter_symbols() if _defined(symbol))
    except (ELFError, ConstructError, struct.error, LookupError, ValueError, TypeError, AttributeError) as error:
        raise BytecodeError(f"the ELF file cannot be read: {quoted(str(error))}") from error
    return ElfObject(byte_order, sections, symbols)


# What pyelftools returns becomes ours in `read` and the three functions below, nowhere else: hence `Any`.


def _section(index: int, section: Any, data: bytes) -> Section:
    header = section.header
    offset, size = int(header["sh_offset"]), int(header["sh_size"])
    zeros = header["sh_type"] == "SHT_NOBITS"
    return Section(
        index=index,
        name=checked(str(section.name), f"section {index}"),
        size=size,
        content=b"" if zeros else data[offset : offset + size],
        executable=bool(int(header["sh_flags"]) & _SHF_EXECINSTR),
        zeros=zeros,
    )


def _defined(symbol: Any) -> bool:
    """Not undefined, not absolute: the library gives those section "indexes" as words."""
    return isinstance(symbol["st_shndx"], int) and bool(symbol.name)


def _symbol(symbol: Any) -> Symbol:
    entry = symbol.entry
    return Symbol(
        name=str(symbol.name),
        kind=str(entry["st_info"]["type"]),
        local=entry["st_info"]["bind"] == "STB_LOCAL",
        section=int(entry["st_shndx"]),
        value=int(entry["st_value"]),
        size=int(entry["st_size"]),
    )
