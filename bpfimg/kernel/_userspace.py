"""Programs of user space: their files as a process or container sees them, and probes in those files."""

from __future__ import annotations

import errno
import os
import stat
import struct
from contextlib import ExitStack
from itertools import islice

from bpfimg.errors import AttachError, KernelError
from bpfimg.kernel import _abi as abi
from bpfimg.kernel import _perf as perf
from bpfimg.kernel._bpf_links import link_create
from bpfimg.kernel._fd import Fd
from bpfimg.kernel._syscall import address, openat2

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.kernel._bcc import Bcc

_RESOLVE_NO_MAGICLINKS, _RESOLVE_IN_ROOT = 0x02, 0x10
_OFFSETS_MAX = 1 << 20  # MAX_UPROBE_MULTI_CNT
_NAMES_MAX = 100_000
_SEMAPHORE_SHIFT = 32  # PERF_UPROBE_REF_CTR_OFFSET_SHIFT
_MULTI_RETURN = 1  # BPF_F_UPROBE_MULTI_RETURN


def open_file(path: str, pid: int | None = None) -> Fd:
    """Opens a regular file for reading; with `pid` as that process sees it, in its own root directory.

    No symbolic link leads out of that root. Nothing but a regular file is ever opened, so that no device or pipe
    notices. AttachError: it is not there, or is something else.
    """
    with ExitStack() as stack:
        seen = path if pid is None else f"{path} of process {pid}"
        if pid is None:
            place = _opened(path, seen, os.O_PATH)
        else:
            root = stack.enter_context(root_of(pid))
            flags = os.O_PATH | os.O_CLOEXEC
            result = openat2(root.fileno(), os.fsencode(path), flags, _RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS)
            if result < 0:
                raise _cannot_open(seen, -result)
            place = Fd(result)
        stack.enter_context(place)
        if not _is_regular(place):
            raise AttachError(f"{seen} is not a regular file, expected an executable or a shared library")
        # Who has a lease on the file would keep us waiting, and those who wait for the lock that we may hold.
        return _opened(f"/proc/self/fd/{place.fileno()}", seen, os.O_RDONLY | os.O_NONBLOCK)


def root_of(pid: int) -> Fd:
    """Opens the root directory of a process; AttachError when there is no such process, or it may not be looked at."""
    try:
        return Fd(os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ESRCH):
            raise AttachError(f"there is no process {pid}") from error
        hint = "looking into another container needs CAP_SYS_PTRACE"
        raise AttachError(
            f"the root directory of process {pid} cannot be opened: {error.strerror}", hint=hint
        ) from error


def names_in(path: str, pid: int | None = None) -> list[str]:
    """The names in a directory, as a process sees it, a hundred thousand at most; none when there is no such."""
    with ExitStack() as stack:
        if pid is None:
            return _names(path)
        root = stack.enter_context(root_of(pid))
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        result = openat2(root.fileno(), os.fsencode(path), flags, _RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS)
        if result < 0:
            return []
        with Fd(result) as directory:
            return _names(directory.fileno())


def _names(directory: int | str) -> list[str]:
    try:
        with os.scandir(directory) as entries:
            return [entry.name for entry in islice(entries, _NAMES_MAX)]
    except OSError:
        return []


def real_path(file: Fd, pid: int | None = None) -> str:
    """The path of an open file without symbolic links, as a process has it in its own root directory."""
    path = os.readlink(f"/proc/self/fd/{file.fileno()}")
    if pid is None:
        return path
    with root_of(pid) as root:  # a directory of ours where the process is in a chroot, else `/`
        prefix = os.readlink(f"/proc/self/fd/{root.fileno()}").rstrip("/")
    return path.removeprefix(prefix) if path.startswith(f"{prefix}/") else path


