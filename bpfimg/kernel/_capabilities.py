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
