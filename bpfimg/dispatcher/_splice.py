"""The main function of a program, rewritten to stand inside another function.

An `exit` becomes a jump to the end of what is spliced in, where the mask of the member is tested, with the result in
r0. The eight bytes below r10 belong to the function around it, which keeps the context there: so the member's frame
begins eight bytes lower. Calls and references of functions are relative, and are left to who puts it all together.

What changes its meaning inside another function is not rewritten but named: the caller then calls the member. What
only the verifier can see (too much stack behind a pointer, too many instructions in all) is left to it.
"""

from __future__ import annotations

import struct
import sys

from bpfimg._value import value
from bpfimg.dispatcher import _splice_rules as rules
from bpfimg.dispatcher._splice_rules import Row

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bpfimg.load import members

#: the bytes below r10 that belong to the function around
SLOT = 8
_ROW = struct.Struct("=BBhi")
_LOW, _HIGH = (0, 4) if sys.byteorder == "little" else (4, 0)
_SHORT = range(-(1 << 15), 1 << 15)


@value(frozen=True, slots=True)
class Spliced:
    """A main function that falls out of its end, with the result in r0 and the other registers clobbered.

    `places` has the new place of each of its old instructions, and of the end behind them: an `exit` for which nothing
    stands any more is at the end, so two may share a place. `calls` are (new place of a call or of a load of a
    function's address, old place of that function); their immediates are as they were. `stack` is how many bytes of
    the frame its instructions name, with the slot if there are any. `touched` has a bit for each register that it
    reads or writes, or that a call takes or clobbers; `clobbered` for those that may hold something else behind it.
    """

    insns: bytes
    places: tuple[int, ...]
    calls: tuple[tuple[int, int], ...]
    stack: int = 0
    touched: int = 0
    clobbered: int = 0


def spliced(code: members.Code, slot: int = SLOT) -> Spliced | str:
    """Returns the main function of `code` to be put into another, or in words why it cannot be.

    `slot` is how far the frame moves down: `SLOT`, or 0 where the function around keeps nothing in it.
    """
    every = rows_of(code.insns)
    main = every[: main_length(every, code)]
    heads = rules.heads(main)
    for at in heads:
        reason = rules.refused(main[at])
        if reason:
            return reason
    stack = rules.stack(main, heads)
    if stack + slot > rules.MAX_STACK:
        return f"it uses {stack} bytes of stack, expected at most {rules.MAX_STACK - slot}"
    touched = rules.touched(main, heads)
    scratch = next((register for register in range(9, 5, -1) if not touched >> register & 1), None)
    shifted = rules.shifted(main, heads, slot, scratch)
    if isinstance(shifted, str):
        return shifted
    laid_out = _laid_out(main, heads, shifted)
    if isinstance(laid_out, str):
        return laid_out
    insns, places, calls = laid_out
    return Spliced(insns, places, calls, stack + slot if stack else 0, touched, rules.clobbered(main, heads))


def rows_of(insns: bytes) -> tuple[Row, ...]:
    """Instructions as rows: eight bytes each, so that a 64-bit load has two."""
    return tuple(
        Row(opcode, registers >> _LOW & 15, registers >> _HIGH & 15, offset, immediate)
        for opcode, registers, offset, immediate in _ROW.iter_unpack(insns)
    )


def bytes_of(rows: Sequence[Row]) -> bytes:
    """The reverse of `rows_of`."""
    return b"".join(
        _ROW.pack(row.opcode, row.dst << _LOW | row.src << _HIGH, row.offset, row.immediate) for row in rows
    )


def main_length(rows: Sequence[Row], code: members.Code) -> int:
    """How many rows the main function has: libbpf puts the functions that it calls behind it."""
    inner = [place for place, _ in code.functions if place]
    inner += [at + 1 + rows[at].immediate for at in rules.heads(rows) if rules.names_function(rows[at])]
    return min((place for place in inner if place > 0), default=len(rows))


def _laid_out(
    main: Sequence[Row], heads: Sequence[int], shifted: Mapping[int, tuple[Row, ...]]
) -> tuple[bytes, tuple[int, ...], tuple[tuple[int, int], ...]] | str:
    """Puts the rows in their new places and the jumps right."""
    gone = _gone(main, heads)
    places, lengths = [0] * (len(main) + 1), 0
    for at in heads:
        places[at] = lengths
        wide = rules.is_wide(main[at])
        if wide:
            places[at + 1] = lengths + 1
        lengths += 0 if at in gone else len(shifted.get(at, (main[at],))) + wide
    places[len(main)] = lengths
    ends = {at for at in heads if main[at].opcode == rules.EXIT}

    def place(target: int) -> int:
        return lengths if target in ends else places[target]

    made: list[Row] = []
    calls = []
    for at in heads:
        if at in gone:
            continue
        row = main[at]
        if rules.names_function(row):
            calls.append((places[at], at + 1 + row.immediate))
        if row.opcode == rules.EXIT or rules.is_jump(row):
            jump = _jump(row, at, places[at], place)
            if jump is None:
                return f"it is too long: instruction {at} would jump further than 16 bits can say"
            made.append(jump)
            continue
        made += shifted.get(at, (row,))
        if rules.is_wide(row):
            made.append(main[at + 1])
    for at in gone:
        places[at] = lengths
    return bytes_of(made), tuple(places), tuple(calls)


def _gone(main: Sequence[Row], heads: Sequence[int]) -> frozenset[int]:
    """Exits for which no jump is needed: the last row, and those that nothing falls into.

    What jumps to an exit jumps to the end instead; the kernel refuses instructions that nothing leads to.
    """
    gone = set()
    previous: Row | None = None
    for at in heads:
        if main[at].opcode == rules.EXIT and (
            at == len(main) - 1 or (previous is not None and rules.goes_nowhere(previous))
        ):
            gone.add(at)
        previous = main[at]
    return frozenset(gone)


def _jump(row: Row, at: int, now: int, place: Callable[[int], int]) -> Row | None:
    """The jump in its new place; None where it does not fit."""
    if row.opcode == rules.EXIT:
        distance = place(at) - now - 1
        return Row(rules.JA, 0, 0, distance, 0) if distance in _SHORT else None
    distance = place(rules.target(row, at)) - now - 1
    if row.opcode == rules.GOTOL:
        return Row(row.opcode, row.dst, row.src, row.offset, distance)
    return Row(row.opcode, row.dst, row.src, distance, row.immediate) if distance in _SHORT else None
