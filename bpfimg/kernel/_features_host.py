"""What is read about this host, of all that decides whether and how programs can be loaded."""

from __future__ import annotations

import os

from bpfimg._value import value
from bpfimg.errors import Error
from bpfimg.kernel import _host_facts as read
from bpfimg.kernel._features_hooks import mounts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_MOUNTED = ("bpf", "tracefs", "cgroup2")


@value(frozen=True, slots=True)
class Facts:
    """None where it could not be read.

    release, machine   of the running kernel
    libbpf             version of the library; None where there is none
    btf                whether the kernel shows its types
    jit                net.core.bpf_jit_enable: 0 off, 1 on, 2 with debug output
    unprivileged       kernel.unprivileged_bpf_disabled: 0 allowed, 1 never, 2 not unless changed
    lockdown           none, integrity, confidentiality
    security_modules   the active ones
    capabilities       those that matter -> whether this process has them
    user_namespace     whether they are only those of a user namespace
    mounts             file system (bpf, tracefs, cgroup2) -> where
    configuration      build options of the kernel that are about eBPF
    """

    release: str
    machine: str
    libbpf: str | None
    btf: bool
    jit: int | None
    unprivileged: int | None
    lockdown: str | None
    security_modules: tuple[str, ...] | None
    capabilities: Mapping[str, bool] | None
    user_namespace: bool
    mounts: Mapping[str, tuple[str, ...]]
    configuration: Mapping[str, str] | None


def facts() -> Facts:
    """Reads them; nothing of it needs a capability, though without one some cannot be read."""
    kernel = os.uname()
    held = read.capability_set()
    return Facts(
        release=kernel.release,
        machine=kernel.machine,
        libbpf=_libbpf(),
        btf=os.path.exists("/sys/kernel/btf/vmlinux"),
        jit=read.setting("net/core/bpf_jit_enable"),
        unprivileged=read.setting("kernel/unprivileged_bpf_disabled"),
        lockdown=read.lockdown(),
        security_modules=read.security_modules(),
        capabilities=None if held is None else {n: bool(held >> bit & 1) for n, bit in read.CAPABILITIES.items()},
        user_namespace=read.in_user_namespace(),
        mounts={kind: mounts(kind) for kind in _MOUNTED},
        configuration=read.configuration(),
    )


def _libbpf() -> str | None:
    from bpfimg.kernel._library import version

    try:
        return version()
    except Error:
        return None
