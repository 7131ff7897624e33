"""Where the functions of an object are in a program that libbpf has put together: behind the program itself.

libbpf appends each function that is called, in an order of its own, and writes distances into the calls (`libbpf.c`:
`bpf_object__reloc_code`). So the calls of the object and those of the program are followed side by side.
"""

from __future__ import annotations

import struct
from bisect import bisect_left

from bpfimg.bytecode._code import References
from bpfimg.bytecode._functions import INSTRUCTION_SIZE, functions
from bpfimg.bytecode._header import prefix
from bpfimg.bytecode._limits import Limits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.bytecode._functions import Function
    from bpfimg.bytecode._parse import Dissection

_CALL, _LOAD_IMM64 = 0x85, 0x18
_FUNCTION_CALL, _FUNCTION_ADDRESS = 1, 4  # source register of a call, of a 64-bit load


def referred(insns: bytes, byte_order: str) -> Iterator[tuple[int, int]]:
    """(place, place of the function) of each call, or load of the address, of a function of the same program."""
    operations, source = insns[::INSTRUCTION_SIZE], 4 if byte_order == "little" else 0
    imm_at = struct.Struct(prefix(byte_order) + "i").unpack_from
    for operation, wanted in ((_CALL, _FUNCTION_CALL), (_LOAD_IMM64, _FUNCTION_ADDRESS)):
        at = operations.find(operation)
        while at >= 0:
            if insns[at * INSTRUCTION_SIZE + 1] >> source & 0xF == wanted:
                yield at, at + 1 + imm_at(insns, at * INSTRUCTION_SIZE + 4)[0]
            at = operations.find(operation, at + 1)


def linked(dissection: Dissection, program: str, insns: bytes) -> tuple[tuple[int, Function | None], ...]:
    """(place, function of the object that stands there) of each function in `insns`, in order; the first is the program
    itself. None: the object has no function that this could be. Places count instructions."""
    elf = dissection.elf
    found = functions(elf, Limits())
    kfuncs = frozenset(extern.name for extern in dissection.object.externs if extern.kind == "kfunc")
    references = References(elf, found, kfuncs)
    targets = dict(referred(insns, elf.byte_order))
    main = next((each for each in found if each.program and each.name == program), None)
    callers = sorted(targets)
    known: dict[int, Function | None] = dict.fromkeys((0, *targets.values()))
    waiting = [(0, main)]
    sections: dict[int, tuple[bytes, dict[int, int]]] = {}
    while waiting:
        place, function = waiting.pop()
        if function is None or known.get(place) is not None:
            continue
        known[place] = function
        section = function.section
        if section.index not in sections:
            symbols = {offset: symbol for offset, symbol, _ in elf.relocations(section.index)}
            sections[section.index] = section.content, symbols
        content, symbols = sections[section.index]
        length = (function.end - function.start) // INSTRUCTION_SIZE
        for at in callers[bisect_left(callers, place) : bisect_left(callers, place + length)]:
            where = function.start + (at - place) * INSTRUCTION_SIZE
            waiting.append((targets[at], _function(references, function, content, symbols, where)))
    return tuple(sorted(known.items()))


def _function(
    references: References, caller: Function, content: bytes, symbols: dict[int, int], where: int
) -> Function | None:
    """The function that the instruction at byte `where` of the caller's section calls or loads."""
    elf = references.elf
    (imm,) = struct.unpack_from(prefix(elf.byte_order) + "i", content, where + 4)
    symbol = symbols.get(where)
    if symbol is None:
        return references.function(caller.section.index, where + (imm + 1) * INSTRUCTION_SIZE)
    if content[where] == _CALL:
        called = references.called(elf.table[symbol], imm)
        return None if isinstance(called, str) else called
    loaded = references.loaded(elf.table[symbol], imm)
    return None if loaded is None or isinstance(loaded[1], str) else loaded[1]
