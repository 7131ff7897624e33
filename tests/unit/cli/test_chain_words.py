"""Where a program stands in a chain, in words."""

from __future__ import annotations

import pytest

from bpfimg.cli._chain_words import begun, order, ordinal, place
from bpfimg.inspect import LinkView
from bpfimg.load import LinkRecord


def view(**fields: object) -> LinkView:
    return LinkView(1, 2, 3, "xdp", "dispatcher", "eth0", "attached", **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("number", "said"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (21, "21st"), (63, "63rd")],
)
def test_numbers_are_said_as_people_say_them(number: int, said: str) -> None:
    assert ordinal(number) == said


def test_a_place_is_one_of_so_many() -> None:
    assert place(view(position=1, members=3)) == "2nd of 3"
    assert place(view(position=0)) == "1st"
    assert place(view()) == ""


def test_what_set_changes_and_what_became_of_it() -> None:
    moved = view(position=1, members=3, priority=60, proceed_on=("pass", "drop", "dispatcher_return"))
    assert order(moved) == ["priority 60", "2nd of 3", "goes on after pass, drop"]
    assert order(view(proceed_on=("dispatcher_return",))) == ["ends the chain"]
    assert order(view()) == []


def test_a_fused_chain_that_nobody_asked_for_is_said_once() -> None:
    assert begun(member("fused", 1)) == (
        "no freplace programs can be loaded here: eth0 has a fused chain, and xdp-loader sees one program, to which it"
        " cannot add"
    )
    assert begun(member("direct", 1)) == begun(member("fused", 1))
    assert begun(member("fused", 2)) == ""
    assert begun(member("freplace", 1)) == ""
    assert begun(member("fused", 1, dispatcher="fused")) == ""
    assert begun(view()) == ""


def member(builder: str, members: int, **spec: object) -> LinkView:
    record = LinkRecord(1, 3, "p", "xdp", "dispatcher", "2026-01-01T00:00:00Z", spec, "eth0")
    return view(builder=builder, members=members, record=record)
