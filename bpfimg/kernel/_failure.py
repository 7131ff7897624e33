"""What a failed system call is called: the command, the object, and a sentence about what is missing.

Imported only when something has failed.
"""

from __future__ import annotations

import errno as _errno
import os

from bpfimg.errors import KernelError, NotSupported
from bpfimg.kernel import _abi as abi
from bpfimg.kernel._fd import Fd, number
from bpfimg.kernel._host_facts import CAPABILITIES

_NET = ("CAP_BPF", "CAP_NET_ADMIN")
_COMMANDS: dict[int, tuple[str, tuple[str, ...]]] = {  # command -> what it does, the capabilities that it takes
    abi.MAP_CREATE: ("create (MAP_CREATE)", ("CAP_BPF",)),
    abi.MAP_LOOKUP_ELEM: ("read (MAP_LOOKUP_ELEM)", ("CAP_BPF",)),
    abi.MAP_UPDATE_ELEM: ("write (MAP_UPDATE_ELEM)", ("CAP_BPF",)),
    abi.MAP_DELETE_ELEM: ("delete from (MAP_DELETE_ELEM)", ("CAP_BPF",)),
    abi.MAP_LOOKUP_AND_DELETE_ELEM: ("take from (MAP_LOOKUP_AND_DELETE_ELEM)", ("CAP_BPF",)),
    abi.MAP_LOOKUP_BATCH: ("read (MAP_LOOKUP_BATCH)", ("CAP_BPF",)),
    abi.MAP_GET_NEXT_KEY: ("walk (MAP_GET_NEXT_KEY)", ("CAP_BPF",)),
    abi.PROG_LOAD: ("load (PROG_LOAD)", _NET),
    abi.OBJ_PIN: ("pin (OBJ_PIN)", ("CAP_BPF",)),
    abi.OBJ_GET: ("open (OBJ_GET)", ("CAP_BPF",)),
    abi.PROG_ATTACH: ("attach (PROG_ATTACH)", _NET),
    abi.PROG_DETACH: ("detach (PROG_DETACH)", _NET),
    abi.PROG_TEST_RUN: ("run (PROG_TEST_RUN)", _NET),
    abi.PROG_GET_NEXT_ID: ("list (PROG_GET_NEXT_ID)", ("CAP_SYS_ADMIN",)),
    abi.MAP_GET_NEXT_ID: ("list (MAP_GET_NEXT_ID)", ("CAP_SYS_ADMIN",)),
    abi.PROG_GET_FD_BY_ID: ("open (PROG_GET_FD_BY_ID)", ("CAP_SYS_ADMIN",)),
    abi.MAP_GET_FD_BY_ID: ("open (MAP_GET_FD_BY_ID)", ("CAP_SYS_ADMIN",)),
    abi.OBJ_GET_INFO_BY_FD: ("ask about (OBJ_GET_INFO_BY_FD)", ()),
    abi.PROG_QUERY: ("ask about (PROG_QUERY)", ("CAP_NET_ADMIN",)),
    abi.RAW_TRACEPOINT_OPEN: ("attach to (RAW_TRACEPOINT_OPEN)", ("CAP_BPF", "CAP_PERFMON")),
    abi.BTF_LOAD: ("load (BTF_LOAD)", ("CAP_BPF",)),
    abi.BTF_GET_FD_BY_ID: ("open (BTF_GET_FD_BY_ID)", ("CAP_SYS_ADMIN",)),
    abi.BTF_GET_NEXT_ID: ("list (BTF_GET_NEXT_ID)", ("CAP_SYS_ADMIN",)),
    abi.MAP_FREEZE: ("freeze (MAP_FREEZE)", ("CAP_BPF",)),
    abi.LINK_CREATE: ("attach (LINK_CREATE)", _NET),
    abi.LINK_UPDATE: ("update (LINK_UPDATE)", _NET),
    abi.LINK_GET_FD_BY_ID: ("open (LINK_GET_FD_BY_ID)", ("CAP_SYS_ADMIN",)),
    abi.LINK_GET_NEXT_ID: ("list (LINK_GET_NEXT_ID)", ("CAP_SYS_ADMIN",)),
    abi.ENABLE_STATS: ("count (ENABLE_STATS)", ("CAP_SYS_ADMIN",)),
    abi.LINK_DETACH: ("detach (LINK_DETACH)", ("CAP_NET_ADMIN",)),
    abi.ITER_CREATE: ("read (ITER_CREATE)", ("CAP_BPF", "CAP_PERFMON")),
    abi.PROG_BIND_MAP: ("bind a map to (PROG_BIND_MAP)", ("CAP_BPF",)),
}

