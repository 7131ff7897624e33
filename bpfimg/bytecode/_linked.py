"""What an object says of a program that libbpf has put together: where its functions and source lines are in that.

libbpf appends each function that is called, in an order of its own, and writes distances into the calls (`libbpf.c`:
`bpf_object__reloc_code`). So the calls of the object and those of the program are followed side by side. It runs at
many a load, so only a part of the object is read.
"""

from __future__ import annotations

import struct
from bisect import bisect_left

from bpfimg._value import value
from bpfimg.btf import read_ext
from bpfimg.bytecode._elf import SHN_UNDEF, read
from bpfimg.bytecode._functions import INSTRUCTION_SIZE, functions
from bpfimg.bytecode._header import prefix
from bpfimg.bytecode._limits import Limits
from bpfimg.errors import BytecodeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bpfimg.btf import Ext
    from bpfimg.bytecode._elf import ElfObject
    from bpfimg.bytecode._functions import Function

_CALL, _LOAD_IMM64 = 0x85, 0x18
_FUNCTION_CALL, _FUNCTION_ADDRESS = 1, 4  # source register of a call, of a 64-bit load
_BTF_HEADER = 24
_LICENSE_MAX = 128  # the kernel reads no more


@value(frozen=True, slots=True, eq=False)
class Linked:
    """`functions` are (place, function of the object that stands there) in order, the first is the program itself;
    None: the object has none that this could be. Places count instructions. `kfuncs` are the names of functions that
    they call and the object does not have, sorted; `license` is what the object says."""

    functions: tuple[tuple[int, Function | None], ...]
    kfuncs: tuple[str, ...]
    license: str
    ext: Ext | None

    @staticmethod
    def read(data: bytes, program: str, insns: bytes) -> Linked:
        """What the object in `data` says of a program of it, whose instructions are `insns` now; `BytecodeError`."""
        limits = Limits()
        elf = read(data, limits)
        types, beside = elf.content(".BTF"), elf.content(".BTF.ext")
        ext = None
        if types and beside:
            ext = read_ext(beside, elf.byte_order, _Strings(types, elf.byte_order), limits.for_btf)
        found, kfuncs = _Walk(elf, functions(elf, limits)).walked(program, insns)
        license, _, _ = elf.content("license")[:_LICENSE_MAX].partition(b"\0")
        return Linked(tuple(sorted(found.items())), tuple(sorted(kfuncs)), license.decode("ascii", "replace"), ext)

    def types(self) -> tuple[int, ...]:
        """The ids of the FUNCs in the object's BTF, in the order of `functions`; 0 where there is none."""
        known = {section: dict(rows) for section, rows in self.ext.functions.items()} if self.ext else {}
        return tuple(known.get(each.section.name, {}).get(each.start, 0) if each else 0 for _, each in self.functions)

    def lines(self, byte_order: str) -> bytes:
        """The source lines as an array of struct bpf_line_info, by places in the program."""
        if self.ext is None:
            return b""
        row = struct.Struct(prefix(byte_order) + "IIII")
        sections = {each.section.name for _, each in self.functions if each}
        rows = {section: tuple(self.ext.rows(section)) for section in sections}
        found = bytearray()
        for place, each in self.functions:
            if each is not None:
                every = rows[each.section.name]
                for offset, *rest in every[bisect_left(every, (each.start,)) : bisect_left(every, (each.end,))]:
                    found += row.pack(place + (offset - each.start) // INSTRUCTION_SIZE, *rest)
        return bytes(found)


class _Strings:
    """The strings of a BTF, whose types are not looked at: that would take as long as all the rest."""

    def __init__(self, data: bytes, byte_order: str) -> None:
        header, *_, start, size = struct.unpack_from(prefix(byte_order) + "IIIII", data.ljust(_BTF_HEADER, b"\0"), 4)
        self._strings = data[header + start : header + start + size]

    def string(self, offset: int) -> str:
        end = self._strings.find(b"\0", offset)
        if end < 0:
            raise BytecodeError(f"section .BTF has no string at byte {offset} of {len(self._strings)}")
        return self._strings[offset:end].decode(errors="replace")


class _Walk:
    """Follows calls in an object and in what was made of it."""

    def __init__(self, elf: ElfObject, every: Sequence[Function]) -> None:
        self._elf, self._every = elf, every
        self._starts = {(each.section.index, each.start): each for each in every}
        self._sections: dict[int, tuple[bytes, Mapping[int, int]]] = {}

    def walked(self, program: str, insns: bytes) -> tuple[dict[int, Function | None], set[str]]:
        """Place -> function there; and the names of functions that are called and not there."""
        targets = dict(_referred(insns, self._elf.byte_order))
        callers = sorted(targets)
        main = next((each for each in self._every if each.program and each.name == program), None)
        known: dict[int, Function | None] = dict.fromkeys((0, *targets.values()))
        outside: set[str] = set()
        waiting = [(0, main)]
        while waiting:
            place, function = waiting.pop()
            if function is None or known.get(place) is not None:
                continue
            known[place] = function
            outside.update(self._outside(function))
            length = (function.end - function.start) // INSTRUCTION_SIZE
            for at in callers[bisect_left(callers, place) : bisect_left(callers, place + length)]:
                where = function.start + (at - place) * INSTRUCTION_SIZE
                waiting.append((targets[at], self._target(function, where)))
        return known, outside

    def _section(self, function: Function) -> tuple[bytes, Mapping[int, int]]:
        """The content of its section, and by offset the symbols of relocations there."""
        section = function.section
        if section.index not in self._sections:
            symbols = {offset: symbol for offset, symbol, _ in self._elf.relocations(section.index)}
            self._sections[section.index] = section.content, symbols
        return self._sections[section.index]

    def _outside(self, function: Function) -> Iterator[str]:
        content, symbols = self._section(function)
        for offset, number in symbols.items():
            if function.start <= offset < function.end and content[offset] == _CALL:
                symbol = self._elf.table[number]
                if symbol.section == SHN_UNDEF and symbol.name:
                    yield symbol.name

    def _target(self, caller: Function, where: int) -> Function | None:
        """The function that the instruction at byte `where` of the caller's section calls or loads."""
        content, symbols = self._section(caller)
        (imm,) = struct.unpack_from(prefix(self._elf.byte_order) + "i", content, where + 4)
        if where not in symbols:
            return self._starts.get((caller.section.index, where + (imm + 1) * INSTRUCTION_SIZE))
        symbol = self._elf.table[symbols[where]]
        beyond = (imm + 1) * INSTRUCTION_SIZE if content[where] == _CALL else imm
        return self._starts.get((symbol.section, symbol.value + (beyond if symbol.of_section else 0)))


def _referred(insns: bytes, byte_order: str) -> Iterator[tuple[int, int]]:
    """(place, place of the function) of each call, or load of the address, of a function of the same program."""
    operations, source = insns[::INSTRUCTION_SIZE], 4 if byte_order == "little" else 0
    imm_at = struct.Struct(prefix(byte_order) + "i").unpack_from
    for operation, wanted in ((_CALL, _FUNCTION_CALL), (_LOAD_IMM64, _FUNCTION_ADDRESS)):
        at = operations.find(operation)
        while at >= 0:
            if insns[at * INSTRUCTION_SIZE + 1] >> source & 0xF == wanted:
                yield at, at + 1 + imm_at(insns, at * INSTRUCTION_SIZE + 4)[0]
            at = operations.find(operation, at + 1)
