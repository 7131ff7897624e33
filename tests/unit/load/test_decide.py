"""Which programs are loaded, and where in a chain a link goes: values in, values out."""

from __future__ import annotations

import pytest

from bpfimg.errors import BytecodeError, UsageError
from bpfimg.load._candidate import Candidate
from bpfimg.load._decide import Anchor, choose, place, plan
from bpfimg.load._hooks import StructOps, Tc, Tcx, Tracepoint, Tracing, Xdp

XDP_A = Candidate("a", "xdp", "xdp", 6, "xdp", 37)
XDP_B = Candidate("b", "xdp/b", "xdp", 6, "xdp", 37)
DEVMAP = Candidate("d", "xdp/devmap", "xdp", 6, "xdp_devmap", 38)
TC_A = Candidate("t", "tc", "sched_cls", 3)
TP = Candidate("p", "tracepoint/sched/sched_switch", "tracepoint", 5)
FENTRY = Candidate("f", "fentry", "tracing", 26, "trace_fentry", 24)
FENTRY_OPEN = Candidate("f", "fentry/do_open", "tracing", 26, "trace_fentry", 24)
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


def test_of_several_that_are_named_those_that_fit_are_attached_and_all_are_loaded() -> None:
    hook = Xdp("v1")
    found = plan([XDP_A, XDP_B, TC_A], ("a", "t"), hook)
    assert found.programs == (XDP_A, TC_A)
    assert found.attach == (("a", hook),)
    assert plan([XDP_A, XDP_B], ("a", "b"), hook).attach == (("a", hook), ("b", hook))
    with pytest.raises(UsageError, match=r"t \(sched_cls\), p \(tracepoint\) do not fit hook xdp"):
        plan([XDP_A, TC_A, TP], ("t", "p"), hook)


def test_each_program_may_have_its_own_hooks() -> None:
    xdp, tc, other = Xdp("v1"), Tcx("v1", "ingress"), Tcx("v2", "egress")
    found = plan([XDP_A, TC_A, TP], ("p",), hooks=(("a", xdp), ("tc:t", tc), ("t", other)))
    assert found.programs == (XDP_A, TC_A, TP)
    assert found.attach == (("a", xdp), ("t", tc), ("t", other))
    with pytest.raises(UsageError, match=r"program t \(sched_cls\) does not fit hook xdp"):
        plan([XDP_A, TC_A], hooks=(("t", xdp),))


def test_a_target_is_known_before_the_load() -> None:
    assert plan([FENTRY], ("fentry:f:do_unlinkat",)).programs[0].target == "do_unlinkat"
    assert plan([FENTRY], (), Tracing("fentry", "vfs_read")).programs[0].target == "vfs_read"
    assert plan([FENTRY_OPEN], (), Tracing("fentry")).programs[0].target == ""
    with pytest.raises(UsageError, match="names nothing to be bound to") as caught:
        plan([FENTRY], (), Tracing("fentry"))
    assert caught.value.hint == "say it: --program fentry:f:TARGET"
    with pytest.raises(UsageError, match="in two ways"):
        plan([FENTRY], hooks=(("f", Tracing("fentry", "vfs_read")), ("f", Tracing("fentry", "vfs_write"))))
    with pytest.raises(UsageError, match="gets its target when it is attached"):
        plan([TP], ("tracepoint:p:sched/sched_switch",))


def test_a_word_gives_the_type_that_a_section_does_not() -> None:
    assert choose([XDP_A, ODD], ("xdp:o",), Xdp("v1"))[0].attach_type_id == 37


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


def test_operations_of_one_table_go_together_however_they_are_asked_for() -> None:
    table = [Candidate(name, f"struct_ops/{name}", "struct_ops", 27) for name in ("init", "cong", "undo")]
    for found in (
        plan(table, (), StructOps()),
        plan(table, ("undo",), StructOps()),
        plan(table, (), None, [(None, StructOps())]),
        plan([*table, XDP_A], (), None, [("cong", StructOps()), (None, Xdp("v1"))]),
    ):
        assert {each.name for each in found.programs} >= {"init", "cong", "undo"}
        assert len([hook for _, hook in found.attach if hook == StructOps()]) == 1
    assert {each.name for each in plan([*table, XDP_A], ("a",)).programs} == {"a"}
