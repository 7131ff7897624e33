"""Dispatchers' code, run by a model of the machine: what a chain comes to, for all masks and results."""

from __future__ import annotations

import struct
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfimg import btf
from bpfimg.dispatcher import Member, _tests
from bpfimg.dispatcher._alone import alone
from bpfimg.dispatcher._emit import Emitted, emitted
from bpfimg.dispatcher._tests import compared
from bpfimg.dispatcher._words import ALWAYS, goes_on, mask

WORD = 0xFFFF_FFFF
ENDS = {"xdp": (2,), "tc": (-1, 0)}
RESULTS = {
    "xdp": st.one_of(st.sampled_from((0, 1, 2, 3, 4, 31, 32, 34)), st.integers(-(2**31), 2**31 - 1)),
    "tc": st.one_of(st.sampled_from((-2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 30, 31, 32)), st.integers(-(2**31), 2**31 - 1)),
}
#: few bits, as people set them, and any
MASKS = st.one_of(
    st.sets(st.integers(0, 9), max_size=4).map(lambda bits: ALWAYS | sum(1 << bit for bit in bits)),
    st.integers(0, WORD).map(lambda bits: bits | ALWAYS),
)


def run(made: Emitted, results: list[int]) -> tuple[int, list[int], int]:
    """Runs main with members that return these: the result, signed; which slots were called; instructions in main."""
    code = [struct.unpack_from("=BBhi", made.code, at) for at in range(0, len(made.code), 8)]
    starts = [place for place, _ in struct.iter_unpack("=II", made.functions)]
    registers: dict[int, object] = {1: "context", 10: 512}
    stack: dict[int, object] = {}
    called, at, steps = [], 0, 0
    while True:
        operation, pair, offset, immediate = code[at]
        to, source = (pair & 15, pair >> 4) if sys.byteorder == "little" else (pair >> 4, pair & 15)
        at, steps = at + 1, steps + 1
        if operation == 0x95:
            result = registers[0]
            assert isinstance(result, int)
            return (result - (1 << 32) if result >> 31 else result), called, steps
        if operation == 0x85:
            assert source == 1
            slot = starts.index(at + immediate) - 1
            assert registers[1] == "context"
            called.append(slot)
            registers = {0: results[slot] & WORD, **{each: registers[each] for each in (6, 10) if each in registers}}
        elif operation in (0x79, 0x7B):
            if operation == 0x79:
                registers[to] = stack[offset]
            else:
                stack[offset] = registers[source]
        elif operation & 7 == 6:
            number = registers[to]
            assert isinstance(number, int)
            wanted = immediate & WORD
            taken = {0x16: number == wanted, 0x56: number != wanted, 0x26: number > wanted, 0x46: number & wanted}
            at += offset if taken[operation] else 0
        elif operation == 0x05:
            at += offset
        else:
            other = registers[source] if operation & 8 else immediate & WORD
            mine = registers.get(to, 0)
            assert isinstance(other, int)
            assert isinstance(mine, int)
            registers[to] = {
                0xB4: other,
                0xBC: other,
                0x04: mine + other & WORD,
                0x6C: mine << (other & 31) & WORD,
            }[operation]


def expected(hook: str, masks: list[int], results: list[int], end: int) -> tuple[int, list[int]]:
    """What libxdp's rule says of a chain; a result without a bit ends it."""
    for slot, (each, result) in enumerate(zip(masks, results, strict=True)):
        bit = result + (hook == "tc")
        if not (0 <= bit < 32 and each >> bit & 1):
            return result, list(range(slot + 1))
    return end, list(range(len(masks)))


@given(st.data())
def test_a_chain_comes_to_what_the_rule_says(data: st.DataObject) -> None:
    hook = data.draw(st.sampled_from(("xdp", "tc")))
    end = data.draw(st.sampled_from(ENDS[hook]))
    masks = data.draw(st.lists(MASKS, min_size=1, max_size=10))
    made = emitted(hook, masks, end)
    for _ in range(5):
        results = data.draw(st.lists(RESULTS[hook], min_size=len(masks), max_size=len(masks)))
        assert run(made, results)[:2] == expected(hook, masks, results, end)


@given(st.sampled_from(("xdp", "tc")), MASKS, st.data())
def test_a_program_alone_does_as_in_a_chain(hook: str, proceed_on: int, data: st.DataObject) -> None:
    results = data.draw(st.lists(RESULTS[hook], min_size=1, max_size=4))
    end = data.draw(st.sampled_from(ENDS[hook]))
    member = Member(1, "p", 50, proceed_on, returns=tuple(results))
    same = all(expected(hook, [proceed_on | ALWAYS], [each], end)[0] == each for each in results)
    assert alone(hook, member, end) is same


def test_of_unknown_results_only_pass_alone_is_taken_for_granted() -> None:
    assert alone("xdp", Member(1, "p", 50, mask("xdp", ("pass",))), 2)
    assert not alone("xdp", Member(1, "p", 50, mask("xdp", ("pass", "drop"))), 2)
    assert not alone("xdp", Member(1, "p", 50, mask("xdp", ())), 2)
    assert not alone("tc", Member(1, "p", 50, mask("tc", ())), -1)


@pytest.mark.parametrize(("slots", "steps"), [(1, 3), (2, 7), (5, 16), (10, 31)])
def test_programs_that_pass_cost_three_instructions_of_main_each(slots: int, steps: int) -> None:
    made = emitted("xdp", [mask("xdp", ("pass",))] * slots, 2)
    assert run(made, [2] * slots) == (2, list(range(slots)), steps)


def test_what_is_frequent_is_compared_first_and_an_empty_slot_last() -> None:
    assert compared("xdp", mask("xdp", ("drop", "pass", "tx"))) == (2, 1, 3, 31)
    assert compared("tc", mask("tc", ("unspec", "ok", "shot", "pipe"))) == (3, -1, 0, 2, 30)
    assert len(_tests.tested("xdp", mask("xdp", ("pass",)), 9)) == 16


def test_goes_on_is_the_rule() -> None:
    assert goes_on("xdp", ALWAYS, 31)
    assert not goes_on("xdp", WORD, 32)
    assert goes_on("tc", 1, -1)
    assert not goes_on("tc", WORD, -2)


@pytest.mark.parametrize(
    ("hook", "name", "context"), [("xdp", "xdp_dispatcher", "xdp_md"), ("tc", "tc_dispatcher", "__sk_buff")]
)
def test_the_types_are_what_the_kernel_asks_for(hook: str, name: str, context: str) -> None:
    made = emitted(hook, [ALWAYS] * 3, 2)
    read = btf.Btf(made.btf, sys.byteorder, btf.Limits())
    functions = read.of_kind(btf.kinds.FUNC)
    assert functions == [made.main, *made.slots]
    assert [read.name(each) for each in functions] == [name, "prog0", "prog1", "prog2"]
    assert [read.length(each) for each in functions] == [btf.kinds.GLOBAL] * 4
    (prototype,) = {read.target(each) for each in functions}
    ((_, parameter),) = read.parameters(prototype)
    assert btf.spelled(read, parameter) == f"struct {context} *"
    assert btf.spelled(read, read.target(prototype)) == "int"
    assert [id for _, id in struct.iter_unpack("=II", made.functions)] == functions


def test_ten_slots_are_small() -> None:
    made = emitted("xdp", [mask("xdp", ("pass",))] * 10, 2)
    assert len(made.code) == 648
    assert len(made.btf) == 307
