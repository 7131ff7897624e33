"""Hooks are valid from birth; what is not says which value and what was expected."""

from __future__ import annotations

import pytest

from bpfimg.errors import UsageError
from bpfimg.load import Tc, Tcx, Tracepoint, Xdp
from bpfimg.load._hooks import kind, program_type, quoted, with_netns


def test_defaults_are_those_of_libxdp_and_bpfman() -> None:
    assert Xdp("eth0") == Xdp("eth0", 50, ("pass", "dispatcher_return"), "auto", None)
    assert Tc("eth0", "ingress").proceed_on == ("pipe", "dispatcher_return")
    assert Tcx("eth0", "egress").priority == 50


@pytest.mark.parametrize("name", ["", "a" * 16, "a/b", "a b", "a:b", ".", "..", "a\tb", "\x1b[31m", "ä" * 8])
def test_a_name_that_no_interface_can_have(name: str) -> None:
    with pytest.raises(UsageError, match="not an interface name") as caught:
        Xdp(name)
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("name", ["eth0", "v1.100", "a" * 15, "wg-home", "ö1"])
def test_names_that_interfaces_have(name: str) -> None:
    assert Tcx(name, "ingress").interface == name


@pytest.mark.parametrize("priority", [-1, 2**31])
def test_priorities_have_a_range(priority: int) -> None:
    with pytest.raises(UsageError, match="0 to 2147483647"):
        Tc("eth0", "ingress", priority)


def test_priorities_at_the_ends() -> None:
    assert Xdp("eth0", 0).priority == 0
    assert Xdp("eth0", 2**31 - 1).priority == 2**31 - 1


def test_an_unknown_mode_direction_or_action_lists_the_known() -> None:
    with pytest.raises(UsageError, match="expected auto, native, generic, offload"):
        Xdp("eth0", mode="skb")
    with pytest.raises(UsageError, match="expected ingress, egress"):
        Tc("eth0", "in")
    with pytest.raises(UsageError, match="aborted, drop, pass, tx, redirect, dispatcher_return"):
        Xdp("eth0", proceed_on=("ok",))
    with pytest.raises(UsageError, match="'drop' is not an action"):
        Tc("eth0", "ingress", proceed_on=("drop",))


def test_dispatcher_return_is_always_proceeded_on_and_the_order_is_the_kernels() -> None:
    assert Xdp("eth0", proceed_on=("tx", "drop", "tx")).proceed_on == ("drop", "tx", "dispatcher_return")


def test_tracepoints_are_read_with_a_slash_or_a_colon() -> None:
    assert Tracepoint.parse("sched/sched_switch") == Tracepoint.parse("sched:sched_switch")
    assert Tracepoint("sched", "sched_switch").group == "sched"


@pytest.mark.parametrize("text", ["sched", "", "a/b/c", "../x", "a/../b", "a/", "/b", "a b/c"])
def test_what_is_not_a_tracepoint(text: str) -> None:
    with pytest.raises(UsageError, match="GROUP/NAME"):
        Tracepoint.parse(text)


def test_each_hook_has_its_word_and_its_program_type() -> None:
    hooks = (Xdp("a"), Tc("a", "egress"), Tcx("a", "egress"), Tracepoint("a", "b"))
    assert [kind(hook) for hook in hooks] == ["xdp", "tc", "tcx", "tracepoint"]
    assert [program_type(hook) for hook in hooks] == ["xdp", "sched_cls", "sched_cls", "tracepoint"]


def test_the_namespace_can_be_exchanged() -> None:
    assert with_netns(Xdp("a", 7), "/run/netns/x") == Xdp("a", 7, netns="/run/netns/x")
    assert with_netns(Tracepoint("a", "b"), "/x") == Tracepoint("a", "b")


def test_untrusted_text_cannot_drive_a_terminal() -> None:
    assert quoted("a\x1b[0m\u202eb") == "'a\\x1b[0m\\u202eb'"
    assert len(quoted("x" * 1000)) <= 101
