"""Which capabilities loading and attaching take, and which of them are missing.

By program type as `bpf_prog_load` of kernel/bpf/syscall.c asks for them (5.8 to 6.18): the types of the network take
CAP_NET_ADMIN, those that look into the kernel CAP_PERFMON, and CAP_SYS_ADMIN stands for both CAP_BPF and CAP_PERFMON.
"""

from __future__ import annotations

_NET = (  # noqa: SIM905  # words
    "sched_cls sched_act xdp lwt_in lwt_out lwt_xmit lwt_seg6local sk_skb sk_msg flow_dissector netfilter "
    "cgroup_device cgroup_sock cgroup_sock_addr cgroup_sockopt cgroup_sysctl sock_ops"
).split()
_TRACING = "kprobe tracepoint perf_event raw_tracepoint raw_tracepoint_writable tracing lsm struct_ops".split()  # noqa: SIM905


def to_load(program_type: str) -> tuple[str, ...]:
    """Returns the capabilities that loading a program of this type takes."""
    if program_type == "ext":
        return ("CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN")
    if program_type in _NET:
        return ("CAP_BPF", "CAP_NET_ADMIN")
    return ("CAP_BPF", "CAP_PERFMON") if program_type in _TRACING else ("CAP_BPF",)


def to_open(*, uprobe: bool) -> tuple[str, ...]:
    """Returns the capabilities that opening a perf event of every process takes.

    perf_uprobe_event_init asks for more than its siblings, and Debian's and Ubuntu's kernels, whose setting
    kernel.perf_event_paranoid may be above 2, for as much for every event.
    """
    return ("CAP_SYS_ADMIN",) if uprobe or paranoid() > _MAINLINE else ("CAP_PERFMON",)


def paranoid() -> int:
    """Returns kernel.perf_event_paranoid; 2, the default of Linux, where it cannot be read."""
    from bpfimg.kernel._host_facts import setting

    found = setting("kernel/perf_event_paranoid")
    return _MAINLINE if found is None else found


_MAINLINE = 2
