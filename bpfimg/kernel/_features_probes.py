"""The probes behind `_features.FEATURES`: each tries the smallest thing of its kind: True, False, or None."""

from __future__ import annotations

import os

from bpfimg.errors import Error
from bpfimg.kernel import _abi as abi
from bpfimg.kernel import _features_tried as tried
from bpfimg.kernel._failure import missing_capabilities, permitted
from bpfimg.kernel._host_facts import security_modules
from bpfimg.kernel._syscall import ORDER, address, bpf_errno, fill

GET_ATTACH_COOKIE = 174  # BPF_FUNC_get_attach_cookie
_STRUCT = 4  # BTF_KIND_STRUCT
_NOT_KNOWN = (tried.EINVAL, tried.E2BIG, tried.EOPNOTSUPP, tried.ENOTSUPP)


def filesystem(kind: str) -> bool | None:
    """Whether the kernel has that type of filesystem, mounted or not."""
    try:
        with open("/proc/filesystems", encoding="ascii") as file:
            return any(line.split()[-1:] == [kind] for line in file)
    except OSError:
        return None


def kernel_btf() -> bool:
    """Whether the kernel shows its types."""
    return os.path.exists("/sys/kernel/btf/vmlinux")


def perf_source(name: str) -> bool | None:
    """Whether the kernel has that kind of perf event; None where sysfs is not to be seen."""
    sources = "/sys/bus/event_source/devices"
    return os.path.isdir(f"{sources}/{name}") if os.path.isdir(sources) else None


def loads(
    program_type: str, attach_type: str | None = None, *, flags: int = 0, lacks: tuple[int, ...] = _NOT_KNOWN
) -> bool | None:
    """Whether a trivial program loads."""
    number = tried.load(program_type, attach_type, flags=flags)
    return True if number == 0 else False if number in lacks else None


def links(program_type: str, attach_type: str, *, yes: int) -> bool | None:
    """Whether there are links of that kind: one to nothing is refused with `yes` by a kernel that has them."""
    return {yes: True, tried.EINVAL: False}.get(tried.link(program_type, attach_type))


def kprobe_multi() -> bool | None:
    """Names of functions at an address where nothing is: EFAULT from a kernel that would read them."""
    extra = bytearray(32)
    extra[4:8] = (1).to_bytes(4, ORDER)  # cnt
    extra[8:16] = (1).to_bytes(8, ORDER)  # syms
    number = tried.link_with("kprobe", "trace_kprobe_multi", bytes(extra))
    return {tried.EFAULT: True, tried.EINVAL: False, tried.EOPNOTSUPP: False}.get(number)


def uprobe_multi() -> bool | None:
    """A probe in a directory, which is no file: EBADF."""
    path, offset = bytearray(b"/\0"), bytearray(8)
    extra = bytearray(44)
    extra[0:8] = address(path).to_bytes(8, ORDER)
    extra[8:16] = address(offset).to_bytes(8, ORDER)
    extra[32:36] = (1).to_bytes(4, ORDER)  # cnt
    number = tried.link_with("kprobe", "trace_uprobe_multi", bytes(extra))
    return {tried.EBADF: True, tried.EINVAL: False, tried.EOPNOTSUPP: False}.get(number)


def link_detach() -> bool | None:
    """Whether links can be detached by force."""
    number = -bpf_errno(abi.LINK_DETACH, fill(abi.ATTR_LINK_DETACH, {"link_fd": tried.NOWHERE}))
    return {tried.EBADF: True, tried.EINVAL: False}.get(number)


def traces(program_type: str, attach_type: str, *targets: str) -> bool | None:
    """Whether a trivial program for one of these functions, LSM hooks, tracepoints or iterators loads."""
    answer = None
    for target in targets:
        found = function(target, tried.attach_number(attach_type))
        if found is None:
            return None
        if found > 0:
            number = tried.load(program_type, attach_type, btf_id=found)
            if number == tried.EPERM:
                return refused(program_type)
            if number not in _NOT_KNOWN:
                return True if number == 0 else None
            answer = False  # unless it is for want of something that another target does not need
    return answer if kernel_btf() else False


def lsm() -> bool | None:
    """Whether LSM programs load, and would be called."""
    answer = traces("lsm", "lsm_mac", "file_open")
    return lsm_called() if answer else answer


def lsm_called() -> bool | None:
    """Whether BPF is among the active security modules: a kernel that has it may be started without."""
    active = security_modules()
    return None if active is None else "bpf" in active


def struct_ops() -> bool | None:
    """Whether a function of a TCP congestion control can be a program."""
    from bpfimg.kernel._library import library

    try:
        lib = library()
    except Error:
        return None
    types, _ = lib.call("btf__load_vmlinux_btf")
    if not types:
        return None
    try:
        found, _ = lib.call("btf__find_by_name_kind", types, b"tcp_congestion_ops", _STRUCT)
    finally:
        lib.btf__free(types)
    if found <= 0:
        return None
    number = tried.load("struct_ops", _SSTHRESH, btf_id=found)
    if number == tried.EPERM:
        return refused("struct_ops")
    return True if number in (0, tried.EINVAL, tried.EACCES) else False if number == tried.ENOTSUPP else None


def struct_ops_link() -> bool | None:
    """Whether tables of operations are attached by links: then the kernel's types have a number for that."""
    try:
        with open("/sys/kernel/btf/vmlinux", "rb") as file:
            return b"\0BPF_STRUCT_OPS\0" in file.read()
    except OSError:
        return None


_SSTHRESH = 0  # whichever member it is: what is no function is refused with another number than "not supported"


def refused(program_type: str) -> bool | None:
    """What EPERM means: False where this process may load such programs as far as capabilities go, else None."""
    from bpfimg.kernel._features import has

    tracing = program_type in ("tracing", "lsm", "ext", "struct_ops")
    wanted = ("CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN") if tracing else ("CAP_BPF", "CAP_NET_ADMIN")
    return False if not missing_capabilities(wanted, permitted()) and has("xdp") else None


def function(name: str, attach_type: int) -> int | None:
    """The id of what is attached to, in the kernel's types; 0 or less if there is none, None if nobody can say."""
    from bpfimg.kernel._library import library

    if (name, attach_type) not in _found:
        try:
            found, _ = library().call("libbpf_find_vmlinux_btf_id", name.encode(), attach_type)
        except Error:
            return None
        _found[name, attach_type] = found
    return _found[name, attach_type]


_found: dict[tuple[str, int], int] = {}  # a look through all types takes milliseconds
