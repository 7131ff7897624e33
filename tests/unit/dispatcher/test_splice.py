"""A main function inside another: what becomes of exits, frames, jumps and calls; what is refused, in which words."""

from __future__ import annotations

import pytest

from bpfimg.dispatcher import _instructions as i
from bpfimg.dispatcher._splice import Spliced, rows_of, spliced
from bpfimg.load import members

LDX64, ST64, STX64, STX32, ATOMIC64 = 0x79, 0x7A, 0x7B, 0x63, 0xDB
ADD64_IMM, ADD64, SUB64, OR64, GOTOL, MAY_GOTO, LD_ABS, GOTOX = 0x07, 0x0F, 0x1F, 0x4F, 0x06, 0xE5, 0x28, 0x0D
IF_ABOVE, IF_EQUAL_REGISTER = 0x25, 0x1D
RETURNS_2 = (i.constant(0, 2), i.leave())


def done(*insns: bytes, slot: int = 8) -> Spliced:
    found = spliced(members.Code("member", b"".join(insns)), slot)
    assert not isinstance(found, str), found
    return found


def code(*insns: bytes) -> bytes:
    return b"".join(insns)


def test_the_last_exit_goes_and_control_falls_out_of_the_end() -> None:
    found = done(*RETURNS_2)
    assert found.insns == i.constant(0, 2)
    assert found.places == (0, 1, 1)


def test_an_exit_in_the_middle_becomes_a_jump_to_the_end() -> None:
    skip = i.if_equal(1, 0, 2)
    found = done(skip, i.constant(0, 1), i.leave(), *RETURNS_2)
    assert found.insns == code(skip, i.constant(0, 1), i.jump(1), i.constant(0, 2))
    assert found.places == (0, 1, 2, 3, 4, 4)


def test_what_jumps_to_an_exit_jumps_to_the_end_and_an_exit_behind_a_jump_goes() -> None:
    start = (i.constant(0, 2), i.if_equal(1, 0, 3), i.if_equal(2, 0, 3), i.constant(0, 1))
    found = done(*start, i.jump(0), i.leave(), *RETURNS_2)
    moved = (i.constant(0, 2), i.if_equal(1, 0, 4), i.if_equal(2, 0, 2), i.constant(0, 1))
    assert found.insns == code(*moved, i.jump(1), i.constant(0, 2))
    assert found.places == (0, 1, 2, 3, 4, 6, 5, 6, 6)


def test_the_frame_begins_lower() -> None:
    access = (i.store(10, -16, 1), i.load(1, 10, -16), i.instruction(ST64, 10, 0, -8, 7))
    found = done(*access, i.instruction(ATOMIC64, 10, 1, -16), *RETURNS_2)
    lower = (i.store(10, -24, 1), i.load(1, 10, -24), i.instruction(ST64, 10, 0, -16, 7))
    assert found.insns == code(*lower, i.instruction(ATOMIC64, 10, 1, -24), i.constant(0, 2))
    assert found.stack == 24


def test_an_address_in_the_frame_needs_no_instruction_more() -> None:
    found = done(i.move(2, 10), i.instruction(ADD64_IMM, 2, immediate=-4), *RETURNS_2)
    assert found.insns == code(i.move(2, 10), i.instruction(ADD64_IMM, 2, immediate=-12), i.constant(0, 2))
    assert found.stack == 12


def test_a_copy_of_the_frame_pointer_that_nothing_is_added_to_at_once() -> None:
    minus_8 = i.instruction(ADD64_IMM, 2, immediate=-8)
    found = done(i.move(2, 10), i.load(1, 2, -16), *RETURNS_2)
    assert found.insns == code(i.move(2, 10), minus_8, i.load(1, 2, -16), i.constant(0, 2))
    assert found.places == (0, 2, 3, 4, 4)
    assert done(i.instruction(ADD64, 2, 10), *RETURNS_2).insns == code(
        i.instruction(ADD64, 2, 10), minus_8, i.constant(0, 2)
    )
    assert done(i.instruction(SUB64, 2, 10), *RETURNS_2).insns == code(
        i.instruction(SUB64, 2, 10), i.instruction(ADD64_IMM, 2, immediate=8), i.constant(0, 2)
    )


def test_an_addition_that_something_jumps_to_is_left_as_it_is() -> None:
    add = i.instruction(ADD64_IMM, 2, immediate=-4)
    found = done(i.move(2, 1), i.if_equal(1, 0, 1), i.move(2, 10), add, *RETURNS_2)
    minus_8 = i.instruction(ADD64_IMM, 2, immediate=-8)
    assert found.insns == code(i.move(2, 1), i.if_equal(1, 0, 2), i.move(2, 10), minus_8, add, i.constant(0, 2))


