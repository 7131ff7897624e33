"""Functions by name: of the dynamic symbol table and of the full one, with their versions."""

from __future__ import annotations

import struct

from bpfimg._value import value
from bpfimg.bytecode._executable._file import SHT_DYNSYM, SHT_SYMTAB
from bpfimg.bytecode._executable._versions import versions
from bpfimg.errors import BytecodeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bpfimg.bytecode._executable._file import Executable, Section

_LAYOUT, _SIZE = "IBBHQQ", 24
_CHUNK = 1 << 16
_MANY = 1 << 16  # places: a set of more would take more memory than it saves time
_KINDS = {0: "label", 1: "variable", 2: "function", 10: "ifunc"}
_BINDS = {0: "local", 1: "global", 2: "weak", 10: "global"}


@value(frozen=True, slots=True)
class Symbol:
    """A name of the file. `kind`: function, ifunc (the code only chooses one, when a process starts), variable, label.

    `version` is what stands behind `@` ("" without one), `default` whether a program gets it that asks for none.
    `defined` is false for what another library has to bring.
    """

    name: str
    version: str
    default: bool
    address: int
    size: int
    kind: str
    bind: str
    defined: bool

    @property
    def full(self) -> str:
        """The name with its version, as binutils write it: `malloc@@GLIBC_2.2.5`."""
        if not self.version:
            return self.name
        return f"{self.name}{'@@' if self.default else '@'}{self.version}"


def named(file: Executable, name: str) -> tuple[Symbol, ...]:
    """Every symbol of that name (`malloc`, `malloc@GLIBC_2.2.5`, `malloc@@GLIBC_2.2.5`), each address once."""
    plain, at, version = name.partition("@")
    version = version.removeprefix("@")
    found: dict[tuple[int, str, bool], Symbol] = {}
    for each in _tables(file):
        strings = _strings(file, each)
        begins = _beginning(strings, plain)
        if begins is None:
            continue
        for symbol in _symbols(file, each, strings, begins):
            if symbol.name == plain and (not at or symbol.version == version):
                found.setdefault((symbol.address, symbol.kind, symbol.defined), symbol)
            if len(found) > file.limits.same_name:
                raise BytecodeError(f"it has more than {file.limits.same_name} symbols of one name")
    return tuple(found.values())


def functions(file: Executable) -> Iterator[Symbol]:
    """Every function that the file has, also those that are local or chosen at start; each name and address once."""
    seen = set()
    for each in _tables(file):
        for symbol in _symbols(file, each, _strings(file, each)):
            if symbol.defined and symbol.name and symbol.kind in ("function", "ifunc"):
                key = symbol.name, symbol.address
                if key not in seen:
                    seen.add(key)
                    yield symbol


def stubs(file: Executable) -> frozenset[tuple[str, int]]:
    """(name, address) of what only leads to a function of another file: the linker's stubs in a fixed executable."""
    return frozenset(
        (symbol.name, symbol.address)
        for each in _tables(file)
        if each.type == SHT_DYNSYM
        for symbol in _symbols(file, each, _strings(file, each))
        if not symbol.defined and symbol.address
    )


def _tables(file: Executable) -> list[Section]:
    # The dynamic table first: it knows versions.
    found = [each for kind in (SHT_DYNSYM, SHT_SYMTAB) for each in file.sections if each.type == kind]
    return found[:4]


def _strings(file: Executable, table: Section) -> bytes:
    if table.link >= len(file.sections):
        raise BytecodeError(f"the names of its symbols should be in section {table.link} of {len(file.sections)}")
    return file.content(file.sections[table.link], "the table of its symbols' names", file.limits.string_bytes)


def _beginning(strings: bytes, name: str) -> Callable[[int], bool] | None:
    """Whether the name begins at a place of the table; None where it is nowhere in it.

    Linkers let a name end inside a longer one, so a place need not be behind a NUL.
    """
    wanted = name.encode("utf-8", "surrogateescape")
    ends = (wanted + b"\0", wanted + b"@")
    count = sum(map(strings.count, ends)) if wanted else 0
    if not count:
        return None
    if count > _MANY:
        return lambda at: strings.startswith(ends, at)
    return {at for end in ends for at in _places(strings, end)}.__contains__


def _places(strings: bytes, text: bytes) -> Iterator[int]:
    at = strings.find(text)
    while at >= 0:
        yield at
        at = strings.find(text, at + 1)


def _symbols(
    file: Executable, table: Section, strings: bytes, wanted: Callable[[int], bool] | None = None
) -> Iterator[Symbol]:
    count = table.size // _SIZE
    if count > file.limits.symbols:
        raise BytecodeError(f"it has {count} symbols, expected at most {file.limits.symbols}")
    known = versions(file, table) if table.type == SHT_DYNSYM else {}
    left = file.limits.string_bytes
    for first in range(0, count, _CHUNK):
        size = min(_CHUNK, count - first) * _SIZE
        rows = file.part(table.offset + first * _SIZE, size, "its symbols")
        for index, row in enumerate(struct.iter_unpack(file.order + _LAYOUT, rows), first):
            if wanted is None or wanted(row[0]):
                symbol = _symbol(file, row, strings, known.get(index))
                if symbol is not None:
                    left -= len(symbol.name)
                    if left < 0:
                        raise BytecodeError("the names of its symbols overlap, and are more than their table")
                    yield symbol


def _symbol(file: Executable, row: tuple[int, ...], strings: bytes, version: tuple[str, bool] | None) -> Symbol | None:
    start, kinds, _, section, address, size = row
    kind, bind = _KINDS.get(kinds & 0xF), _BINDS.get(kinds >> 4)
    end = strings.find(b"\0", start, start + file.limits.name_bytes + 1) if start < len(strings) else -1
    if kind is None or bind is None or end < 0 or (kind == "label" and section and file.file_offset(address) is None):
        return None
    text = strings[start:end].decode("utf-8", "surrogateescape")
    name, at, said = text.partition("@")  # the full table has versions in the names themselves
    if at and name:
        version = said.removeprefix("@"), said.startswith("@")
    word, default = version or ("", True)
    return Symbol(name if at and name else text, word, default, address, size, kind, bind, bool(section))
