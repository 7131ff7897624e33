"""What each kind of hook needs of the kernel and of this host, and which of it is not there, in words."""

from __future__ import annotations

import os

from bpfimg._value import value
from bpfimg.kernel import _abi as abi
from bpfimg.kernel import _mounts
from bpfimg.kernel._capabilities import to_load, to_open
from bpfimg.kernel._failure import permission_hint

#: hook -> program type, features that it needs, file system that has to be mounted ("" for none)
HOOKS: dict[str, tuple[str, tuple[str, ...], str]] = {
    "xdp": ("xdp", ("xdp",), ""),
    "tc": ("sched_cls", (), ""),
    "tcx": ("sched_cls", ("tcx",), ""),
    "netkit": ("sched_cls", ("netkit",), ""),
    "netfilter": ("netfilter", ("netfilter",), ""),
    "sk_lookup": ("sk_lookup", ("sk-lookup",), ""),
    "flow_dissector": ("flow_dissector", ("flow-dissector",), ""),
    "sk_msg": ("sk_msg", (), ""),
    "sk_skb": ("sk_skb", (), ""),
    "cgroup": ("cgroup_skb", ("cgroup", "cgroup-link"), "cgroup2"),
    "tracepoint": ("tracepoint", ("perf-link",), "tracefs"),
    "raw_tracepoint": ("raw_tracepoint", ("raw-tracepoint",), ""),
    "tp_btf": ("tracing", ("tp-btf",), ""),
    "kprobe": ("kprobe", ("kprobe", "perf-link"), ""),
    "kretprobe": ("kprobe", ("kprobe", "perf-link"), ""),
    "ksyscall": ("kprobe", ("kprobe", "perf-link"), ""),
    "kretsyscall": ("kprobe", ("kprobe", "perf-link"), ""),
    "fentry": ("tracing", ("trampolines",), ""),
    "fexit": ("tracing", ("trampolines",), ""),
    "fmod_ret": ("tracing", ("fmod-ret",), ""),
    "lsm": ("lsm", ("lsm",), ""),
    "perf_event": ("perf_event", ("perf-link",), ""),
    "struct_ops": ("struct_ops", ("struct-ops",), ""),
    "uprobe": ("kprobe", ("uprobe", "perf-link"), ""),
    "uretprobe": ("kprobe", ("uprobe", "perf-link"), ""),
    "usdt": ("kprobe", ("uprobe", "perf-link", "bpf-cookie"), ""),
    "iter": ("tracing", ("iter",), ""),
    "syscall": ("syscall", ("syscall",), ""),
}
_TRAMPOLINES = "this kernel refuses programs that need BPF trampolines (freplace, fentry, fexit, LSM)"
#: what it means that a feature is not there; versions only say when it came
LACKING = {
    "tcx": "this kernel has no TCX links (Linux 6.6)",
    "netkit": "this kernel was built without netkit devices, or is older (Linux 6.7)",
    "netfilter": "this kernel has no netfilter programs (Linux 6.4)",
    "sk-lookup": "this kernel has no sk_lookup programs (Linux 5.9)",
    "cgroup": "this kernel was built without programs of control groups",
    "cgroup-link": "this kernel has no links of control groups (Linux 5.7)",
    "perf-link": "this kernel has no links of perf events (Linux 5.15)",
    "kprobe": "this kernel was built without kprobes",
    "uprobe": "this kernel was built without uprobes",
    "bpf-cookie": "this kernel tells programs no cookies (Linux 5.15)",
    "trampolines": _TRAMPOLINES,
    "fmod-ret": _TRAMPOLINES,
    "tp-btf": "this kernel has no tracepoints with types",
    "lsm": "this kernel takes no LSM programs",
    "iter": "this kernel has no iterators (Linux 5.8)",
    "struct-ops": "this kernel takes no tables of operations from programs",
    "syscall": "this kernel has no syscall programs (Linux 5.14)",
}
_UPROBES = ("uprobe", "uretprobe", "usdt")
_EVENTS = ("tracepoint", "perf_event", "kprobe", "kretprobe", "ksyscall", "kretsyscall", *_UPROBES)
_ROOT = ". Run it as root"
_MOUNTS = {
    "cgroup2": "no cgroup2 is mounted: mount -t cgroup2 none /sys/fs/cgroup",
    "tracefs": "tracefs is not mounted: mount -t tracefs tracefs /sys/kernel/tracing",
}


@value(frozen=True, slots=True)
class Answer:
    """`has`: yes, no, or None where it could not be told; `reason` says why not yes, "" where that is not known."""

    has: bool | None
    reason: str = ""


def hook(word: str) -> Answer:
    """Returns whether programs can be attached to that kind of hook here, by this process."""
    from bpfimg.kernel._features import has, program_type

    program, features, mounted = HOOKS[word]
    for feature in features:
        answer = has(feature)
        if answer is not True:
            return Answer(answer, _why(feature) if answer is False else untold(program))
    answer = program_type(abi.PROGRAM_TYPES.index(program))
    if answer is not True:
        return Answer(answer, f"this kernel takes no {program} programs" if answer is False else untold(program))
    if word in _EVENTS:
        refusal = permission_hint(to_open(uprobe=word in _UPROBES), "opening its event")
        if refusal:
            return Answer(False, refusal.removesuffix(_ROOT))
    if mounted:
        places = mounts(mounted)
        if not places:
            return Answer(False, _MOUNTS[mounted])
        if not os.access(places[0], os.X_OK):
            needs = permission_hint(("CAP_DAC_READ_SEARCH",), "reading what only root may read")
            return Answer(False, f"{mounted} at {places[0]} is closed to this user: {needs.removesuffix(_ROOT)}")
    return Answer(True)


def mounts(kind: str) -> tuple[str, ...]:
    """Returns where that file system is mounted; tracefs also where debugfs has it."""
    try:
        found = _mounts.of_type(kind)
        if kind == "tracefs" and not found:
            return tuple(f"{mount}/tracing" for mount in _mounts.of_type("debugfs"))
    except OSError:
        return ()
    return found


def _why(feature: str) -> str:
    from bpfimg.kernel._features import has
    from bpfimg.kernel._host_facts import security_modules

    if feature == "lsm":
        if has("trampolines") is False:
            return _TRAMPOLINES
        if "bpf" not in (security_modules() or ("bpf",)):
            return "BPF LSM is built in but not enabled: add bpf to lsm= on the kernel command line"
    return LACKING.get(feature, f"this kernel has no {feature}")


def untold(program: str) -> str:
    """Which capability is missing to tell; "" if none is."""
    return permission_hint(to_load(program), f"to tell, loading {program} programs").removesuffix(_ROOT)
