"""What decides on this host, beside the kernel's features, whether programs may be loaded: read, never tried."""

from __future__ import annotations

import os

from bpfimg.kernel import _mounts

#: capability -> its bit; the four that eBPF asks for, and those that reading what is around it takes
CAPABILITIES = {
    "CAP_DAC_READ_SEARCH": 2,
    "CAP_NET_ADMIN": 12,
    "CAP_SYS_ADMIN": 21,
    "CAP_SYS_RESOURCE": 24,
    "CAP_SYSLOG": 34,
    "CAP_PERFMON": 38,
    "CAP_BPF": 39,
}


def capability_set() -> int | None:
    """Returns the effective capabilities of this process, as bits; None where /proc is not to be seen."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith("CapEff:"):
                    return int(line.split()[1], 16)
    except OSError:
        pass
    return None


def in_user_namespace() -> bool:
    """Returns whether this is a user namespace (a rootless container), whose capabilities are not the host's."""
    try:
        with open("/proc/self/uid_map", encoding="ascii") as file:
            return file.read().split() != ["0", "0", "4294967295"]
    except OSError:
        return False


def lockdown() -> str | None:
    """Returns `none`, `integrity` or `confidentiality`; None where securityfs is not mounted, or without lockdown."""
    text = _security("lockdown")
    return text.partition("[")[2].partition("]")[0] or None if text else None


def security_modules() -> tuple[str, ...] | None:
    """Returns the active security modules in their order; None where securityfs is not mounted."""
    text = _security("lsm")
    return tuple(text.split(",")) if text else None


def _security(name: str) -> str:
    for mount in _mounts.of_type("securityfs"):
        try:
            with open(f"{mount}/{name}", encoding="ascii") as file:
                return file.read().strip()
        except (OSError, UnicodeDecodeError):
            continue
    return ""


def setting(path: str) -> int | None:
    """Returns a number of sysctl, by its path below /proc/sys; None where it is not there or may not be read."""
    try:
        with open(f"/proc/sys/{path}", encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return None


def configuration() -> dict[str, str] | None:
    """Returns the kernel's build options that are about eBPF, without CONFIG_; None where they cannot be read."""
    text = _configuration_text()
    if text is None:
        return None
    found = {}
    for line in text.splitlines():
        name, equals, setting = line.removeprefix("# ").partition("=")
        if not equals and line.endswith(" is not set"):
            name, setting = line.removeprefix("# ").removesuffix(" is not set"), "n"
        name = name.removeprefix("CONFIG_")
        if setting and (name in _OPTIONS or "BPF" in name.split("_")):
            found[name] = setting.strip('"')
    return found


def _configuration_text() -> str | None:
    try:
        import gzip

        with gzip.open("/proc/config.gz", "rt", encoding="ascii", errors="replace") as packed:
            return packed.read(_TEXT_MAX)
    except (OSError, EOFError):
        pass
    try:
        with open(f"/boot/config-{os.uname().release}", encoding="ascii", errors="replace") as file:
            return file.read(_TEXT_MAX)
    except OSError:
        return None


_TEXT_MAX = 1 << 20
_OPTIONS = (  # noqa: SIM905  # words
    "CGROUPS DEBUG_INFO_BTF DEBUG_INFO_BTF_MODULES DYNAMIC_FTRACE_WITH_DIRECT_CALLS FPROBE FTRACE_SYSCALLS "
    "FUNCTION_ERROR_INJECTION KPROBES LWTUNNEL_BPF NETKIT NET_ACT_BPF NET_CLS_ACT NET_CLS_BPF NET_SCH_INGRESS "
    "SECURITY_LOCKDOWN_LSM TRACING UPROBES XDP_SOCKETS"
).split()
