"""The table of helper functions, held against the verifier: it names them, and refuses some to other licences.

Programs are only loaded, and nearly all are refused; nothing is attached.
"""

from __future__ import annotations

import functools
import os
import re
from pathlib import Path

import pytest

from bpfimg.bytecode._helpers import free_for, gpl_only, helper_name
from bpfimg.bytecode._sections import ATTACH_TYPES, PROGRAM_TYPES
from bpfimg.errors import Error
from bpfimg.kernel import abi
from bpfimg.kernel._library import library
from bpfimg.kernel._syscall import address, bpf_errno, fill
from tests.support.netns import skip_unless

pytestmark = pytest.mark.kernel

LAST = 211
SLEEPABLE = 1 << 4
LAYOUT = {
    **abi.ATTR_PROG_LOAD,
    "log_level": (24, 4),
    "log_size": (28, 4),
    "log_buf": (32, 8),
    "prog_flags": (44, 4),
}

# Between them they may call nearly every helper function.
KINDS = """
socket_filter kprobe kprobe/trace_kprobe_multi kprobe/trace_uprobe_session sched_cls xdp/xdp perf_event raw_tracepoint
sk_skb sk_msg/sk_msg_verdict sock_ops/cgroup_sock_ops cgroup_skb cgroup_sysctl/cgroup_sysctl
cgroup_sock_addr/cgroup_inet4_connect cgroup_sockopt/cgroup_setsockopt lwt_in lwt_xmit lwt_seg6local
lirc_mode2/lirc_mode2 sk_reuseport flow_dissector/flow_dissector sk_lookup/sk_lookup tracing/trace_iter
syscall netfilter/netfilter
"""


def known(kind: str) -> bool:
    """Whether this kernel has heard of the attach type: of others it takes some for no attach type at all."""
    attach_type = kind.partition("/")[2]
    return not attach_type or f"\0BPF_{attach_type.upper()}\0".encode() in Path("/sys/kernel/btf/vmlinux").read_bytes()


def log_of_call(kind: str, number: int) -> str:
    """What the verifier says of a program with another licence than the GPL that calls a helper function, no more."""
    program_type, _, attach_type = kind.partition("/")
    code = bytearray(b"\x85\0\0\0" + number.to_bytes(4, "little") + b"\x95" + bytes(7))
    license_, log = bytearray(b"MIT\0"), bytearray(1 << 16)
    values: dict[str, int | bytes] = {
        "prog_type": PROGRAM_TYPES.index(program_type),
        "expected_attach_type": ATTACH_TYPES.index(attach_type) if attach_type else 0,
        "attach_btf_id": iterator() if attach_type == "trace_iter" else 0,
        "insn_cnt": 2,
        "insns": address(code),
        "license": address(license_),
        "log_level": 2,  # 1 says nothing of a program that is taken
        "log_size": len(log),
        "log_buf": address(log),
        "prog_flags": SLEEPABLE if program_type == "syscall" else 0,
    }
    result = bpf_errno(abi.PROG_LOAD, fill(LAYOUT, values))
    if result >= 0:
        os.close(result)
    return bytes(log).partition(b"\0")[0].decode()


@functools.cache
def iterator() -> int:
    try:
        return max(library().call("libbpf_find_vmlinux_btf_id", b"task", ATTACH_TYPES.index("trace_iter"))[0], 0)
    except Error:
        return 0


def verdict(log: str) -> str | None:
    """ "gpl" or "free"; None where such a program may not call the function at all, or nothing was said."""
    if "cannot call GPL-restricted function" in log:
        return "gpl"
    refused = ("cannot use helper", "unknown func", "invalid func")
    return "free" if "(85) call" in log and not any(words in log for words in refused) else None


@pytest.fixture(scope="module")
def logs() -> dict[tuple[str, int], str]:
    skip_unless("xdp", "btf")
    kinds = [kind for kind in KINDS.split() if known(kind)]
    return {(kind, number): log_of_call(kind, number) for kind in kinds for number in range(1, LAST + 1)}


def test_the_kernel_names_them_alike(logs: dict[tuple[str, int], str]) -> None:
    said = {
        (int(number), name) for log in logs.values() for name, number in re.findall(r"\(85\) call (bpf_\w+)#(\d+)", log)
    }
    newest = max(number for number, _ in said)
    assert newest > 150
    assert said == {(number, helper_name(number)) for number in range(1, newest + 1)}


def test_the_kernel_has_no_more_of_them() -> None:
    skip_unless("xdp")
    assert "invalid func" in log_of_call("xdp/xdp", LAST + 1)


def test_those_for_gpl_programs_only(logs: dict[tuple[str, int], str]) -> None:
    wrong, seen = [], set()
    for (kind, number), log in logs.items():
        program_type, _, attach_type = kind.partition("/")
        said = verdict(log)
        if said is None:
            continue
        seen.add(number)
        expected = gpl_only(number) and not free_for(helper_name(number), program_type, attach_type or None)
        if expected != (said == "gpl"):
            wrong.append((helper_name(number), kind, said))
    assert wrong == []
    assert len(seen) > 150
