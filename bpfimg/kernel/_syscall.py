"""The crossing into the kernel: bpf(2), perf_event_open(2) and what else libc has no Python name for.

No policy: a call either answers or raises what `_failure` makes of the error number.
"""

from __future__ import annotations

import ctypes
import os
import sys

from bpfimg.kernel import _abi as abi

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpfimg.errors import KernelError
    from bpfimg.kernel._abi import Layout
    from bpfimg.kernel._fd import Fd

ORDER = sys.byteorder
# The kernel takes a longer attribute if its tail is zero, so one size serves all commands.
ATTR_SIZE = 256

libc = ctypes.CDLL(None, use_errno=True)


def _machine() -> str:
    machine = os.uname().machine
    if ctypes.sizeof(ctypes.c_void_p) == 4:  # a 32-bit Python on a 64-bit kernel
        return {"x86_64": "i686", "aarch64": "armv7l"}.get(machine, machine)
    return machine


# On a machine that we have no numbers for, -1 makes every call answer ENOSYS, and `failure` says why.
_OPENAT2 = 437  # the same on all machines, as of every call since Linux 5.1
_BPF, _PERF_EVENT_OPEN, _RENAMEAT2 = abi.SYSCALLS.get(_machine(), (-1, -1, -1))


def _bind(arguments: int) -> ctypes._NamedFuncPointer:
    # Not libc.syscall: an item is a new object each time, so each use has argument types of its own.
    call = libc["syscall"]
    call.argtypes = [ctypes.c_long] * (1 + arguments)
    call.restype = ctypes.c_long
    return call


_bpf = libc["syscall"]
_bpf.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_long]
_bpf.restype = ctypes.c_long


def fill(layout: Layout, values: Mapping[str, int | bytes], size: int = ATTR_SIZE) -> bytearray:
    """Returns a zeroed buffer of `size` bytes with `values` at the offsets of `layout`."""
    buffer = bytearray(size)
    for name, value in values.items():
        offset, width = layout[name]
        data = value.to_bytes(width, ORDER) if isinstance(value, int) else value
        buffer[offset : offset + len(data)] = data
    return buffer


def take(buffer: bytes | bytearray, layout: Layout, name: str, length: int) -> int | None:
    """Returns an unsigned field of an answer that is `length` bytes long; None if this kernel is too old for it."""
    offset, width = layout[name]
    if offset + width > length:
        return None
    return int.from_bytes(buffer[offset : offset + width], ORDER)


def address(buffer: bytearray) -> int:
    """Returns where the buffer's bytes are. Keep the buffer alive, and its length unchanged, while this is in use."""
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer))


def bpf_errno(command: int, attr: bytearray) -> int:
    """Makes one bpf(2) call: what it returned, or minus the error number."""
    result: int = _bpf(_BPF, command, address(attr), len(attr))
    return result if result >= 0 else -ctypes.get_errno()


def bpf_errno_at(command: int, at: int, size: int) -> int:
    """The same for an argument that stays where it is: its address and size. For calls by the thousand."""
    result: int = _bpf(_BPF, command, at, size)
    return result if result >= 0 else -ctypes.get_errno()


def bpf(command: int, attr: bytearray, what: str | Fd | int) -> int:
    """Makes one bpf(2) call; `what` (words, or the descriptor of a map, program or link) is for the KernelError."""
    result = bpf_errno(command, attr)
    if result < 0:
        raise failed(command, what, result)
    return result


def failed(command: int, what: str | Fd | int, result: int) -> KernelError:
    """Returns the error for the negative `result` of `bpf_errno`."""
    from bpfimg.kernel._failure import described, failure

    return failure(command, what if isinstance(what, str) else described(what), -result)


def perf_event_open(attr: bytearray, cpu: int, pid: int = -1) -> int:
    """Opens a perf event of every task (or of one) on one CPU (-1: any); the descriptor, or minus the error number."""
    call = _bind(5)
    result: int = call(_PERF_EVENT_OPEN, address(attr), pid, cpu, -1, abi.PERF_FLAG_FD_CLOEXEC)
    return result if result >= 0 else -ctypes.get_errno()


def rename_new(old: bytes, new: bytes) -> int:
    """Renames only if `new` does not exist: 0, or minus the error number."""
    call = _bind(5)
    at_fdcwd = -100
    source, target = bytearray(old + b"\0"), bytearray(new + b"\0")
    result: int = call(_RENAMEAT2, at_fdcwd, address(source), at_fdcwd, address(target), abi.RENAME_NOREPLACE)
    return 0 if result == 0 else -ctypes.get_errno()


def openat2(directory: int, path: bytes, flags: int, resolve: int) -> int:
    """Opens `path` below a directory by the rules in `resolve`: the descriptor, or minus the error number."""
    call = _bind(4)
    how = bytearray(b"".join(word.to_bytes(8, ORDER) for word in (flags, 0, resolve)))
    name = bytearray(path + b"\0")
    result: int = call(_OPENAT2, directory, address(name), address(how), len(how))
    return result if result >= 0 else -ctypes.get_errno()


def filesystem_magic(path: str) -> int:
    """Returns `f_type` of statfs(2), which `os.statvfs` leaves out; OSError as the kernel says."""
    buffer = bytearray(512)
    statfs = libc.statfs
    statfs.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
    statfs.restype = ctypes.c_int
    if statfs(os.fsencode(path), address(buffer)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)
    # A long on every architecture but s390x, where it is an unsigned int; 32 bits are what magics need.
    width = 4 if os.uname().machine == "s390x" else ctypes.sizeof(ctypes.c_long)
    return int.from_bytes(buffer[:width], ORDER) & 0xFFFFFFFF


def setns(fd: int, kind: int) -> int:
    """Moves the calling thread into the namespace behind `fd`: 0, or minus the error number."""
    call = libc.setns
    call.argtypes = [ctypes.c_int, ctypes.c_int]
    call.restype = ctypes.c_int
    return 0 if call(fd, kind) == 0 else -ctypes.get_errno()
