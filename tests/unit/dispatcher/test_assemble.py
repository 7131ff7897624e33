"""One program out of many: where members, their functions, maps and source lines come to stand."""

from __future__ import annotations

import struct

import pytest

from bpfimg.dispatcher import _instructions as i
from bpfimg.dispatcher import _tests as t
from bpfimg.dispatcher._assemble import Assembled, Function, Line, Part, assemble, inner
from bpfimg.dispatcher._words import ALWAYS, mask
from bpfimg.load import members

Code = members.Code
PASS = mask("xdp", ("pass",))
WIDE = 0x18
TWO = i.constant(0, 2)
#: takes every register, as a call does those from r1 to r5
GREEDY = [i.load(1, 1, 0), *(i.move(to, 1) for to in range(2, 10)), TWO, i.leave()]


def wide(to: int = 1, source: int = 1, immediate: int = 0) -> bytes:
    """A 64-bit load, of a map's descriptor if nothing else is said."""
    return i.instruction(WIDE, to, source, 0, immediate) + bytes(8)


def code(*insns: bytes, **more: object) -> Code:
    return Code("member", b"".join(insns), **{"functions": ((0, 0),), **more})  # type: ignore[arg-type]


def made(*codes: Code, inline: bool = False, masks: tuple[int, ...] = (), end: int = 2, hook: str = "xdp") -> Assembled:
    parts = [Part(each, masks[at] if masks else PASS, f"note {at}") for at, each in enumerate(codes)]
    return assemble(hook, parts, end, inline=inline)


def lines(*rows: tuple[int, int, int, int]) -> bytes:
    return b"".join(struct.pack("=IIII", *row) for row in rows)


SIMPLE = code(TWO, i.leave())


