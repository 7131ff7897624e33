"""Which instructions the verifier will walk through on a kernel, once CO-RE relocations have their values there.

`if (bpf_core_field_exists(...))` becomes a comparison of numbers, and what is behind it dead code that nobody checks.
So constants are followed through registers and spilled stack slots, paths that meet are joined, and branches on known
numbers go one way. It is an approximation to the safe side: more may be reached here than in the kernel, never less.
Read-only globals have the values that the object gives them; a value of the kernel's configuration is a constant that
nobody here knows: `decide` says which way branches on it go.
"""

from __future__ import annotations

import struct

from bpfimg._value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from bpfimg.btf import Resolution
    from bpfimg.bytecode import Instruction

    Value = int | str | tuple[str, bytes, int] | None
    State = tuple[tuple[Value, ...], Mapping[int, Value]]
    Place = tuple[str, int]
    Parts = tuple[int, int, int, int, int]

_U32, _U64 = 0xFFFF_FFFF, 0xFFFF_FFFF_FFFF_FFFF
_LDX, _ST, _STX, _ALU, _JMP, _JMP32, _ALU64 = 1, 2, 3, 4, 5, 6, 7
_SIZES = {0x00: 4, 0x08: 2, 0x10: 1, 0x18: 8}
_FRAME = 10
_STEPS = 400_000  # for one program
_STEPS_OF_ALL = 2_000_000
_SLOTS = 64
#: what a register may hold beside a number, a place in read-only data, or anything (None)
CONFIGURED, CONFIGURATION, ADDRESS = "configured", "configuration", "address"
_MOV, _NEG, _END = 0xB0, 0x80, 0xD0
_START: State = ((None,) * 11, {})


@value(frozen=True, slots=True, eq=False)
class Facts:
    """What is known of one object on one kernel.

    `functions` gives the instructions of a function by their offsets, `core` what a relocation at (function, offset)
    came to. `known` are the contents of read-only globals, `weak` whether a weak symbol is there: True, False, or None
    where nobody knows. `local`: static functions, whose arguments are followed.
    """

    functions: Callable[[str], Mapping[int, Instruction]]
    core: Callable[[str, int], Resolution | None]
    known: Mapping[str, bytes]
    weak: Mapping[str, bool | None]
    local: frozenset[str]
    byte_order: str


class Code:
    """Walks through the functions of programs as the verifier does; gives up when all walks together take too long."""

    __slots__ = ("_facts", "_left", "_little")

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._left = _STEPS_OF_ALL
        self._little = facts.byte_order == "little"

    def reached(self, program: str, decide: str) -> frozenset[Place] | None:
        """Every (function, offset) that is reached from the program's first instruction; None where it takes too long
        to tell. `decide` is "both", "taken" or "not taken": what branches on the kernel's configuration do."""
        seen: dict[Place, State] = {}
        pending: list[tuple[Place, State]] = [((program, 0), _START)]
        for _ in range(min(_STEPS, self._left)):
            self._left -= 1
            if not pending:
                return frozenset(seen)
            place, state = pending.pop()
            known = seen.get(place)
            joined = state if known is None else _joined(known, state)
            if joined == known:
                continue
            row = self._facts.functions(place[0]).get(place[1])
            if row is not None:
                seen[place] = joined
                pending += self._next(place, row, joined, decide)
        return None

    def _next(self, place: Place, row: Instruction, state: State, decide: str) -> Iterator[tuple[Place, State]]:
        function, offset = place
        found = self._facts.core(function, offset)
        if found is not None and found.outcome in ("unresolved", "refused"):
            return  # an invalid call: nothing comes after it
        if len(row.raw) < 8:
            return
        parts = self._parts(row.raw, found)
        opcode, dst, _src, _distance, _immediate = parts
        after = offset + len(row.raw)
        kind = opcode & 7
        if kind in (_JMP, _JMP32):
            yield from self._jump((function, after), row, state, decide, parts)
        elif kind in (_ALU, _ALU64):
            yield (function, after), _set(state, dst, _arithmetic(parts, state[0]))
        elif kind == _LDX:
            yield (function, after), _set(state, dst, self._load(parts, state))
        elif kind in (_ST, _STX):
            yield (function, after), _stored(parts, state)
        elif opcode == 0x18:
            if row.refers is not None and row.refers[0] == "callback":
                yield (row.refers[1], 0), _START
            number = found.value if found is not None else row.immediate or 0
            yield (function, after), _set(state, dst, self._address(row, number & _U64))
        else:  # the old loads from packets
            yield (function, after), _forgotten(state)

    def _parts(self, raw: bytes, found: Resolution | None) -> Parts:
        """Operation code, registers, offset and number, the last as CO-RE leaves it."""
        opcode, registers, distance, immediate = struct.unpack_from("<BBhi" if self._little else ">BBhi", raw)
        dst, src = (registers & 15, registers >> 4) if self._little else (registers >> 4, registers & 15)
        if found is not None and opcode & 7 in (_ALU, _ALU64):
            immediate = _signed(found.value, 32)
        return opcode, min(dst, _FRAME), min(src, _FRAME), distance, immediate

    def _jump(
        self, after: Place, row: Instruction, state: State, decide: str, parts: Parts
    ) -> Iterator[tuple[Place, State]]:
        function = after[0]
        opcode, dst, src, _distance, immediate = parts
        operation = opcode & 0xF0
        if operation == 0x80:
            if row.refers is not None and row.refers[0] == "function":
                name = row.refers[1]
                given = (None, *state[0][1:6], None, None, None, None, None) if name in self._facts.local else _START[0]
                yield (name, 0), (given, {})
            yield after, _forgotten(state)
        elif operation == 0x90:
            return
        elif row.target is None:  # a jump to where a register says: anywhere
            for offset in self._facts.functions(function):
                yield (function, offset), _START
        elif operation == 0x00:
            yield (function, row.target), state
        else:
            one = state[0][dst]
            other = state[0][src] if opcode & 8 else immediate & _U64
            goes = _compared(operation, one, other, 64 if opcode & 7 == _JMP else 32) if operation != 0xE0 else None
            if goes == CONFIGURED and decide != "both":
                goes = decide == "taken"
            if goes is not False:
                yield (function, row.target), state
            if goes is not True:
                yield after, state

    def _address(self, row: Instruction, number: int) -> Value:
        if row.refers is None:
            return number
        kind, name = row.refers
        if kind == "global" and name in self._facts.known:
            beyond = int(row.note[1:], 16) if row.note.startswith("+0x") else 0
            return "read-only", self._facts.known[name], beyond
        if kind == "kconfig":
            return CONFIGURATION
        if kind in ("kfunc", "ksym") and name in self._facts.weak:
            there = self._facts.weak[name]
            return CONFIGURED if there is None else ADDRESS if there else 0
        return ADDRESS

    def _load(self, parts: Parts, state: State) -> Value:
        opcode, _dst, src, distance, _immediate = parts
        base, size = state[0][src], _SIZES[opcode & 0x18]
        if opcode & 0xE0 != 0x60:
            return None
        if src == _FRAME:
            return state[1].get(distance) if size == 8 else None
        if base == CONFIGURATION:
            return CONFIGURED
        if isinstance(base, tuple):
            content = base[1][base[2] + distance : base[2] + distance + size] if base[2] + distance >= 0 else b""
            return int.from_bytes(content, "little" if self._little else "big") if content else None
        return None


