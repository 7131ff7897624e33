"""What is known of single instructions: which can be moved into another function, and how the frame moves.

The encoding is RFC 9669; what came after it is in the kernel's `Documentation/bpf/standardization`.
"""

from __future__ import annotations

from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_STACK = 512
FRAME = 10
EXIT, JA, GOTOL, CALL = 0x95, 0x05, 0x06, 0x85
_LD, _LDX, _ST, _STX, _ALU, _JMP, _JMP32, _ALU64 = range(8)
_LD_IMM64, _MAY_GOTO = 0x18, 0xE5
_MOV64, _MOV64_IMMEDIATE, _ADD64, _ADD64_IMMEDIATE, _SUB64 = 0xBF, 0xB7, 0x0F, 0x07, 0x1F
_MEM, _MEMSX, _ATOMIC, _DOUBLE = 0x60, 0x80, 0xC0, 0x18
_LOAD_ACQUIRE = 0x100
_TO_FUNCTION, _FUNCTION = 1, 4  # source register of a call, and of a load of an address
_TAIL_CALL = 12
_CONDITIONS = frozenset(range(0x10, 0x80, 0x10)) | frozenset(range(0xA0, 0xE0, 0x10))
_BY_CALLS = 0b111111  # r0 to r5


class Row(NamedTuple):
    """Eight bytes of code."""

    opcode: int
    dst: int
    src: int
    offset: int
    immediate: int


def heads(rows: Sequence[Row]) -> tuple[int, ...]:
    """The places where instructions begin: not the second rows of 64-bit loads."""
    found = []
    at = 0
    while at < len(rows):
        found.append(at)
        at += 1 + is_wide(rows[at])
    return tuple(found)


def is_wide(row: Row) -> bool:
    """Whether it is the first row of a 64-bit load."""
    return row.opcode == _LD_IMM64


def names_function(row: Row) -> bool:
    """Whether its immediate says where a function is, relative to the next row."""
    return (row.opcode == CALL and row.src == _TO_FUNCTION) or (row.opcode == _LD_IMM64 and row.src == _FUNCTION)


def is_jump(row: Row) -> bool:
    """Whether it may go on elsewhere in the function."""
    return row.opcode in (JA, GOTOL) or (row.opcode & 7 in (_JMP, _JMP32) and row.opcode & 0xF0 in _CONDITIONS)


def target(row: Row, at: int) -> int:
    """Where a jump at that place goes."""
    return at + 1 + (row.immediate if row.opcode == GOTOL else row.offset)


def goes_nowhere(row: Row) -> bool:
    """Whether the row behind it is reached by jumps only."""
    return row.opcode in (EXIT, JA, GOTOL)


def refused(row: Row) -> str:
    """Why this instruction cannot be moved; "" when it can."""
    kind = row.opcode & 7
    if kind == _LD:
        return "" if is_wide(row) else "it loads from the packet by LD_ABS or LD_IND, which can end the program"
    if kind in (_LDX, _ST, _STX):
        return _refused_access(row)
    if kind in (_ALU, _ALU64):
        by_register = row.opcode & 8 and row.opcode & 0xF0 != 0xD0
        known = row.opcode in (_MOV64, _ADD64, _SUB64) and not row.offset
        return "it computes with the frame pointer" if by_register and row.src == FRAME and not known else ""
    if row.opcode == CALL:
        return "it makes tail calls" if (row.src, row.immediate) == (0, _TAIL_CALL) else ""
    if row.opcode == _MAY_GOTO:
        return "it has loops by may_goto, which a function counts once for all"
    if row.opcode == EXIT:
        return ""
    if not is_jump(row):
        return f"it has an instruction that is not known here, operation code {row.opcode:#04x}"
    return "it compares the frame pointer" if FRAME in _operands(row) else ""


def _refused_access(row: Row) -> str:
    kind, mode = row.opcode & 7, row.opcode & 0xE0
    unknown = f"it has an instruction that is not known here, operation code {row.opcode:#04x}"
    if kind == _STX and mode == _ATOMIC:
        operand = row.dst if row.immediate == _LOAD_ACQUIRE else row.src
        return "it has an atomic operation with the frame pointer" if operand == FRAME else ""
    if mode != _MEM and (kind, mode) != (_LDX, _MEMSX):
        return unknown
    stored = kind == _STX and row.src == FRAME
    return "it stores a part of the frame pointer" if stored and row.opcode & _DOUBLE != _DOUBLE else ""


