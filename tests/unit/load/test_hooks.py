"""Hooks are valid from birth; what is not says which value and what was expected."""

from __future__ import annotations

from typing import get_args

import pytest

from bpfimg.errors import UsageError, quoted
from bpfimg.load import hooks
from bpfimg.load._hooks import Tc, Tcx, Tracepoint, Xdp, _union, _words


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


EACH = (
    Xdp("a", 7, netns="/run/netns/x"),
    Tc("a", "egress", proceed_on=("ok",)),
    Tcx("a", "egress"),
    hooks.Netkit("nk0", "peer"),
    hooks.Netfilter("ipv6", "input", -5, defrag=True),
    hooks.Netns("sk_lookup"),
    hooks.Netns("flow_dissector", netns="blue"),
    hooks.Sockmap("sk_msg", "socks"),
    hooks.Sockmap("sk_skb", "12"),
    hooks.Cgroup("/sys/fs/cgroup/x", "cgroup_inet_egress"),
    Tracepoint("a", "b"),
    hooks.RawTracepoint("sched_switch"),
    hooks.Kprobe("do_unlinkat", 4),
    hooks.Kprobe(pattern="vfs_*", ret=True, module="ext4"),
    hooks.Ksyscall("openat"),
    hooks.Ksyscall("openat", ret=True),
    *(hooks.Tracing(kind, "x") for kind in ("fentry", "fexit", "fmod_ret", "lsm", "tp_btf")),
    hooks.PerfEvent("cpu-clock", frequency=99),
    hooks.StructOps("ca"),
    hooks.Uprobe("/bin/x", "main", pid=4),
    hooks.Uprobe("c", pattern="mall*", ret=True),
    hooks.Usdt("/usr/bin/python3", "python", "gc__start"),
)


@pytest.mark.parametrize("hook", EACH, ids=lambda hook: f"{hook.word}-{type(hook).__name__}")
def test_a_hook_survives_as_a_document(hook: hooks.Hook) -> None:
    assert hooks.from_dict(hooks.to_dict(hook)) == hook
    assert hooks.from_dict(_words.to_dict(hook, defaults=True)) == hook


@pytest.mark.parametrize("hook", EACH, ids=lambda hook: f"{hook.word}-{type(hook).__name__}")
def test_no_field_has_the_name_of_one_beside_it_in_a_declared_file(hook: hooks.Hook) -> None:
    """`bpfimg apply` reads the fields beside `hook` and `program`; netfilter's `hook` was once lost there."""
    assert not {"hook", "program"} & set(_words.to_dict(hook, defaults=True))


def test_each_word_has_a_hook_and_each_hook_a_word() -> None:
    assert {hook.word for hook in EACH} == set(hooks.WORDS)
    assert {type(hook) for hook in EACH} == set(get_args(_union.Hook))


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({}, "not a hook"),
        ({"kind": "nope"}, "not a hook"),
        ({"kind": ["xdp"]}, "not a hook"),
        ({"kind": "xdp"}, "lacks interface"),
        ({"kind": "xdp", "interface": "a", "colour": 1}, "has no 'colour'"),
        ({"kind": "kretprobe", "function": "f", "ret": False}, "has no 'ret'"),
    ],
)
def test_a_document_that_is_no_hook(document: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        hooks.from_dict(document)


def test_untrusted_text_cannot_drive_a_terminal() -> None:
    assert quoted("a\x1b[0m\u202eb") == "'a\\x1b[0m\\u202eb'"
    assert len(quoted("x" * 1000)) <= 101
