"""The hooks that a program can be attached to: a closed union of frozen values, valid from birth.

A door within the door of `load`: one name for each kind, `Hook` for any of them, and `to_dict` and `from_dict` for
records and files.
"""

from __future__ import annotations

from bpfimg._door import opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.load._hooks import _attachable as attachable
    from bpfimg.load._hooks._by_section import BySection
    from bpfimg.load._hooks._cgroup import Cgroup
    from bpfimg.load._hooks._net import ACTIONS, Netfilter, Netkit, Netns, Sockmap, Tc, Tcx, Xdp
    from bpfimg.load._hooks._trace import Kprobe, Ksyscall, PerfEvent, RawTracepoint, StructOps, Tracepoint, Tracing
    from bpfimg.load._hooks._union import Hook
    from bpfimg.load._hooks._user import Uprobe, Usdt
    from bpfimg.load._hooks._words import WORDS, from_dict, to_dict

__all__ = [
    "ACTIONS",
    "WORDS",
    "BySection",
    "Cgroup",
    "Hook",
    "Kprobe",
    "Ksyscall",
    "Netfilter",
    "Netkit",
    "Netns",
    "PerfEvent",
    "RawTracepoint",
    "Sockmap",
    "StructOps",
    "Tc",
    "Tcx",
    "Tracepoint",
    "Tracing",
    "Uprobe",
    "Usdt",
    "Xdp",
    "attachable",
    "from_dict",
    "to_dict",
]

__getattr__ = opened(
    __name__,
    {
        "ACTIONS": "_net",
        "BySection": "_by_section",
        "Cgroup": "_cgroup",
        "Hook": "_union",
        "Kprobe": "_trace",
        "Ksyscall": "_trace",
        "Netfilter": "_net",
        "Netkit": "_net",
        "Netns": "_net",
        "PerfEvent": "_trace",
        "RawTracepoint": "_trace",
        "Sockmap": "_net",
        "StructOps": "_trace",
        "Tc": "_net",
        "Tcx": "_net",
        "Tracepoint": "_trace",
        "Tracing": "_trace",
        "Uprobe": "_user",
        "Usdt": "_user",
        "WORDS": "_words",
        "Xdp": "_net",
        "attachable": "_attachable*",
        "from_dict": "_words",
        "to_dict": "_words",
    },
)
