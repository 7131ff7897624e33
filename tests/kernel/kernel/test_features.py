"""Probes: three answers, and they agree with what happens when the thing is done."""

from __future__ import annotations

import errno
import functools
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import KernelError
from bpfimg.kernel import abi, bpf, features, netlink, netns
from tests.support.descriptors import none_left
from tests.support.netns import namespace, skip_unless, tracefs

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpfimg.kernel import Fd

pytestmark = pytest.mark.kernel


@pytest.fixture(autouse=True)
def _host() -> None:
    skip_unless()


def test_every_probe_answers() -> None:
    answers = {feature: features.has(feature) for feature in features.FEATURES}
    assert answers["xdp"] is True
    assert answers["bpffs"] is True
    assert all(answer in (True, False, None) for answer in answers.values())
    assert {feature: features.has(feature) for feature in features.FEATURES} == answers


def test_trampolines_agree_with_a_load() -> None:
    try:
        bpf.prog_load_trivial(abi.PROG_TYPE_TRACING, abi.ATTACH_TRACE_FENTRY).close()
    except KernelError as error:
        refused = error.errno == 1  # elsewhere: EINVAL, for want of a target
    assert features.has("trampolines") is not refused


def worked(attach: Callable[[], Fd]) -> bool:
    try:
        attach().close()
    except KernelError as error:
        if error.errno != errno.EINVAL:  # what a kernel says that has no such links
            raise
        return False
    return True


def test_tcx_agrees_with_an_attach() -> None:
    with namespace() as ns, bpf.prog_load_trivial(abi.PROG_TYPE_SCHED_CLS) as program:
        index = netns.call(ns.name, netlink.interface_index, ns.interface)
        attach = functools.partial(netns.call, ns.name, bpf.link_create, program, index, abi.ATTACH_TCX_INGRESS)
        assert features.has("tcx") is worked(attach)


def test_perf_links_agree_with_an_attach() -> None:
    with (
        tracefs(),
        bpf.prog_load_trivial(abi.PROG_TYPE_TRACEPOINT) as program,
        bpf.tracepoint_event("syscalls", "sys_enter_getpid") as event,
    ):
        attach = functools.partial(bpf.link_create, program, event.fileno(), abi.ATTACH_PERF_EVENT)
        assert features.has("perf-link") is worked(attach)


@pytest.mark.parametrize(
    ("type_id", "attach_type", "answer"),
    [
        (abi.PROG_TYPE_XDP, abi.ATTACH_XDP, True),
        (abi.PROG_TYPE_SCHED_CLS, 0, True),
        (999, 0, False),
        (abi.PROGRAM_TYPES.index("cgroup_sock_addr"), 999, False),
    ],
)
def test_program_types(type_id: int, attach_type: int, answer: bool | None) -> None:
    assert features.program_type(type_id, attach_type) is answer


def test_map_types() -> None:
    words = {word: features.map_type(number) for number, word in enumerate(abi.MAP_TYPES)}
    assert words["array"] is words["hash"] is words["ringbuf"] is words["lpm_trie"] is True
    assert words["array_of_maps"] is True
    assert words["unspec"] is None
    assert False not in {words[word] for word in ("queue", "stack", "percpu_array", "prog_array", "stack_trace")}


def test_probes_leave_nothing_open() -> None:
    with none_left():
        for feature in features.FEATURES:
            features.has(feature)
        features.program_type(999)


def without(capabilities: str, code: str) -> str:
    """What `code` prints when it runs as root but without some capabilities."""
    argv = ["setpriv", f"--bounding-set={capabilities}", sys.executable, "-c", code]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


TRY = """
from bpfimg.errors import KernelError
from bpfimg.kernel import abi, bpf, features
try:
    {attempt}
    print("done")
except KernelError as error:
    print(error, "|", error.hint)
"""


@pytest.mark.parametrize(
    ("capabilities", "attempt", "says"),
    [
        (
            "-sys_admin,-bpf,-net_admin",
            "bpf.prog_load_trivial(6, 37).close()",
            "PROG_LOAD needs CAP_BPF and CAP_NET_ADMIN; missing: CAP_BPF, CAP_NET_ADMIN. Run it as root",
        ),
        (
            "-sys_admin,-net_admin",
            "bpf.prog_load_trivial(6, 37).close()",
            "missing: CAP_NET_ADMIN. Run it as root",
        ),
        (
            "-sys_admin",
            "list(bpf.program_ids())",
            "PROG_GET_NEXT_ID needs CAP_SYS_ADMIN; missing: CAP_SYS_ADMIN",
        ),
        ("-sys_admin,-bpf", "bpf.map_create(1, 4, 4, 1, name='m').close()", "missing: CAP_BPF"),
        ("-sys_admin,-perfmon", "bpf.prog_load_trivial(6, 37).close()", "done"),
    ],
)
def test_missing_capabilities_are_named(capabilities: str, attempt: str, says: str) -> None:
    said = without(capabilities, TRY.format(attempt=attempt))
    assert says in said


def test_without_capabilities_a_probe_could_not_tell() -> None:
    code = "from bpfimg.kernel import features\nprint(*(features.has(each) for each in ('xdp', 'trampolines', 'tcx')))"
    assert without("-sys_admin,-bpf,-net_admin", code) == "None None None"