def _set(state: State, register: int, value: Value) -> State:
    registers, slots = state
    return (*registers[:register], value, *registers[register + 1 :]), slots


def _forgotten(state: State) -> State:
    """After a call: its result is anything, and it may have written to the stack."""
    return (None,) * 6 + state[0][6:], {}


def _joined(one: State, other: State) -> State:
    registers = tuple(a if a == b else None for a, b in zip(one[0], other[0], strict=True))
    return registers, {slot: value for slot, value in one[1].items() if other[1].get(slot) == value}


def _stored(parts: Parts, state: State) -> State:
    opcode, dst, src, distance, immediate = parts
    registers, slots = state
    if opcode & 0xE0 == 0xC0:  # atomic: the old value comes back in a register
        registers = (None, *registers[1:])
        return _set((registers, {}), src, None)
    if dst != _FRAME:
        return registers, {}
    size = _SIZES[opcode & 0x18]
    kept = {slot: value for slot, value in slots.items() if slot + 8 <= distance or slot >= distance + size}
    if size == 8 and len(kept) < _SLOTS:
        kept[distance] = registers[src] if opcode & 7 == _STX else immediate & _U64
    return registers, kept


def _signed(number: int, bits: int) -> int:
    number &= (1 << bits) - 1
    return number - (1 << bits) if number >> bits - 1 else number


def _arithmetic(parts: Parts, registers: tuple[Value, ...]) -> Value:
    opcode, dst, src, distance, immediate = parts
    operation, wide = opcode & 0xF0, opcode & 7 == _ALU64
    mask = _U64 if wide else _U32
    other: Value = registers[src] if opcode & 8 else immediate & _U64
    if operation == _MOV and not distance:
        return other if wide or not isinstance(other, int) else other & _U32
    one = registers[dst]
    if isinstance(one, tuple) and isinstance(other, int) and operation == 0x00 and wide:
        return one[0], one[1], one[2] + _signed(other, 64)
    if distance or operation in (_NEG, _END):
        return CONFIGURED if one == CONFIGURED else None
    if not isinstance(one, int) or not isinstance(other, int):
        fixed = all(value == CONFIGURED or isinstance(value, int) for value in (one, other))
        return CONFIGURED if fixed else None
    found = _calculated(operation, one & mask, other & mask, 64 if wide else 32)
    return None if found is None else found & mask


def _calculated(operation: int, one: int, other: int, bits: int) -> int | None:
    shift = other & bits - 1
    results = {
        0x00: one + other,
        0x10: one - other,
        0x20: one * other,
        0x30: one // other if other else 0,
        0x40: one | other,
        0x50: one & other,
        0x60: one << shift,
        0x70: one >> shift,
        0x90: one % other if other else one,
        0xA0: one ^ other,
        0xC0: _signed(one, bits) >> shift,
    }
    return results.get(operation)


def _compared(operation: int, one: Value, other: Value, bits: int) -> bool | str | None:
    """Whether the branch is taken; CONFIGURED where the configuration decides, None where only the run does."""
    if operation in (0x10, 0x50) and ADDRESS in (one, other) and 0 in (one, other):
        return operation == 0x50
    if not isinstance(one, int) or not isinstance(other, int):
        fixed = all(value == CONFIGURED or isinstance(value, int) for value in (one, other))
        return CONFIGURED if fixed else None
    mask = (1 << bits) - 1
    one, other = one & mask, other & mask
    less, equal = one < other, one == other
    signed = _signed(one, bits) < _signed(other, bits)
    results = {
        0x10: equal,
        0x20: not less and not equal,
        0x30: not less,
        0x40: bool(one & other),
        0x50: not equal,
        0x60: not signed and not equal,
        0x70: not signed,
        0xA0: less,
        0xB0: less or equal,
        0xC0: signed,
        0xD0: signed or equal,
    }
    return results.get(operation)
