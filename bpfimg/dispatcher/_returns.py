"""Which results a program can have, told from its code: for a chain in which nothing else could be seen.

Follows the constants that registers can hold through the first function, along every jump. Only the lower 32 bits are
followed: results have no more. What comes from memory, the kernel or other functions is unknown, and so is everything
where that would reach r0 at an exit.
"""

from __future__ import annotations

import struct
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Known = frozenset[int] | None  # None: anything
    State = tuple[Known, ...]

_REGISTERS = 11
_FEW = 5  # bits
_MAX_KNOWN = 1 << _FEW  # constants in one register
_MAX_VISITS = 64  # of one instruction, times their number: then it is given up
_LITTLE = sys.byteorder == "little"
_WORD = 0xFFFF_FFFF

_LOAD_IMMEDIATE, _CALL, _EXIT, _JUMP, _JUMP_32 = 0x18, 0x85, 0x95, 0x05, 0x06
_JUMP_REGISTER, _CALL_REGISTER = 0x0D, 0x8D
_CLASS, _LDX, _ALU, _JMP, _JMP32, _ALU64 = 0x07, 0x01, 0x04, 0x05, 0x06, 0x07
_LD, _STX = 0x00, 0x03
_TAIL_CALL, _KFUNC = 12, 2  # a function's number; what stands for a source register in a call of a kfunc
_MODE, _ATOMIC = 0xE0, 0xC0
_EQUAL, _NOT_EQUAL = 0x10, 0x50


def returns(insns: bytes, functions: Sequence[tuple[int, int]] = ()) -> tuple[int, ...] | None:
    """The results that the first function of a program can have, signed, in order; None where that cannot be told.

    `functions` are (place, id of the FUNC) of the functions in `insns`, as `Code` has them; without, all is one.
    """
    end = min((place for place, _ in functions if place), default=len(insns) // 8)
    code = [_decoded(insns, at) for at in range(end)]
    if any(_decoded(insns, at)[:3:2] == (_CALL, _KFUNC) for at in range(len(insns) // 8)):
        return None  # it may be bpf_throw, which ends the program from wherever it is called
    states: dict[int, State] = {0: (None,) * _REGISTERS}
    found: set[int] = set()
    waiting, budget = [0], _MAX_VISITS * end
    while waiting:
        at = waiting.pop()
        budget -= 1
        operation = code[at][0]
        if budget < 0 or _leaves_sight(code[at]):
            return None
        if operation == _EXIT:
            results = states[at][0]
            if results is None:
                return None
            found |= results
            continue
        for following, state in _steps(code[at], at, states[at]):
            if not 0 <= following < end:
                return None
            merged = _merged(states.get(following), state)
            if merged != states.get(following):
                states[following] = merged
                waiting.append(following)
    return tuple(sorted(each - (1 << 32) if each >> 31 else each for each in found))


def _leaves_sight(insn: tuple[int, int, int, int, int]) -> bool:
    """Jumps to a register's place; programs that another one's result may come from; loads of packets as of old, which
    return 0 behind the end."""
    code, _, source, _, immediate = insn
    if code in (_JUMP_REGISTER, _CALL_REGISTER):
        return True
    return (code, source, immediate) == (_CALL, 0, _TAIL_CALL) or (code & _CLASS == _LD and code != _LOAD_IMMEDIATE)


def _decoded(insns: bytes, at: int) -> tuple[int, int, int, int, int]:
    code, registers, offset, immediate = struct.unpack_from("=BBhi", insns, 8 * at)
    low, high = registers & 15, registers >> 4
    return (code, low, high, offset, immediate) if _LITTLE else (code, high, low, offset, immediate)


def _steps(insn: tuple[int, int, int, int, int], at: int, state: State) -> Iterator[tuple[int, State]]:
    """Where an instruction leads, and what is known there."""
    code, to, source, offset, immediate = insn
    kind = code & _CLASS
    if code == _LOAD_IMMEDIATE:
        yield at + 2, _with(state, to, None if source else frozenset({immediate & _WORD}))
    elif code == _CALL:
        yield at + 1, (None,) * 6 + state[6:]
    elif code in (_JUMP, _JUMP_32):
        yield at + 1 + (offset if code == _JUMP else immediate), state
    elif kind in (_JMP, _JMP32):
        yield from _branches(insn, at, state)
    elif kind in (_ALU, _ALU64):
        yield at + 1, _with(state, to, _calculated(insn, state))
    elif kind == _LDX:
        yield at + 1, _with(state, to, None)
    elif kind == _STX and code & _MODE == _ATOMIC:  # some put a value back, into one of these
        yield at + 1, _with(_with(_with(state, source, None), to, None), 0, None)
    else:
        yield at + 1, state


def _branches(insn: tuple[int, int, int, int, int], at: int, state: State) -> Iterator[tuple[int, State]]:
    code, to, _, offset, immediate = insn
    here, there = state, state
    operation, by_register = code & 0xF0, code & 8
    if not by_register and operation in (_EQUAL, _NOT_EQUAL):
        number, known = immediate & _WORD, state[to]
        same = _with(state, to, frozenset({number}))
        # of 64 bits that differ, the lower 32 may be the same
        other = _with(state, to, known - {number}) if known is not None and code & _CLASS == _JMP32 else state
        here, there = (other, same) if operation == _EQUAL else (same, other)
    yield at + 1, here
    yield at + 1 + offset, there


def _calculated(insn: tuple[int, int, int, int, int], state: State) -> Known:
    code, to, source, offset, immediate = insn
    other = state[source] if code & 8 else frozenset({immediate & _WORD})
    operation = code & 0xF0
    if operation == 0xB0:  # move; with an offset it extends a sign
        return other if not offset else None
    function = _LOW.get(operation)
    mine = state[to]
    if mine is None and not code & 8:
        return _few(operation, immediate, 64 if code & _CLASS == _ALU64 else 32)
    if function is None or mine is None or other is None or len(mine) * len(other) > _MAX_KNOWN:
        return None
    return frozenset(function(a, b) & _WORD for a in mine for b in other)


def _few(operation: int, number: int, width: int) -> Known:
    """What a mask, or a shift to the right, leaves of anything, where that is a few bits: as compilers put a choice."""
    bits = [1 << bit for bit in range(32) if number >> bit & 1] if operation == 0x50 else []
    if operation == 0x70 and width - _FEW <= number < width:
        bits = [1 << bit for bit in range(width - number)]
    if not 0 < len(bits) <= _FEW:
        return None
    found = {0}
    for bit in bits:
        found |= {each | bit for each in found}
    return frozenset(found)


#: operations whose lower 32 bits depend on nothing else, of 32 bits and of 64 alike
_LOW = {
    0x00: lambda a, b: a + b,
    0x10: lambda a, b: a - b,
    0x20: lambda a, b: a * b,
    0x40: lambda a, b: a | b,
    0x50: lambda a, b: a & b,
    0xA0: lambda a, b: a ^ b,
}


def _with(state: State, register: int, known: Known) -> State:
    return (*state[:register], known, *state[register + 1 :]) if register < _REGISTERS else state


def _merged(old: State | None, new: State) -> State:
    if old is None:
        return new
    return tuple(_either(a, b) for a, b in zip(old, new, strict=True))


def _either(one: Known, other: Known) -> Known:
    if one is None or other is None or len(one | other) > _MAX_KNOWN:
        return None
    return one | other