def test_one_member_is_called_and_its_result_tested() -> None:
    last = t.tested_last("xdp", PASS, 2)
    assert made(SIMPLE).insns == i.call(len(last) // 8) + last + SIMPLE.insns


def test_one_member_inlined_is_itself_and_the_test() -> None:
    found = made(SIMPLE, inline=True)
    assert found.insns == TWO + t.tested_last("xdp", PASS, 2)
    assert found.functions == (Function(0, -1, 0),)
    assert found.inlined == (True,)


def test_those_that_are_called_get_the_context_from_a_register_that_calls_keep() -> None:
    last = t.tested_last("xdp", PASS, 2)
    behind = 2 + len(last) // 8
    test = t.tested("xdp", PASS, behind - 1)
    main = [i.move(6, 1), i.call(len(test) // 8 + behind), test, i.move(1, 6), i.call(len(last) // 8 + 2), last]
    assert made(SIMPLE, SIMPLE).insns == b"".join(main) + 2 * SIMPLE.insns


@pytest.mark.parametrize(
    ("first", "kept", "given"),
    [
        ([TWO, i.leave()], b"", b""),  # the context is where it was
        ([i.move(1, 10), TWO, i.leave()], i.move(2, 1), i.move(1, 2)),
        ([i.move(1, 10), i.move(2, 1), TWO, i.leave()], i.move(3, 1), i.move(1, 3)),
        (GREEDY, i.store(10, -8, 1), i.load(1, 10, -8)),
        ([i.call_kernel(7), TWO, i.leave()], i.store(10, -8, 1), i.load(1, 10, -8)),
    ],
)
def test_inlined_members_get_the_context_from_where_it_costs_least(
    first: list[bytes], kept: bytes, given: bytes
) -> None:
    body = b"".join(first[:-1])
    behind = given + TWO + t.tested_last("xdp", PASS, 2)
    test = t.tested("xdp", PASS, len(behind) // 8 - 1)
    assert made(code(*first), SIMPLE, inline=True).insns == kept + body + test + behind


def test_what_the_last_member_clobbers_matters_to_nobody() -> None:
    assert made(SIMPLE, code(*GREEDY), inline=True).insns.startswith(TWO + t.tested("xdp", PASS, 1)[:2])


def test_a_test_with_a_shift_takes_the_context_from_where_it_was() -> None:
    many = ALWAYS | 0xFF
    found = made(SIMPLE, SIMPLE, inline=True, masks=(many, PASS)).insns
    assert found.startswith(i.move(3, 1) + TWO + t.tested("xdp", many, 0)[:8][:1])
    assert i.move(1, 3) in [found[at : at + 8] for at in range(0, len(found), 8)]


def test_a_called_member_among_inlined_ones_leaves_main_without_a_frame() -> None:
    tail = code(i.call_kernel(12), TWO, i.leave())
    clobbers = code(i.move(1, 10), TWO, i.leave())
    found = made(tail, clobbers, SIMPLE, inline=True)
    assert found.inlined == (False, True, True)
    assert found.insns.startswith(i.move(6, 1))
    assert found.functions == (Function(0, -1, 0), Function(len(found.insns) // 8 - 3, 0, 0, entry=True, unseen=True))


def test_maps_functions_and_lines_move_with_a_called_member() -> None:
    first = code(wide(), TWO, i.leave(), maps=((0, 5),), functions=((0, 7),), lines=lines((0, 1, 2, 3), (2, 1, 4, 5)))
    second = code(
        i.call(2),
        TWO,
        i.leave(),
        wide(),
        TWO,
        i.leave(),
        maps=((3, 1),),
        functions=((0, 8), (3, 9)),
        lines=lines((0, 1, 2, 3), (3, 6, 7, 8)),
    )
    found = made(first, second)
    start = len(found.insns) // 8 - 11
    assert found.insns[8 * start :] == first.insns + second.insns
    assert found.maps == ((start, 0, 5), (start + 4 + 3, 1, 1))
    assert found.functions == (
        Function(0, -1, 0),
        Function(start, 0, 7, entry=True),
        Function(start + 4, 1, 8, entry=True),
        Function(start + 7, 1, 9),
    )
    assert [line for line in found.lines if line.part >= 0] == [
        Line(start, 0, 1, 2, 3),
        Line(start + 2, 0, 1, 4, 5),
        Line(start + 4, 1, 1, 2, 3),
        Line(start + 7, 1, 6, 7, 8),
    ]
    assert [found.part_at(place) for place in (0, start - 1, start, start + 3, start + 4, start + 10)] == [
        -1,
        -1,
        0,
        0,
        1,
        1,
    ]


def test_functions_of_an_inlined_member_stand_behind_main_and_calls_of_them_are_put_right() -> None:
    body = [i.call(5), wide(1, 4, 3), i.leave(), i.move(0, 0), TWO, i.leave()]
    first = code(
        *body,
        wide(),
        TWO,
        i.leave(),
        maps=((7, 0),),
        functions=((0, 1), (6, 2)),
        lines=lines((0, 1, 1, 1), (3, 2, 2, 2), (6, 3, 3, 3)),
    )
    assert inner(first) == 6
    found = made(SIMPLE, first, inline=True)
    assert found.inlined == (True, True)
    rows = [found.insns[at : at + 8] for at in range(0, len(found.insns), 8)]
    (function,) = [each for each in found.functions if each.part == 1]
    assert function == Function(len(rows) - 4 - 1, 1, 2) or function.type == 2
    call = next(at for at, row in enumerate(rows) if row[:2] == i.call(0)[:2])
    load = next(at for at, row in enumerate(rows) if row[0] == WIDE)
    (distance,) = struct.unpack("=i", rows[call][4:])
    assert call + 1 + distance == function.place
    (distance,) = struct.unpack("=i", rows[load][4:])
    assert load + 1 + distance == function.place - 1
    assert [line.place for line in found.lines if line.part == 1] == [call, load + 2, function.place]


def test_there_is_one_line_for_an_instruction_and_one_where_each_function_begins() -> None:
    bare = code(i.call(2), TWO, i.leave(), TWO, i.leave(), functions=((0, 0), (3, 0)))
    for inline in (False, True):
        found = made(SIMPLE, bare, SIMPLE, inline=inline)
        places = [line.place for line in found.lines]
        assert places == sorted(set(places))
        assert {function.place for function in found.functions} <= set(places)


def test_in_a_very_long_chain_each_test_has_an_exit_of_its_own() -> None:
    long = code(*[TWO] * 20_000, i.leave())
    found = made(long, long, inline=True)
    assert found.inlined == (True, True)
    test = t.tested("xdp", PASS, 1) + i.jump(1) + i.leave()
    assert found.insns == 20_000 * TWO + test + 20_000 * TWO + t.tested_last("xdp", PASS, 2)
    called = made(*[SIMPLE] * 3)
    assert called.insns.count(i.leave()) == 4


def test_a_member_whose_result_the_verifier_would_misjudge_is_called() -> None:
    for odd in (i.call_kernel(12), i.instruction(0x30, immediate=9), i.instruction(0x48)):
        inside = code(i.call(2), TWO, i.leave(), odd, i.leave(), functions=((0, 3), (3, 4)))
        found = made(SIMPLE, inside, inline=True)
        assert found.inlined == (True, False)
        assert [function.unseen for function in found.functions] == [False, True, False]
    assert not any(function.unseen for function in made(SIMPLE).functions)
