"""What this kernel has, found out by trying: yes, no, could not tell. Nothing is attached, no version is compared."""

from __future__ import annotations

from bpfimg.kernel import _abi as abi
from bpfimg.kernel import _features_probes as probes
from bpfimg.kernel import _features_tried as tried
from bpfimg.kernel._failure import permission_hint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from bpfimg.kernel._features_hooks import Answer
    from bpfimg.kernel._features_host import Facts as Facts  # noqa: PLC0414  # for those who ask

__all__ = [
    "FEATURES",
    "has",
    "helper_function",
    "helper_functions",
    "hook",
    "host",
    "map_type",
    "permission_hint",
    "program_type",
    "untold",
]

#: what a kernel says that does not know a type, where the program itself gives no reason
_UNKNOWN = (tried.EINVAL, tried.E2BIG, tried.EOPNOTSUPP, tried.ENOTSUPP)

_answers: dict[str, bool] = {}  # kernels do not change under a process; "could not tell" is asked again


def has(feature: str) -> bool | None:
    """Returns whether this kernel has `feature` (one of `FEATURES`): True, False, or None when it did not say."""
    probe = FEATURES.get(feature)
    if probe is None:
        raise ValueError(f"no feature {feature!r}, expected one of {', '.join(FEATURES)}")
    return _once(feature, probe)


def program_type(type_id: int, attach_type: int = 0) -> bool | None:
    """Returns whether the kernel takes programs of this type, and loads them for this attach type if one is given.

    False for one that is refused whatever it does, as programs that need BPF trampolines are by some machines.
    """
    word = abi.PROGRAM_TYPES[type_id] if 0 < type_id < len(abi.PROGRAM_TYPES) else ""
    if not word:
        return None if type_id == 0 else False
    return _once(f"program {word} {attach_type}", lambda: _program_type(word, attach_type))


def map_type(type_id: int) -> bool | None:
    """Returns whether the kernel makes maps of this type."""
    from bpfimg.kernel._features_maps import map_type as answer

    return _once(f"map {type_id}", lambda: answer(type_id))


def helper_function(type_id: int, number: int) -> bool | None:
    """Returns whether programs of this type may call the kernel's helper function of this number."""
    from bpfimg.kernel._features_helpers import helper_function as answer

    return _once(f"helper {type_id} {number}", lambda: answer(type_id, number))


def helper_functions(type_id: int) -> tuple[tuple[str, bool], ...]:
    """Returns (name, whether programs of this type may call it) of all helper functions; () if it cannot say."""
    from bpfimg.kernel._features_helpers import helper_functions as answer

    return tuple(answer(type_id))


def hook(word: str) -> Answer:
    """Returns whether programs can be attached to that kind of hook (a word of the command line), and why not."""
    from bpfimg.kernel._features_hooks import hook as answer

    return answer(word)


def untold(program_type: str) -> str:
    """Returns which capability is missing to tell whether programs of that type can be loaded; "" if none is."""
    from bpfimg.kernel._features_hooks import untold as answer

    return answer(program_type)


def host() -> Facts:
    """Returns what is read about this host, not tried: settings, mounts, capabilities."""
    from bpfimg.kernel._features_host import facts

    return facts()


def _once(question: str, probe: Callable[[], bool | None]) -> bool | None:
    if question not in _answers:
        answer = probe()
        if answer is None:
            return None
        _answers[question] = answer
    return _answers[question]


def _program_type(word: str, attach_type: int) -> bool | None:
    number, log = tried.told(word, attach_type or None)
    if number == 0:
        return True
    if log:  # from the verifier, which is reached only with a type that there is
        return True if not attach_type else None
    if number == tried.EPERM:
        return probes.refused(word)
    return False if number in _UNKNOWN else None


FEATURES: dict[str, Callable[[], bool | None]] = {
    "bpffs": lambda: probes.filesystem("bpf"),
    "tracefs": lambda: probes.filesystem("tracefs"),
    "cgroup2": lambda: probes.filesystem("cgroup2"),
    "btf": probes.kernel_btf,
    "xdp": lambda: probes.loads("xdp", "xdp"),
    "xdp-frags": lambda: probes.loads("xdp", "xdp", flags=tried.XDP_HAS_FRAGS, lacks=(tried.EINVAL,)),
    "tcx": lambda: probes.links("sched_cls", "tcx_ingress", yes=tried.ENODEV),
    "netkit": lambda: probes.links("sched_cls", "netkit_primary", yes=tried.ENODEV),
    "netfilter": lambda: probes.loads("netfilter", "netfilter"),
    "sk-lookup": lambda: probes.loads("sk_lookup", "sk_lookup"),
    "flow-dissector": lambda: probes.loads("flow_dissector", "flow_dissector"),
    "sockmap-link": lambda: probes.links("sk_msg", "sk_msg_verdict", yes=tried.EBADF),
    "cgroup": lambda: probes.loads("cgroup_skb", "cgroup_inet_ingress"),
    "cgroup-link": lambda: probes.links("cgroup_skb", "cgroup_inet_ingress", yes=tried.EBADF),
    "raw-tracepoint": lambda: probes.loads("raw_tracepoint"),
    "perf-link": lambda: probes.links("tracepoint", "perf_event", yes=tried.EBADF),
    "kprobe": lambda: probes.perf_source("kprobe"),
    "ksyscall": lambda: probes.perf_source("kprobe"),
    "kprobe-multi": probes.kprobe_multi,
    "uprobe": lambda: probes.perf_source("uprobe"),
    "uprobe-multi": probes.uprobe_multi,
    "bpf-cookie": lambda: helper_function(abi.PROGRAM_TYPES.index("tracepoint"), probes.GET_ATTACH_COOKIE),
    "trampolines": lambda: probes.traces("tracing", "trace_fentry", "bpf_fentry_test1", "vfs_read"),
    "fmod-ret": lambda: probes.traces("tracing", "modify_return", "bpf_modify_return_test", "security_file_open"),
    "tp-btf": lambda: probes.traces("tracing", "trace_raw_tp", "sched_switch"),
    "iter": lambda: probes.traces("tracing", "trace_iter", "task", "bpf_map"),
    "lsm": probes.lsm,
    "lsm-cgroup": lambda: probes.traces("lsm", "lsm_cgroup", "socket_bind"),
    "struct-ops": probes.struct_ops,
    "struct-ops-link": probes.struct_ops_link,
    "syscall": lambda: probes.loads("syscall", flags=tried.SLEEPABLE),
    "link-detach": probes.link_detach,
}
