"""The writer's lock: flock(2) on a directory in bpffs, held for as long as the process lives and holds it."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager, suppress

from bpfimg.errors import LockTimeout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.errors import KernelError

_POLL = 0.02  # seconds; a change of the host takes a few milliseconds


@contextmanager
def held(directory: str, timeout: float) -> Iterator[None]:
    """See `_bpffs.lock`."""
    fd = _opened(directory)
    try:
        deadline = time.monotonic() + timeout
        while not _taken(fd):
            if time.monotonic() >= deadline:
                raise _timed_out(directory, fd, timeout)
            time.sleep(_POLL)
        yield
    finally:
        os.close(fd)


def is_held(directory: str) -> bool:
    """See `_bpffs.is_locked`; the lock itself is not touched, so that no writer is kept waiting."""
    try:
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return bool(_holder(fd))
    finally:
        os.close(fd)


def _opened(directory: str) -> int:
    from bpfimg.kernel._bpffs import translated

    try:
        with suppress(FileExistsError):
            os.mkdir(directory, 0o700)
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        explained = translated("lock", directory, error)
        explained.hint = explained.hint or ("only root may change what runs here" if error.errno == 13 else "")
        raise explained from error
    refusal = _not_ours(directory, os.fstat(fd))
    if refusal is not None:
        os.close(fd)
        raise refusal
    return fd


def _not_ours(directory: str, status: os.stat_result) -> KernelError | None:
    """The error for a directory that others may change: whoever mounts a bpffs without `mode=` lets every user make
    directories in it, and what a writer finds in one it releases and removes. Who was given the bpffs is trusted."""
    trusted = (0, os.geteuid(), os.stat(os.path.dirname(directory) or ".").st_uid)
    if status.st_uid in trusted and not status.st_mode & 0o022:
        return None
    from bpfimg.errors import KernelError

    mode = status.st_mode & 0o7777
    return KernelError(
        f"{directory} belongs to user {status.st_uid} and has mode {mode:04o}, expected one that only root may change",
        errno=1,
        hint=f"look at what is in it; `rm -r {directory}` takes it away, or chown root and chmod 0700 keep it",
    )


def _taken(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _timed_out(directory: str, fd: int, timeout: float) -> LockTimeout:
    holder = _holder(fd)
    by = f" by {holder}" if holder else ""
    return LockTimeout(
        f"{directory} is still locked{by} after {timeout:g} s",
        hint="another bpfimg is changing this host; wait for it, or raise --lock-timeout",
    )


def _holder(fd: int) -> str:
    """Who /proc/locks says holds a flock on this directory; empty if nobody is named there."""
    status = os.fstat(fd)
    place = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    try:
        with open("/proc/locks", encoding="ascii", errors="replace") as file:
            # 1: FLOCK  ADVISORY  WRITE 1234 00:2a:77 0 EOF; a waiting one has "->" after the number.
            for fields in (line.split() for line in file):
                if len(fields) > 5 and fields[1] == "FLOCK" and fields[5] == place:
                    return _named(int(fields[4]))
    except (OSError, ValueError):
        pass
    return ""


def _named(pid: int) -> str:
    if pid <= 0:  # a process of another PID namespace
        return "a process outside this container"
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return f"process {pid} ({file.read().strip()})"
    except OSError:
        return f"process {pid}"
