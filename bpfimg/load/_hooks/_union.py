"""The closed union of hooks."""

from __future__ import annotations

from typing import TypeAlias

from bpfimg.load._hooks._cgroup import Cgroup
from bpfimg.load._hooks._net import Netfilter, Netkit, Netns, Sockmap, Tc, Tcx, Xdp
from bpfimg.load._hooks._trace import Kprobe, Ksyscall, PerfEvent, RawTracepoint, StructOps, Tracepoint, Tracing
from bpfimg.load._hooks._user import Uprobe, Usdt

Hook: TypeAlias = (
    Xdp
    | Tc
    | Tcx
    | Netkit
    | Netfilter
    | Netns
    | Sockmap
    | Cgroup
    | Tracepoint
    | RawTracepoint
    | Kprobe
    | Ksyscall
    | Tracing
    | PerfEvent
    | StructOps
    | Uprobe
    | Usdt
)