def base(row: Row) -> int | None:
    """The register that the address of a load or store is made of; None for what is neither."""
    kind = row.opcode & 7
    if kind == _STX and row.opcode & 0xE0 == _ATOMIC:
        return row.src if row.immediate == _LOAD_ACQUIRE else row.dst
    return {_LDX: row.src, _ST: row.dst, _STX: row.dst}.get(kind)


def stack(rows: Sequence[Row], heads: Sequence[int]) -> int:
    """How deep its instructions reach below r10 by name: in loads and stores, and in what is added to a copy of it."""
    deepest = 0
    for at in heads:
        if base(rows[at]) == FRAME:
            deepest = min(deepest, rows[at].offset)
        elif _copied(rows, at):
            deepest = min(deepest, rows[at + 1].immediate)
    return -deepest


def touched(rows: Sequence[Row], heads: Sequence[int]) -> int:
    """A bit for each register that is read or written, and for those that a call takes or clobbers."""
    bits = clobbered(rows, heads)
    for at in heads:
        for register in _operands(rows[at]):
            bits |= 1 << register
    return bits


def clobbered(rows: Sequence[Row], heads: Sequence[int]) -> int:
    """A bit for each register that may hold something else behind it: r0, what is written, what a call clobbers."""
    bits = 1
    for at in heads:
        row = rows[at]
        kind = row.opcode & 7
        if row.opcode == CALL:
            bits |= _BY_CALLS
        elif kind in (_LD, _LDX, _ALU, _ALU64):
            bits |= 1 << row.dst
        elif kind == _STX and row.opcode & 0xE0 == _ATOMIC:  # some put a value back, into one of these
            bits |= 1 << row.dst | 1 << row.src
    return bits & ~(1 << FRAME)


def _operands(row: Row) -> tuple[int, ...]:
    kind = row.opcode & 7
    if row.opcode in (CALL, EXIT, JA, GOTOL):
        return ()
    if kind == _LD:
        return (row.dst,)
    if kind in (_LDX, _STX):
        return row.dst, row.src
    by_register = row.opcode & 8 and kind != _ST and row.opcode & 0xF0 != 0xD0
    return (row.dst, row.src) if by_register else (row.dst,)


def shifted(
    rows: Sequence[Row], heads: Sequence[int], slot: int, scratch: int | None
) -> Mapping[int, tuple[Row, ...]] | str:
    """What stands for the rows that use r10, once the frame is `slot` bytes lower; or why that is not to be had.

    `scratch` is a register that nothing else uses.
    """
    if not slot:
        return {}
    made: dict[int, tuple[Row, ...]] = {}
    targets = {target(rows[at], at) for at in heads if is_jump(rows[at])}
    for at in heads:
        row = rows[at]
        lower = row._replace(offset=row.offset - slot) if base(row) == FRAME else row
        if row.opcode & 7 == _STX and row.opcode & 0xE0 == _MEM and row.src == FRAME:
            if scratch is None:
                return "it stores the frame pointer, and uses all of r6 to r9"
            copy = Row(_MOV64, scratch, FRAME, 0, 0), Row(_ADD64_IMMEDIATE, scratch, 0, 0, -slot)
            made[at] = (*copy, lower._replace(src=scratch))
        elif lower is not row:
            made[at] = (lower,)
        elif row.opcode in (_MOV64, _ADD64, _SUB64) and row.src == FRAME:
            if _copied(rows, at) and at + 1 not in targets:
                made[at + 1] = (rows[at + 1]._replace(immediate=rows[at + 1].immediate - slot),)
            else:
                made[at] = (row, Row(_ADD64_IMMEDIATE, row.dst, 0, 0, slot if row.opcode == _SUB64 else -slot))
    return made


def _copied(rows: Sequence[Row], at: int) -> bool:
    """Whether r10 is copied there and the next row adds a number to the copy: how compilers write an address."""
    if rows[at].opcode != _MOV64 or rows[at].src != FRAME or at + 1 >= len(rows):
        return False
    after = rows[at + 1]
    return after.opcode == _ADD64_IMMEDIATE and after.dst == rows[at].dst and after.immediate <= 0