def is_settled(path: str) -> bool:
    """Whether nobody but root and this user could make an absolute path without symbolic links mean another file."""
    try:
        while path != "/":
            if os.lstat(path).st_uid not in (0, os.geteuid()):
                return False
            path = os.path.dirname(path)
            folder = os.lstat(path)
            # in a directory such as /tmp only the owner renames what is in it
            if folder.st_uid not in (0, os.geteuid()) or (folder.st_mode & 0o022 and not folder.st_mode & stat.S_ISVTX):
                return False
    except OSError:
        return False
    return True


def _opened(path: str, seen: str, flags: int) -> Fd:
    try:
        return Fd(os.open(path, flags | os.O_CLOEXEC))
    except (OSError, ValueError) as error:
        raise _cannot_open(seen, getattr(error, "errno", 0) or errno.ENOENT) from error


def _cannot_open(seen: str, reason: int) -> AttachError:
    if reason in (errno.ENOENT, errno.ENOTDIR):
        return AttachError(f"there is no file {seen}")
    if reason == errno.EWOULDBLOCK:
        return AttachError(f"{seen} is leased by a process, expected a file that nobody is writing", hint="try again")
    return AttachError(f"{seen} cannot be opened: {os.strerror(reason)}")


def _is_regular(file: Fd) -> bool:
    return stat.S_ISREG(os.fstat(file.fileno()).st_mode)


def uprobe_event(path: str, offset: int, *, ret: bool = False, pid: int | None = None, semaphore: int = 0) -> Fd:
    """Opens a probe at `offset` in the file at `path`, for every process or for one; attach by `link_create`.

    `semaphore` is the place in the file of a counter that the kernel raises in each process that is watched.
    AttachError: no such process. NotSupported: a kernel without uprobes. KernelError: as the kernel answers.
    """
    source = perf.source("uprobe")
    config = (source.return_bit if ret else 0) | semaphore << _SEMAPHORE_SHIFT
    what = f"a uprobe at offset {offset:#x}"
    cpu, task = (0, -1) if pid is None else (-1, pid)
    try:
        return perf.perf_event(source.type, config, what, name=path, number=offset, pid=task, cpu=cpu)
    except KernelError as error:
        if error.errno == errno.ESRCH and pid is not None:
            raise AttachError(f"there is no process {pid}") from error
        raise


def uprobe_link(prog: Fd | int, event: Fd, cookie: int = 0) -> Fd:
    """Attaches a program to a probe; `cookie` is what it may ask for to know which probe it was."""
    return link_create(prog, event.fileno(), abi.ATTACH_PERF_EVENT, extra=struct.pack("=Q", cookie))


def uprobe_multi(
    prog: Fd | int, path: str, offsets: list[int], attach_type: int, *, ret: bool = False, pid: int | None = None
) -> Fd:
    """Attaches a program to many places of one file by one link (kernel 6.6); KernelError EINVAL from older ones,
    and for a program that was loaded with another `attach_type`."""
    if len(offsets) > _OFFSETS_MAX:
        raise AttachError(f"{len(offsets)} functions are too many for one link, expected at most {_OFFSETS_MAX}")
    name = bytearray(os.fsencode(path) + b"\0")
    places = bytearray(struct.pack(f"={len(offsets)}Q", *offsets))
    flags = _MULTI_RETURN if ret else 0
    # struct { path, offsets, ref_ctr_offsets, cookies; cnt, flags, pid } uprobe_multi (kernel 6.6)
    extra = struct.pack("=QQQQIII", address(name), address(places), 0, 0, len(offsets), flags, pid or 0)
    try:
        return link_create(prog, 0, attach_type, extra=extra)
    except KernelError as error:
        if error.errno == errno.ESRCH and pid is not None:
            raise AttachError(f"there is no process {pid}") from error
        raise


def bcc(path: str = "libbcc_bpf.so.0") -> Bcc | None:
    """The library of bcc, which knows an executable's functions and static probes; None where it is not installed."""
    from bpfimg.kernel._bcc import opened

    return opened(path)