def test_the_frame_pointer_itself_is_stored_by_way_of_a_register_that_is_free() -> None:
    found = done(i.move(9, 1), i.store(10, -8, 10), *RETURNS_2)
    copied = (i.move(8, 10), i.instruction(ADD64_IMM, 8, immediate=-8), i.store(10, -16, 8))
    assert found.insns == code(i.move(9, 1), *copied, i.constant(0, 2))


def test_without_a_slot_the_frame_stays() -> None:
    found = done(i.store(10, -512, 10), *RETURNS_2, slot=0)
    assert found.insns == code(i.store(10, -512, 10), i.constant(0, 2))
    assert found.stack == 512


def test_jumps_over_what_grows() -> None:
    forward = done(i.if_equal(1, 0, 2), i.move(2, 10), i.load(1, 2, -8), *RETURNS_2)
    assert rows_of(forward.insns)[0].offset == 3
    backward = done(i.move(2, 10), i.load(1, 2, -8), i.if_equal(1, 0, -3), *RETURNS_2)
    assert rows_of(backward.insns)[3].offset == -4
    long = done(i.move(2, 10), i.instruction(GOTOL, immediate=1), i.load(1, 2, -8), *RETURNS_2)
    assert rows_of(long.insns)[2].immediate == 1


def test_calls_and_references_of_functions_are_told_by_old_place() -> None:
    reference = i.instruction(0x18, 3, 4, immediate=6) + i.instruction(0)
    found = done(i.move(2, 10), i.move(1, 2), reference, i.call(2), *RETURNS_2, *RETURNS_2, *RETURNS_2)
    assert found.places == (0, 2, 3, 4, 5, 6, 7, 7)
    assert found.calls == ((3, 9), (5, 7)), "the second function, by a reference; the first, by a call"
    assert len(found.insns) == 8 * 7, "the functions behind the main function are not in it"


def test_functions_that_only_the_types_tell_end_the_main_function_too() -> None:
    found = spliced(members.Code("member", code(*RETURNS_2, *RETURNS_2), functions=((0, 5), (2, 6))))
    assert isinstance(found, Spliced)
    assert found.insns == i.constant(0, 2)


def test_the_registers_that_are_touched() -> None:
    assert done(*RETURNS_2).touched == 0b1
    assert done(i.load(2, 1, 0), i.move(7, 2), *RETURNS_2).touched == 0b1000_0111
    assert done(i.call_kernel(7), *RETURNS_2).touched == 0b11_1111
    assert done(i.load(2, 1, 0), i.move(7, 2), *RETURNS_2).clobbered == 0b1000_0101


@pytest.mark.parametrize(
    ("insns", "reason"),
    [
        ((i.call_kernel(12),), "it makes tail calls"),
        ((i.instruction(LD_ABS),), "it loads from the packet by LD_ABS or LD_IND, which can end the program"),
        ((i.instruction(MAY_GOTO),), "it has loops by may_goto, which a function counts once for all"),
        ((i.instruction(GOTOX, 1),), "it has an instruction that is not known here, operation code 0x0d"),
        ((i.instruction(0xE2),), "it has an instruction that is not known here, operation code 0xe2"),
        ((i.instruction(OR64, 1, 10),), "it computes with the frame pointer"),
        ((i.instruction(IF_EQUAL_REGISTER, 1, 10),), "it compares the frame pointer"),
        ((i.instruction(IF_ABOVE, 10),), "it compares the frame pointer"),
        ((i.instruction(STX32, 1, 10),), "it stores a part of the frame pointer"),
        ((i.instruction(ATOMIC64, 1, 10),), "it has an atomic operation with the frame pointer"),
        ((i.store(10, -512, 1),), "it uses 512 bytes of stack, expected at most 504"),
        (
            (*(i.move(register, 1) for register in range(6, 10)), i.store(1, 0, 10)),
            "it stores the frame pointer, and uses all of r6 to r9",
        ),
        (
            (i.if_equal(1, 0, 32767), *(i.load(1, 10, -8) for _ in range(32766)), i.move(2, 10), i.load(1, 2, -8)),
            "it is too long: instruction 0 would jump further than 16 bits can say",
        ),
        (
            (i.if_equal(1, 0, 1), i.leave(), *(i.load(1, 10, -8) for _ in range(32768))),
            "it is too long: instruction 1 would jump further than 16 bits can say",
        ),
    ],
)
def test_what_cannot_be_moved_is_refused_with_the_reason(insns: tuple[bytes, ...], reason: str) -> None:
    assert spliced(members.Code("member", code(*insns, *RETURNS_2))) == reason
