"""Trivial programs and impossible links: what the kernel answers, as error numbers. Nothing stays or is attached."""

from __future__ import annotations

import os

from bpfimg.kernel import _abi as abi
from bpfimg.kernel._syscall import address, bpf_errno, fill

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: mov64 r0, 0; exit. The registers' nibbles change places with the byte order, and both are zero here.
RETURN_0 = b"\xb7" + b"\0" * 7 + b"\x95" + b"\0" * 7
SLEEPABLE, XDP_HAS_FRAGS = 1 << 4, 1 << 5
NOWHERE = 0x7FFFFFFF  # an interface, a descriptor that is not
EPERM, E2BIG, EBADF, EACCES, EFAULT, ENODEV, EINVAL = 1, 7, 9, 13, 14, 19, 22
EOPNOTSUPP, ENOTSUPP = 95, 524
_LOG_SIZE = 16384

#: the attach type without which a program of that type is not taken, whatever it does
NEEDED_ATTACH_TYPES: Mapping[str, str] = {
    "cgroup_sock_addr": "cgroup_inet4_connect",
    "cgroup_sockopt": "cgroup_getsockopt",
    "sk_lookup": "sk_lookup",
    "netfilter": "netfilter",
}


def load(
    program_type: str,
    attach_type: str | int | None = None,
    *,
    code: bytes = RETURN_0,
    flags: int = 0,
    btf_id: int = 0,
    then: Callable[[int], int] | None = None,
) -> int:
    """Loads a program: 0, or the error number. `then` is given its descriptor, and answers in its place."""
    return _load(program_type, attach_type, code, flags=flags, btf_id=btf_id, then=then)


def told(
    program_type: str,
    attach_type: str | int | None = None,
    *,
    code: bytes = RETURN_0,
    btf_id: int = 0,
    all: bool = False,
) -> tuple[int, str]:
    """Loads a program: 0 or the error number, and the verifier's log, empty where the verifier was not reached.

    Of what it takes it says nothing, unless `all` is set.
    """
    log = bytearray(_LOG_SIZE)
    number = _load(program_type, attach_type, code, btf_id=btf_id, log=log, level=2 if all else 1)
    return number, bytes(log).partition(b"\0")[0].decode("ascii", "replace")


def link(program_type: str, attach_type: str, *, load_as: str | None = None, target: int = NOWHERE) -> int:
    """Links a program to what is not there: ENODEV or EBADF from a kernel that has such links, EINVAL from others."""
    return load(program_type, load_as, then=lambda fd: _linked(fd, attach_type, target, b""))


def link_with(program_type: str, attach_type: str, extra: bytes) -> int:
    """Links a program whose link takes arguments of its own (offset 16 on)."""
    return load(program_type, attach_type, then=lambda fd: _linked(fd, attach_type, 0, extra))


def attach_number(word: str | int | None) -> int:
    """The number of an attach type."""
    if isinstance(word, int):
        return word
    return abi.ATTACH_TYPES.index(word) if word else 0


def _linked(fd: int, attach_type: str, target: int, extra: bytes) -> int:
    number = attach_number(attach_type)
    attr = fill(abi.ATTR_LINK_CREATE, {"prog_fd": fd, "target_fd": target, "attach_type": number})
    attr[abi.LINK_CREATE_UNION : abi.LINK_CREATE_UNION + len(extra)] = extra
    return closed(bpf_errno(abi.LINK_CREATE, attr))


def _load(
    program_type: str,
    attach_type: str | int | None,
    code: bytes,
    *,
    flags: int = 0,
    btf_id: int = 0,
    then: Callable[[int], int] | None = None,
    log: bytearray | None = None,
    level: int = 1,
) -> int:
    instructions, gpl = bytearray(code), bytearray(b"GPL\0")
    values: dict[str, int | bytes] = {
        "prog_type": abi.PROGRAM_TYPES.index(program_type),
        "insn_cnt": len(code) // 8,
        "insns": address(instructions),
        "license": address(gpl),
        "prog_flags": flags,
        "prog_name": b"bpfimg_probe",
        "expected_attach_type": attach_number(attach_type or NEEDED_ATTACH_TYPES.get(program_type)),
        "attach_btf_id": btf_id,
    }
    if log is not None:
        values |= {"log_level": level, "log_size": len(log), "log_buf": address(log)}
    result = bpf_errno(abi.PROG_LOAD, fill(abi.ATTR_PROG_LOAD, values))
    if result < 0 or then is None:
        return closed(result)
    try:
        return then(result)
    finally:
        os.close(result)


def closed(result: int) -> int:
    """What a call came to that returns a descriptor: 0, or the error number; nothing stays open."""
    if result < 0:
        return -result
    os.close(result)
    return 0
