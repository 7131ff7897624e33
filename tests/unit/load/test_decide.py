"""Which programs are loaded, and where in a chain a link goes: values in, values out."""

from __future__ import annotations

import pytest

from bpfimg.errors import BytecodeError, UsageError
from bpfimg.load._decide import Anchor, Candidate, choose, place
from bpfimg.load._hooks import Tc, Tcx, Tracepoint, Xdp

XDP_A = Candidate("a", "xdp", "xdp", 6, "xdp", 37)
XDP_B = Candidate("b", "xdp/b", "xdp", 6, "xdp", 37)
DEVMAP = Candidate("d", "xdp/devmap", "xdp", 6, "xdp_devmap", 38)
TC_A = Candidate("t", "tc", "sched_cls", 3)
TP = Candidate("p", "tracepoint/sched/sched_switch", "tracepoint", 5)
ODD = Candidate("o", "my/own", "", 0)


def test_one_program_needs_no_name() -> None:
    assert choose([XDP_A], (), Xdp("v1")) == (XDP_A,)
    assert choose([XDP_A, TC_A, TP], (), Tcx("v1", "ingress")) == (TC_A,)
    assert choose([XDP_A, TC_A, TP, ODD], (), Tracepoint("a", "b")) == (TP,)


def test_without_a_hook_all_are_loaded_or_those_named() -> None:
    assert choose([XDP_A, TC_A], (), None) == (XDP_A, TC_A)
    assert choose([XDP_A, TC_A, TP], ("p", "a", "p"), None) == (TP, XDP_A)


def test_a_name_may_carry_its_type() -> None:
    assert choose([XDP_A, XDP_B], ("xdp:b",), Xdp("v1")) == (XDP_B,)
    assert choose([XDP_A, TC_A], ("tc:t",), None) == (TC_A,)
    with pytest.raises(UsageError, match="no program 'tc:a'"):
        choose([XDP_A, TC_A], ("tc:a",), None)


def test_several_that_fit_are_listed() -> None:
    with pytest.raises(UsageError, match="2 programs for hook xdp") as caught:
        choose([XDP_A, TC_A, XDP_B], (), Xdp("v1"))
    assert "a (xdp), b (xdp)" in caught.value.hint
    assert "t (" not in caught.value.hint


def test_none_that_fits_says_what_there_is() -> None:
    with pytest.raises(UsageError, match="no program for hook tracepoint") as caught:
        choose([XDP_A, TC_A], (), Tracepoint("a", "b"))
    assert "a (xdp), t (sched_cls)" in caught.value.hint


def test_an_unknown_name_says_what_there_is() -> None:
    with pytest.raises(UsageError, match=r"no program 'zz', expected a \(xdp\)"):
        choose([XDP_A], ("zz",), Xdp("v1"))


def test_a_named_program_that_does_not_fit_names_both() -> None:
    with pytest.raises(UsageError, match=r"program t \(sched_cls\) does not fit hook xdp"):
        choose([XDP_A, TC_A], ("t",), Xdp("v1"))
    with pytest.raises(UsageError, match=r"program a \(xdp\) does not fit hook tc, expected one that does"):
        choose([XDP_A], ("a",), Tc("v1", "ingress"))


def test_programs_for_devmaps_are_not_for_devices() -> None:
    assert choose([DEVMAP, XDP_A], (), Xdp("v1")) == (XDP_A,)
    with pytest.raises(UsageError, match="does not fit"):
        choose([DEVMAP, XDP_A], ("d",), Xdp("v1"))


def test_a_hook_takes_one_program() -> None:
    with pytest.raises(UsageError, match="takes one program, not 2"):
        choose([XDP_A, XDP_B], ("a", "b"), Xdp("v1"))


def test_a_section_that_says_nothing_is_an_error_unless_left_out() -> None:
    with pytest.raises(BytecodeError, match="section 'my/own'") as caught:
        choose([XDP_A, ODD], (), None)
    assert "--program" in caught.value.hint
    assert choose([XDP_A, ODD], ("a",), None) == (XDP_A,)


def test_an_object_without_programs() -> None:
    with pytest.raises(BytecodeError, match="no program"):
        choose([], (), None)


@pytest.mark.parametrize(
    ("chain", "ours", "priority", "expected"),
    [
        ([], {}, 50, Anchor()),
        ([1, 2], {}, 50, Anchor()),
        ([1], {1: 50}, 50, Anchor(after=1)),
        ([1], {1: 50}, 49, Anchor(before=1)),
        ([1], {1: 50}, 51, Anchor(after=1)),
        ([1, 7, 2, 9], {1: 10, 2: 30}, 20, Anchor(before=2)),
        ([1, 7, 2, 9], {1: 10, 2: 30}, 30, Anchor(after=2)),
        ([1, 7, 2, 9], {1: 10, 2: 30, 5: 5}, 0, Anchor(before=1)),
        ([1, 2, 3], {1: 10, 2: 10, 3: 20}, 10, Anchor(before=3)),
    ],
)
def test_the_place_in_a_chain(chain: list[int], ours: dict[int, int], priority: int, expected: Anchor) -> None:
    assert place(chain, ours, priority) == expected
