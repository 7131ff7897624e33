"""What this kernel has, found out by trying: yes, no, could not tell. Nothing is attached, no version is compared."""

from __future__ import annotations

import errno
import os

from bpfimg.errors import Error, KernelError
from bpfimg.kernel import _abi as abi
from bpfimg.kernel import _bpf_links as links

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_NO_INTERFACE = 0x7FFFFFFF
_BAD_FD = 0x7FFFFFFF
# Their trivial program lacks something (a target, BPF_F_SLEEPABLE): EINVAL says nothing about the type.
_NOT_TRIVIAL = ("tracing", "struct_ops", "ext", "lsm", "syscall")
_UNKNOWN = (errno.EINVAL, errno.E2BIG, errno.EOPNOTSUPP, 524)

# The smallest map of a type, where key 4, value 4 and one entry will not do: (key, value, entries), flags.
_TRIVIAL_MAPS = {
    "stack_trace": (4, 8, 1),
    "lpm_trie": (8, 4, 1),
    "queue": (0, 4, 1),
    "stack": (0, 4, 1),
    "bloom_filter": (0, 4, 1),
    "ringbuf": (0, 0, 65536),  # a page, of whatever size
    "user_ringbuf": (0, 0, 65536),
    "arena": (0, 0, 1),
}
_TRIVIAL_FLAGS = {"lpm_trie": 1, "arena": 1 << 10}  # NO_PREALLOC, MMAPABLE
# These take BTF, an inner map or another object.
_NOT_TRIVIAL_MAPS = (
    "unspec array_of_maps hash_of_maps cgroup_storage percpu_cgroup_storage sk_storage inode_storage task_storage "
    "cgrp_storage struct_ops"
)

_answers: dict[str, bool] = {}  # kernels do not change under a process; "could not tell" is asked again


def has(feature: str) -> bool | None:
    """Returns whether this kernel has `feature` (one of `FEATURES`): True, False, or None when it did not say."""
    probe = FEATURES.get(feature)
    if probe is None:
        raise ValueError(f"no feature {feature!r}, expected one of {', '.join(FEATURES)}")
    if feature not in _answers:
        answer = probe()
        if answer is None:
            return None
        _answers[feature] = answer
    return _answers[feature]


def program_type(type_id: int, attach_type: int = 0) -> bool | None:
    """Returns whether the kernel takes a program of this type at all."""
    try:
        links.prog_load_trivial(type_id, attach_type).close()
    except KernelError as error:
        known = type_id < len(abi.PROGRAM_TYPES) and abi.PROGRAM_TYPES[type_id] in _NOT_TRIVIAL
        return False if error.errno in _UNKNOWN and not known else None
    return True


def map_type(type_id: int) -> bool | None:
    """Returns whether the kernel makes maps of this type at all."""
    from bpfimg.kernel._bpf_maps import map_create

    if type_id >= len(abi.MAP_TYPES):
        return None
    word = abi.MAP_TYPES[type_id]
    if word in _NOT_TRIVIAL_MAPS.split():
        return None
    try:
        map_create(type_id, *_TRIVIAL_MAPS.get(word, (4, 4, 1)), flags=_TRIVIAL_FLAGS.get(word, 0)).close()
    except KernelError as error:
        return False if error.errno in _UNKNOWN else None
    return True


def _bpffs() -> bool | None:
    try:
        with open("/proc/filesystems", encoding="ascii") as file:
            return any(line.split()[-1:] == ["bpf"] for line in file)
    except OSError:
        return None


def _linkable(type_id: int, attach_type: int, target: int, yes: int) -> bool | None:
    """Tries a link to a target that cannot be: a kernel that has such links says `yes`, another EINVAL."""
    try:
        with links.prog_load_trivial(type_id, 0) as program:
            links.link_create(program, target, attach_type).close()
    except KernelError as error:
        return {yes: True, errno.EINVAL: False}.get(error.errno)
    return None


def _trampolines() -> bool | None:
    from bpfimg.kernel._library import library

    try:
        function, _ = library().call("libbpf_find_vmlinux_btf_id", b"bpf_fentry_test1", abi.ATTACH_TRACE_FENTRY)
        if function <= 0:
            return None
        links.prog_load_trivial(abi.PROG_TYPE_TRACING, abi.ATTACH_TRACE_FENTRY, attach_btf_id=function).close()
    except KernelError as error:
        # EPERM is a refusal only from a kernel that lets us load something else.
        return False if error.errno == errno.EPERM and has("xdp") else None
    except Error:
        return None
    return True


FEATURES: dict[str, Callable[[], bool | None]] = {
    "bpffs": _bpffs,
    "btf": lambda: os.path.exists("/sys/kernel/btf/vmlinux"),
    "xdp": lambda: program_type(abi.PROG_TYPE_XDP, abi.ATTACH_XDP),
    "tcx": lambda: _linkable(abi.PROG_TYPE_SCHED_CLS, abi.ATTACH_TCX_INGRESS, _NO_INTERFACE, errno.ENODEV),
    "perf-link": lambda: _linkable(abi.PROG_TYPE_TRACEPOINT, abi.ATTACH_PERF_EVENT, _BAD_FD, errno.EBADF),
    "netfilter": lambda: program_type(abi.PROG_TYPE_NETFILTER, abi.ATTACH_NETFILTER),
    "kprobe": lambda: os.path.isdir("/sys/bus/event_source/devices/kprobe"),
    "trampolines": _trampolines,
}