# Not in `errno.errorcode`: the kernel's own ENOTSUPP, and libbpf's codes from 4000.
_OTHER_ERRNOS = {
    _errno.EOPNOTSUPP: ("EOPNOTSUPP", "Operation not supported"),  # Python calls it by its twin's name
    524: ("ENOTSUPP", "not supported by this kernel"),
    4000: ("LIBBPF_ERRNO__LIBELF", "something wrong in libelf"),
    4001: ("LIBBPF_ERRNO__FORMAT", "not a proper ELF object"),
    4002: ("LIBBPF_ERRNO__KVERSION", "incorrect or no kern version section"),
    4003: ("LIBBPF_ERRNO__ENDIAN", "endianness mismatch"),
    4004: ("LIBBPF_ERRNO__INTERNAL", "internal error in libbpf"),
    4005: ("LIBBPF_ERRNO__RELOC", "relocation failed"),
    4006: ("LIBBPF_ERRNO__LOAD", "load failure for an unknown reason"),
    4007: ("LIBBPF_ERRNO__VERIFY", "kernel verifier blocks program loading"),
    4008: ("LIBBPF_ERRNO__PROG2BIG", "program too big"),
    4009: ("LIBBPF_ERRNO__KVER", "incorrect kernel version"),
    4010: ("LIBBPF_ERRNO__PROGTYPE", "kernel doesn't support this program type"),
    4011: ("LIBBPF_ERRNO__WRNGPID", "wrong pid in netlink message"),
    4012: ("LIBBPF_ERRNO__INVSEQ", "invalid netlink sequence"),
    4013: ("LIBBPF_ERRNO__NLPARSE", "netlink parsing error"),
}


def reason(number: int) -> str:
    """Returns an error number as words: `Operation not permitted (EPERM)`."""
    if number in _OTHER_ERRNOS:
        name, words = _OTHER_ERRNOS[number]
        return f"{words} ({name})"
    name = _errno.errorcode.get(number, "")
    return f"{os.strerror(number)} ({name or f'error {number}'})"


def printable(text: str, limit: int = 200) -> str:
    """Returns foreign text fit for a message: control characters as `?`, at most `limit` characters."""
    clean = "".join(c if c.isprintable() else "?" for c in text.replace("\t", " "))
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def missing_capabilities(wanted: tuple[str, ...], effective: int) -> tuple[str, ...]:
    """Returns those of `wanted` that the set `effective` lacks; CAP_SYS_ADMIN stands for CAP_BPF and CAP_PERFMON."""

    def has(name: str) -> bool:
        return bool(effective >> CAPABILITIES[name] & 1)

    covered = ("CAP_BPF", "CAP_PERFMON") if has("CAP_SYS_ADMIN") else ()
    return tuple(name for name in wanted if not has(name) and name not in covered)


def permitted() -> int:
    """Returns the effective capabilities of this process, as bits; all of them where /proc does not tell."""
    from bpfimg.kernel._host_facts import capability_set

    found = capability_set()
    return (1 << 64) - 1 if found is None else found  # not known: accuse nobody


def permission_hint(wanted: tuple[str, ...], action: str) -> str:
    """Returns what a person can do about EPERM or EACCES; empty when every capability is there."""
    missing = missing_capabilities(wanted, permitted())
    if missing:
        return f"{action} needs {' and '.join(wanted)}; missing: {', '.join(missing)}. Run it as root"
    from bpfimg.kernel._host_facts import in_user_namespace

    if in_user_namespace():
        return f"{action} needs {' and '.join(wanted)} of the host; this is a user namespace (a rootless container)"
    return ""


def failure(command: int, what: str, number: int) -> KernelError:
    """Returns the error for a bpf(2) `command` on the object `what` that failed with the positive errno `number`."""
    said, wanted = _COMMANDS.get(command, (f"call bpf({command}) on", ()))
    phrase, _, name = said.removesuffix(")").partition(" (") if command in _COMMANDS else (said, "", "")
    if number == _errno.ENOSYS:
        return _no_bpf(number)
    hint = ""
    if number in (_errno.EPERM, _errno.EACCES):
        hint = permission_hint(wanted, name or "it")
    named = f" ({name})" if name else ""
    return KernelError(f"cannot {phrase} {what}{named}: {reason(number)}", errno=number, hint=hint)


def described(fd: Fd | int) -> str:
    """Returns what is behind a descriptor, as words: `map 'counters' (id 12)`."""
    from bpfimg.kernel import _bpf_info

    try:
        kind = _bpf_info.kind(fd)
        if kind == "map":
            info = _bpf_info.map_info(fd)
            return f"map {info.name!r} (id {info.id})"
        if kind == "program":
            program = _bpf_info.program_info(fd, memlock=False)
            return f"program {program.name!r} (id {program.id})"
        if kind == "link":
            return f"link {_bpf_info.link_info(fd).id}"
    except KernelError:
        pass
    return f"descriptor {number(fd)}"


def _no_bpf(number: int) -> NotSupported:
    machine = os.uname().machine
    known = machine in abi.SYSCALLS
    message = "this kernel was built without bpf(2)" if known else f"bpfimg knows no system call numbers for {machine}"
    expected = "" if known else f", expected one of {', '.join(abi.SYSCALLS)}"
    return NotSupported(f"{message}{expected}", feature="bpf", errno=number)
