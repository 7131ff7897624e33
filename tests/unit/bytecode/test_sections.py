from __future__ import annotations

import ctypes

import pytest

from bpfimg.bytecode import section_rule
from bpfimg.bytecode._sections import _HISTORIC, _TABLE, ATTACH_TYPES, PROGRAM_TYPES, SectionRule
from tests.support.libbpf import libbpf

PATTERNS = [line.split()[0] for line in _TABLE.splitlines() if line]
HISTORIC = [line.split()[0] for line in _HISTORIC.splitlines() if line]

# libbpf 1.1 (Debian 12) does not know these yet; every later version that a host may have knows some.
SINCE_1_2_WORDS = (
    "usdt.s uprobe.multi uretprobe.multi uprobe.multi.s uretprobe.multi.s kprobe.session uprobe.session "
    "uprobe.session.s tc/ingress tc/egress tcx/ingress tcx/egress netkit/primary netkit/peer struct_ops.s netfilter "
    "sk_skb/verdict cgroup/connect_unix cgroup/sendmsg_unix cgroup/recvmsg_unix cgroup/getpeername_unix "
    "cgroup/getsockname_unix"
)
SINCE_1_2 = frozenset(SINCE_1_2_WORDS.split())


def rule(section: str) -> SectionRule:
    found = section_rule(section)
    assert found is not None, section
    return found


@pytest.mark.parametrize(
    ("section", "kind", "attach", "label"),
    [
        ("xdp", "xdp", "xdp", "xdp"),
        ("xdp.frags", "xdp", "xdp", "xdp"),
        ("xdp/devmap", "xdp", "xdp_devmap", "xdp"),
        ("xdp.frags/cpumap", "xdp", "xdp_cpumap", "xdp"),
        ("classifier", "sched_cls", None, "tc"),
        ("tc", "sched_cls", None, "tc"),
        ("tcx/ingress", "sched_cls", "tcx_ingress", "tcx"),
        ("netkit/peer", "sched_cls", "netkit_peer", "sched_cls"),
        ("tp/sched/sched_switch", "tracepoint", None, "tracepoint"),
        ("tp_btf/sched_switch", "tracing", "trace_raw_tp", "tracing"),
        ("fentry/do_unlinkat", "tracing", "trace_fentry", "fentry"),
        ("fexit.s/do_unlinkat", "tracing", "trace_fexit", "fexit"),
        ("lsm_cgroup/socket_bind", "lsm", "lsm_cgroup", "lsm"),
        ("kretprobe.multi/tcp_*", "kprobe", "trace_kprobe_multi", "kretprobe"),
        ("uprobe.multi.s//proc/self/exe:main", "kprobe", "trace_uprobe_multi", "uprobe"),
        ("usdt/libc.so.6:libc:setjmp", "kprobe", None, "uprobe"),
        ("cgroup_skb/ingress", "cgroup_skb", "cgroup_inet_ingress", "cgroup_skb"),
        ("freplace/old", "ext", None, "ext"),
        ("struct_ops/init", "struct_ops", None, "struct_ops"),
    ],
)
def test_what_a_section_means(section: str, kind: str, attach: str | None, label: str) -> None:
    found = rule(section)
    assert (found.program_type, found.attach_type, found.label) == (kind, attach, label)
    assert PROGRAM_TYPES[found.program_type_id] == kind
    assert attach is None or ATTACH_TYPES[found.attach_type_id] == attach


def test_flags() -> None:
    assert rule("fentry.s/f").sleepable
    assert not rule("fentry/f").sleepable
    assert rule("xdp.frags").frags
    assert not rule("xdp").frags
    assert rule("uprobe.session").multi
    assert not rule("uprobe").multi
    assert rule("syscall").sleepable
    assert rule("tracepoint/a/b").target == "optional"
    assert rule("xdp").target == "none"


def test_the_leading_question_mark_is_no_part_of_the_name() -> None:
    assert section_rule("?xdp") == section_rule("xdp")


@pytest.mark.parametrize(
    "section",
    ["", "?", "foo", "xdpx", "xdp.frag", "kprobex/f", "cgroup", "tracepoints/a", ".text", "XDP", "xdp/", "??xdp"],
)
def test_unknown_sections_have_no_rule(section: str) -> None:
    assert section_rule(section) is None


def test_suffixes_that_libbpf_dropped_but_images_have() -> None:
    assert rule("xdp/pass") == rule("xdp")
    assert rule("classifier/pass") == rule("classifier")
    assert rule("xdp/pass").target == "none"
    assert section_rule("xdp/devmap/pass") is None
    assert section_rule("perf_event/pass") is None


def test_the_words_are_those_of_libbpf() -> None:
    library = libbpf()
    program, attach = library.libbpf_bpf_prog_type_str, library.libbpf_bpf_attach_type_str
    program.restype = attach.restype = ctypes.c_char_p
    known = 0
    for function, words in ((program, PROGRAM_TYPES), (attach, ATTACH_TYPES)):
        for number, word in enumerate(words):
            spelled = function(number)
            assert spelled in (None, word.encode()), (number, word)
            known += spelled is not None
    assert known >= 32 + 44  # libbpf 1.1


def test_the_table_is_that_of_libbpf() -> None:
    """Every name of the table, alone, with a target and with a wrong end, answered by libbpf and by us."""
    for pattern in PATTERNS:
        base = pattern.rstrip("+")
        theirs = by_name(base)
        if theirs is None and base in SINCE_1_2:
            continue
        assert ours(base) == theirs, base
        for wrong_or_target in (f"{base}/a/b", f"{base}x"):
            if wrong_or_target.startswith(tuple(HISTORIC)) and by_name(wrong_or_target) is None:
                continue
            assert ours(wrong_or_target) == by_name(wrong_or_target), wrong_or_target


def ours(section: str) -> tuple[int, int] | None:
    found = section_rule(section)
    return (found.program_type_id, found.attach_type_id) if found else None


def by_name(section: str) -> tuple[int, int] | None:
    kind, attach = ctypes.c_int(), ctypes.c_int()
    failed = libbpf().libbpf_prog_type_by_name(section.encode(), ctypes.byref(kind), ctypes.byref(attach))
    return None if failed else (kind.value, attach.value)
