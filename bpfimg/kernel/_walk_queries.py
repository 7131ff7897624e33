"""What is attached where, and what is behind a descriptor of a process: questions of which most have no answer.

So no answer is None, not an error.
"""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.kernel import _abi as abi
from bpfimg.kernel._fd import Fd
from bpfimg.kernel._syscall import ORDER, address, bpf, bpf_errno, fill, take
from bpfimg.kernel._walk_calls import text_at

_MOST = 64  # BPF_MPROG_MAX and BPF_CGROUP_MAX_PROGS: what one hook holds at most
_NAME = 4096
_STATS_RUN_TIME = 0  # BPF_STATS_RUN_TIME
# enum bpf_task_fd_type
_FD_TYPES = ("raw_tracepoint", "tracepoint", "kprobe", "kretprobe", "uprobe", "uretprobe")


@value(frozen=True, slots=True)
class Attached:
    """The programs on one hook in running order; `link_ids` (tcx, netkit) has 0 for those without a link."""

    prog_ids: tuple[int, ...]
    link_ids: tuple[int, ...]
    flags: int


@value(frozen=True, slots=True)
class Probe:
    """A program on a perf event or raw tracepoint: `kind` uprobe and so on, `name` a function, path or tracepoint."""

    prog_id: int
    kind: str
    name: str
    offset: int
    address: int


def attached(target: int, attach_type: int) -> Attached | None:
    """What is attached to an interface or to a descriptor of a control group, network namespace or map."""
    programs, links = bytearray(4 * _MOST), bytearray(4 * _MOST)
    values: dict[str, int | bytes] = {
        "target_fd": target,
        "attach_type": attach_type,
        "prog_ids": address(programs),
        "count": _MOST,
    }
    if attach_type in abi.WITH_LINK_IDS:
        values["link_ids"] = address(links)
    attr = fill(abi.ATTR_QUERY, values)
    if bpf_errno(abi.PROG_QUERY, attr) < 0:
        return None
    count = min(take(attr, abi.ATTR_QUERY, "count", len(attr)) or 0, _MOST)
    flags = take(attr, abi.ATTR_QUERY, "attach_flags", len(attr)) or 0
    return Attached(_numbers(programs, count), _numbers(links, count) if "link_ids" in values else (), flags)


def _numbers(buffer: bytearray, count: int) -> tuple[int, ...]:
    return tuple(int.from_bytes(buffer[at : at + 4], ORDER) for at in range(0, 4 * count, 4))


def probe(pid: int, fd: int) -> Probe | None:
    """The program behind a descriptor of a process, where that is a perf event or a raw tracepoint with one."""
    room = bytearray(_NAME)
    attr = fill(abi.ATTR_TASK_FD_QUERY, {"pid": pid, "fd": fd, "buf_len": _NAME, "buf": address(room)})
    if bpf_errno(abi.TASK_FD_QUERY, attr) < 0:
        return None

    def word(name: str) -> int:
        return take(attr, abi.ATTR_TASK_FD_QUERY, name, len(attr)) or 0

    kind = word("fd_type")
    name = text_at(room)
    return Probe(
        word("prog_id"),
        _FD_TYPES[kind] if kind < len(_FD_TYPES) else f"type {kind}",
        name,
        word("probe_offset"),
        word("probe_addr"),
    )


def counted() -> Fd:
    """Makes the kernel count how often and how long programs run, for as long as this is open; KernelError EPERM."""
    return Fd(bpf(abi.ENABLE_STATS, fill(abi.ATTR_ENABLE_STATS, {"type": _STATS_RUN_TIME}), "statistics of programs"))
