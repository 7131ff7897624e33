"""One writer at a time: flock(2) on a file, let go by the kernel when its holder dies."""

from __future__ import annotations

import fcntl
import os
import time
from _thread import RLock

from bpfimg.errors import LockTimeout
from bpfimg.oci._store._files import store_error

_FIRST_WAIT, _LONGEST_WAIT = 0.002, 0.05


class FileLock:
    """A context manager; may be entered again by the thread that holds it. LockTimeout after `timeout` seconds."""

    def __init__(self, path: str, timeout: float) -> None:
        self._path = path
        self._timeout = timeout
        self._mine = RLock()  # flock belongs to the open file: it does not keep two threads of ours apart
        self._depth = 0
        self._descriptor = -1

    def __enter__(self) -> None:
        self._mine.acquire()
        entered = False
        try:
            if not self._depth:
                self._descriptor = self._take()
            self._depth += 1
            entered = True
        finally:
            if not entered:
                self._mine.release()

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if not self._depth:
            os.close(self._descriptor)
        self._mine.release()

    def _take(self) -> int:
        while True:
            descriptor = self._opened()
            taken = False
            try:
                take(descriptor, self._path, self._timeout)
                taken = is_still(self._path, descriptor)
            finally:
                if not taken:
                    os.close(descriptor)
            if taken:
                return descriptor

    def _opened(self) -> int:
        try:
            # 0600: whoever can open it, if only to read, can take the lock and keep it
            return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise store_error("open the lock", self._path, error) from error


def is_still(path: str, descriptor: int) -> bool:
    """Says whether the file that was locked is the one that others will lock: it may have been replaced or removed."""
    try:
        return os.path.samestat(os.lstat(path), os.fstat(descriptor))
    except OSError:
        return False


def take(descriptor: int, path: str, timeout: float) -> None:
    """Waits for the lock on an open file, `path` by name; LockTimeout after `timeout` seconds."""
    end = time.monotonic() + timeout
    pause = _FIRST_WAIT
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= end:
                raise LockTimeout(
                    f"{path} is locked by another writer for more than {timeout:g} seconds",
                    hint="wait for the other command to end, or give more time with --lock-timeout",
                ) from error
            time.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_WAIT)
        except OSError as error:
            raise store_error("lock", path, error) from error
        else:
            return
