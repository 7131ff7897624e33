"""Results told from code: all that a run can come to is among them, or nothing is told."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfimg.dispatcher._returns import returns

WORD = 0xFFFF_FFFF
EXIT = (0x95, 0, 0, 0, 0)


def assembled(*rows: tuple[int, int, int, int, int]) -> bytes:
    """(code, to, source, offset, immediate) each."""
    return b"".join(
        struct.pack("<BBhi", code, source << 4 | to, offset, number) for code, to, source, offset, number in rows
    )


def move(to: int, number: int) -> tuple[int, int, int, int, int]:
    return 0xB7, to, 0, 0, number


READ = (0x61, 3, 1, 0, 0)  # r3 = *(u32 *)(r1 + 0)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([move(0, 2), EXIT], (2,)),
        ([move(0, -1), EXIT], (-1,)),
        ([(0xB4, 0, 0, 0, 2), EXIT], (2,)),
        ([(0x18, 0, 0, 0, 31), (0, 0, 0, 0, 0), EXIT], (31,)),
        ([move(0, 1), READ, (0x15, 3, 0, 1, 5), move(0, 2), EXIT], (1, 2)),
        ([READ, move(6, 2), (0x25, 3, 0, 1, 5), move(6, 1), (0xBF, 0, 6, 0, 0), EXIT], (1, 2)),
        ([READ, (0xBF, 0, 3, 0, 0), (0x57, 0, 0, 0, 1), (0xA7, 0, 0, 0, 3), EXIT], (2, 3)),
        ([READ, (0xBF, 0, 3, 0, 0), (0x77, 0, 0, 0, 63), EXIT], (0, 1)),
        ([READ, (0xBF, 0, 3, 0, 0), (0x15, 0, 0, 1, 3), move(0, 1), EXIT], (1, 3)),  # what a comparison says
        ([READ, (0xBF, 0, 3, 0, 0), (0x55, 0, 0, 1, 3), EXIT, move(0, 1), EXIT], (1, 3)),
        ([READ, (0xBF, 0, 3, 0, 0), EXIT], None),
        ([(0x85, 0, 0, 0, 5), EXIT], None),  # a function of the kernel
        ([(0x85, 0, 0, 0, 5), move(0, 2), EXIT], (2,)),
        ([move(6, 2), (0x85, 0, 0, 0, 5), (0xBF, 0, 6, 0, 0), EXIT], (2,)),
        ([(0x85, 0, 0, 0, 12), move(0, 2), EXIT], None),  # a tail call
        ([(0x85, 0, 2, 0, 12), move(0, 2), EXIT], None),  # a kfunc
        ([(0x85, 0, 1, 0, 1), EXIT, move(0, 2), EXIT], None),  # a function of its own
        ([(0x30, 0, 0, 0, 0), move(0, 2), EXIT], None),  # LD_ABS
        ([(0x8D, 0, 3, 0, 0), move(0, 2), EXIT], None),  # a call by register
        ([(0x0D, 3, 0, 0, 0), move(0, 2), EXIT], None),  # a jump by register
        ([(0x05, 0, 0, 7, 0), EXIT], None),  # out of it
        ([move(0, 2)], None),  # no end
        ([move(0, 2), (0xDB, 10, 0, -8, 1), EXIT], None),  # atomic, into r0
        ([move(0, 2), (0x07, 0, 0, 0, 1), (0x05, 0, 0, -2, 0), EXIT], ()),  # never ends
        ([READ, move(0, 0), (0x07, 0, 0, 0, 1), (0x1D, 0, 3, -2, 0), EXIT], None),  # counts on
        ([(0x06, 0, 0, 0, 1), EXIT, move(0, 2), EXIT], (2,)),  # gotol
    ],
)
def test_told(rows: list[tuple[int, int, int, int, int]], told: tuple[int, ...] | None) -> None:
    assert returns(assembled(*rows)) == told


def test_only_the_first_function_ends_the_program() -> None:
    code = assembled((0x85, 0, 1, 0, 2), move(0, 2), EXIT, move(0, 7), EXIT)
    assert returns(code, [(0, 1), (3, 2)]) == (2,)


def test_a_kfunc_anywhere_may_end_it() -> None:
    code = assembled((0x85, 0, 1, 0, 2), move(0, 2), EXIT, (0x85, 0, 2, 0, 100), EXIT)
    assert returns(code, [(0, 1), (3, 2)]) is None


ARITHMETIC = [0x00, 0x10, 0x20, 0x40, 0x50, 0xA0, 0x60, 0x70, 0xB0]
STEPS = st.one_of(
    st.tuples(st.sampled_from(ARITHMETIC), st.sampled_from((4, 7)), st.integers(0, 4), st.none(), st.integers(0, 40)),
    st.tuples(st.sampled_from(ARITHMETIC), st.sampled_from((4, 7)), st.integers(0, 4), st.integers(0, 4), st.just(0)),
)
JUMPS = st.tuples(
    st.sampled_from((0x10, 0x50, 0x20, 0xB0, 0x40)),
    st.sampled_from((5, 6)),
    st.integers(0, 4),
    st.integers(0, 3),
    st.integers(0, 6),
)


@given(st.lists(st.one_of(STEPS, JUMPS), max_size=12), st.lists(st.integers(0, 2**64 - 1), min_size=5, max_size=5))
def test_what_a_run_comes_to_is_among_what_is_told(
    steps: list[tuple[int, int, int, int | None, int]], seen: list[int]
) -> None:
    rows = []
    for operation, kind, to, other, number in steps:
        left = len(steps) - len(rows) - 1
        if kind in (5, 6):
            rows.append((operation | kind, to, 0, min(other or 0, left), number))
        elif other is None:
            shift = number % 32 if operation in (0x60, 0x70) else number
            rows.append((operation | kind, to, 0, 0, shift))
        else:
            rows.append((operation | 8 | kind, to, other, 0, 0))
    loads = [(0x79, register, 9, 8 * register, 0) for register in range(5)]
    told = returns(assembled(*loads, *rows, EXIT))
    found = _run(rows, seen)
    if told is not None:
        assert found in told


def _run(rows: list[tuple[int, int, int, int, int]], seen: list[int]) -> int:
    registers, at = list(seen), 0
    while at < len(rows):
        code, to, source, offset, number = rows[at]
        at += 1
        kind, operation = code & 7, code & 0xF0
        wide = kind in (5, 7)
        bits = (1 << 64) - 1 if wide else WORD
        mine, other = registers[to] & bits, (registers[source] if code & 8 else number) & bits
        if kind in (5, 6):
            taken = {
                0x10: mine == other,
                0x50: mine != other,
                0x20: mine > other,
                0xB0: mine <= other,
                0x40: mine & other,
            }
            at += offset if taken[operation] else 0
            continue
        by = other & (63 if wide else 31)
        results = {
            0x00: mine + other, 0x10: mine - other, 0x20: mine * other, 0x40: mine | other, 0x50: mine & other,
            0xA0: mine ^ other, 0x60: mine << by, 0x70: mine >> by, 0xB0: other,
        }  # fmt: skip
        registers[to] = results[operation] & bits
    result = registers[0] & WORD
    return result - (1 << 32) if result >> 31 else result
