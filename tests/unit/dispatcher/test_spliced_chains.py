"""Chains of random programs, spliced and called, run by a machine: the same as one program after the other."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from bpfimg.dispatcher._assemble import Assembled, Part, assemble
from bpfimg.dispatcher._splice import Spliced, spliced
from bpfimg.dispatcher._words import ALWAYS
from bpfimg.load import members
from tests.support.bpf_chains import END, one_after_the_other, together
from tests.support.bpf_members import PACKET, VALUES, insn, member

MASKS = st.one_of(
    st.integers(0, 0x7FFFFFFF),
    st.integers(0, 7),
    st.sampled_from([0x4, 0x8, 0x7FFFFFFF]),
).map(lambda mask: mask | ALWAYS)


def agreed(hook: str, parts: list[Part]) -> Assembled:
    """The spliced chain, after it was compared."""
    packet, maps = bytes(range(PACKET)), (bytes(range(8 * VALUES)),) * 2 * len(parts)
    spliced_chain = assemble(hook, parts, END[hook], inline=True)
    wanted = one_after_the_other(hook, parts, packet, maps)
    assert together(assemble(hook, parts, END[hook], inline=False), packet, maps) == wanted
    assert together(spliced_chain, packet, maps) == wanted
    return spliced_chain


@settings(max_examples=400)
@given(
    hook=st.sampled_from(["xdp", "tc"]),
    seeds=st.lists(st.tuples(st.integers(0, 1 << 32), MASKS, st.integers(1, 20)), min_size=1, max_size=6),
)
def test_spliced_and_called_chains_do_what_their_members_do(hook: str, seeds: list[tuple[int, int, int]]) -> None:
    parts = [Part(member(random.Random(seed), size), mask, "") for seed, mask, size in seeds]
    made = agreed(hook, parts)
    for index, part in enumerate(parts):
        body = spliced(part.code, 0)
        assert made.inlined[index] or spliced(part.code) == "it stores the frame pointer, and uses all of r6 to r9"
        assert isinstance(body, Spliced)


@settings(max_examples=100)
@given(seeds=st.lists(st.tuples(st.integers(0, 1 << 32), MASKS), min_size=2, max_size=4), depth=st.integers(55, 64))
def test_frames_of_every_depth(seeds: list[tuple[int, int]], depth: int) -> None:
    """504 bytes and more: what has no room for the slot is called."""
    agreed("xdp", [Part(member(random.Random(seed), 12, depth), mask, "") for seed, mask in seeds])


def small(verdict: int, register: int, code: int) -> members.Code:
    """A program that returns a number, or with register 0 a byte of the packet; and may clobber one register."""
    if register == 0:
        return members.Code("small", insn(0x79, 0, 1) + insn(0x71, 0, 0, verdict) + insn(0x95))
    return members.Code("small", insn(code, register, immediate=3) + insn(0xB4, immediate=verdict) + insn(0x95))


@settings(max_examples=300)
@given(
    choices=st.lists(
        st.tuples(
            st.sampled_from([0, 1, 2, 3, 31, 33]),
            st.integers(0, 5),
            st.sampled_from([0xB4, 0xB7]),
            st.sampled_from([ALWAYS | 0x7FFFFFFF, ALWAYS | 0xF, ALWAYS | 4]),
        ),
        min_size=3,
        max_size=8,
    )
)
def test_the_context_reaches_each_member_wherever_it_is_kept(choices: list[tuple[int, int, int, int]]) -> None:
    parts = [Part(small(verdict, register, code), mask, "") for verdict, register, code, mask in choices]
    agreed("xdp", [*parts, Part(small(1, 0, 0), ALWAYS, "")])


def test_most_random_members_can_be_spliced_and_have_what_is_awkward() -> None:
    codes = [member(random.Random(seed)) for seed in range(300)]
    assert sum(isinstance(spliced(code), Spliced) for code in codes) > 280
    assert sum(len(code.functions) > 1 for code in codes) > 80
    assert sum(code.insns.count(insn(0x95)) > 1 for code in codes) > 80
    for spelling in (insn(0xBF, 2, 10), insn(0x0F, 2, 10), insn(0x1F, 3, 10), insn(0x7B, 10, 10, -8)):
        assert any(spelling in code.insns for code in codes)
