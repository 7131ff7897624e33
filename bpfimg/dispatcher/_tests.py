"""The test behind a member: with which results the chain goes on, in as few instructions as there can be.

It compares the result with each that goes on, the most frequent first. Where that would be many, the rest is one shift
and one mask. A result that has no bit in a mask (XDP: from 32 on) ends the chain, either way.
"""

from __future__ import annotations

from bpfimg.dispatcher import _instructions as i
from bpfimg.dispatcher._words import RETURN, SHIFT, results

#: the results that programs have most often where they let others run: compared with before the others
_OFTEN = {"xdp": (2,), "tc": (3, -1, 0)}
_MAX_COMPARED = 6


def compared(hook: str, mask: int) -> tuple[int, ...]:
    """The results that the mask has, what an empty slot returns among them, in the order in which they are tested."""
    found = results(hook, mask)
    often = [each for each in _OFTEN[hook] if each in found]
    last = (RETURN[hook],) if mask >> 31 & 1 else ()
    return (*often, *(each for each in found if each not in often), *last)


def shifts(hook: str, mask: int) -> bool:
    """Whether the test uses r1 and r2: there are too many results to compare with each."""
    return len(compared(hook, mask)) > _MAX_COMPARED


def tested(hook: str, mask: int, end: int) -> bytes:
    """Instructions that look at w0: behind them the chain goes on, else it ends, `end` instructions behind them.

    r1 and r2 are lost where it `shifts`. There is a result in the mask: what an empty slot returns always is.
    """
    codes = compared(hook, mask)
    if len(codes) > _MAX_COMPARED:
        return _shifted(hook, mask, codes[0], end)
    *first, last = codes
    tests = [i.if_equal(0, code, len(first) - at) for at, code in enumerate(first)]
    return b"".join([*tests, i.if_not_equal(0, last, end)])


def tested_last(hook: str, mask: int, end: int) -> bytes:
    """The same for the last member, behind which there are two instructions: w0 = `end`, and the exit.

    `end` itself comes to the same either way, so nothing looks for it.
    """
    return tested(hook, mask & ~(1 << end + SHIFT[hook]), 1) + i.constant(0, end) + i.leave()


def _shifted(hook: str, mask: int, first: int, end: int) -> bytes:
    bit = [i.move_32(2, 0), i.add(2, SHIFT[hook])] if SHIFT[hook] else [i.move_32(2, 0)]
    rest = [i.if_above(2, 31, end + 4), i.constant(1, 1), i.shift(1, 2), i.if_bits(1, mask, 1), i.jump(end)]
    return b"".join([i.if_equal(0, first, len(bit) + len(rest)), *bit, *rest])
