"""The order of programs on a hook: stable, documented, and never changed by what does not ask for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfimg.dispatcher import Member, Plan
from bpfimg.errors import SlotsFull, UsageError

DROP, PASS = 1 << 1, 1 << 2
ALWAYS = 1 << 31

priorities = st.integers(0, 5)  # few, so that ties are many


def member(program: int, priority: int = 50, proceed_on: int = PASS) -> Member:
    return Member(program, f"program_{program}", priority, proceed_on | ALWAYS)


def planned(*those: tuple[int, int]) -> Plan:
    plan = Plan("xdp")
    for program, priority in those:
        plan = plan.joined(member(program, priority), 64)
    return plan


def order(plan: Plan) -> list[int]:
    return [each.program for each in plan.members]


plans = st.lists(priorities, max_size=12).map(lambda found: planned(*enumerate(found, 1)))


def test_the_lower_priority_runs_first() -> None:
    assert order(planned((1, 50), (2, 10), (3, 90))) == [2, 1, 3]


def test_an_equal_newcomer_goes_last() -> None:
    assert order(planned((1, 50), (2, 50), (3, 10), (4, 50))) == [3, 1, 2, 4]


@given(plans, priorities)
def test_a_newcomer_moves_nobody(plan: Plan, priority: int) -> None:
    grown = plan.joined(member(99, priority), 64)
    assert order(grown.left(99)) == order(plan)
    at = order(grown).index(99)
    assert all(each.priority <= priority for each in grown.members[:at])
    assert all(each.priority > priority for each in grown.members[at + 1 :])


@given(plans, st.integers(1, 12))
def test_one_that_leaves_moves_nobody(plan: Plan, program: int) -> None:
    assert order(plan.left(program)) == [each for each in order(plan) if each != program]


@given(plans, st.data())
def test_a_change_of_priority_moves_only_that_one_as_a_newcomer(plan: Plan, data: st.DataObject) -> None:
    if not plan.members:
        return
    chosen = data.draw(st.sampled_from(plan.members))
    priority = data.draw(priorities)
    changed = plan.changed(chosen.program, priority=priority)
    others = [each for each in order(plan) if each != chosen.program]
    assert [each for each in order(changed) if each != chosen.program] == others
    if priority == chosen.priority:
        assert order(changed) == order(plan)
    else:
        assert order(changed) == order(plan.left(chosen.program).joined(member(chosen.program, priority), 64))
    assert sorted(changed.members, key=lambda each: each.priority) == list(changed.members)


@given(plans, st.data())
def test_a_change_of_proceed_on_moves_nobody(plan: Plan, data: st.DataObject) -> None:
    if not plan.members:
        return
    chosen = data.draw(st.sampled_from(plan.members))
    changed = plan.changed(chosen.program, proceed_on=DROP)
    assert order(changed) == order(plan)
    found = changed.member(chosen.program)
    assert found is not None
    assert found.proceed_on == DROP | ALWAYS, "an emptied slot always lets the chain go on"


@given(plans, st.data())
def test_an_exchange_keeps_the_place_where_the_priority_lets_it(plan: Plan, data: st.DataObject) -> None:
    if not plan.members:
        return
    chosen = data.draw(st.sampled_from(plan.members))
    there = plan.exchanged(chosen.program, member(99, chosen.priority))
    assert order(there) == [99 if each == chosen.program else each for each in order(plan)]
    other = plan.exchanged(chosen.program, member(99, 7))
    assert order(other)[-1] == 99
    assert chosen.program not in order(other)


@given(plans)
def test_plans_are_kept_as_they_are_found(plan: Plan) -> None:
    """Others sort programs of one priority by name: what they made of it stays until somebody asks for something."""
    mixed = Plan("xdp", tuple(reversed(plan.members)))
    assert order(mixed.left(99)) == order(mixed)
    assert order(mixed.changed(mixed.members[0].program, proceed_on=PASS) if mixed.members else mixed) == order(mixed)


def test_a_full_chain_takes_no_more() -> None:
    plan = planned(*((number, 50) for number in range(1, 11)))
    with pytest.raises(SlotsFull, match="10 programs, expected fewer than 10"):
        plan.joined(member(11), 10)
    assert len(plan.joined(member(11), 64)) == 11


def test_a_program_is_in_a_chain_once() -> None:
    with pytest.raises(UsageError, match="in this chain already"):
        planned((1, 50)).joined(member(1, 60), 10)


@pytest.mark.parametrize("priority", [-1, 1 << 32])
def test_a_priority_is_a_number_that_a_dispatcher_stores(priority: int) -> None:
    with pytest.raises(UsageError, match="out of range"):
        Plan("xdp").joined(member(1, priority), 10)


def test_an_unknown_member_cannot_change() -> None:
    with pytest.raises(KeyError):
        planned((1, 50)).changed(2, priority=1)
    with pytest.raises(KeyError):
        planned((1, 50)).exchanged(2, member(3))


def test_what_is_not_in_it_leaves_it_as_it_is() -> None:
    plan = planned((1, 50), (2, 50))
    assert plan.left(7) == plan
