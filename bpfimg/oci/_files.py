"""Files that are whole or not there, whenever the power goes."""

from __future__ import annotations

import errno
import os
import stat
import time

from bpfimg.errors import StoreError

_HINTS = {
    errno.ENOSPC: "free space on its file system, or name another store with --store",
    errno.EDQUOT: "the quota on its file system is used up; name another store with --store",
    errno.EROFS: "its file system is mounted read-only; name another store with --store",
    errno.EACCES: "run as the user who owns it, or name your own store with --store",
    errno.EPERM: "run as the user who owns it, or name your own store with --store",
    errno.ENOTDIR: "a directory is expected there; name another store with --store",
}


def store_error(doing: str, path: str, error: OSError) -> StoreError:
    """Returns the error for `cannot DOING PATH`, with what a person can do about it."""
    return StoreError(f"cannot {doing} {path}: {error.strerror}", hint=_HINTS.get(error.errno or 0, ""))


def read_file(path: str, most: int) -> bytes:
    """Returns the content of a regular file, at most `most` + 1 bytes of it: one too many says that it is longer.

    FileNotFoundError passes through: only the caller knows what its absence means.
    """
    # O_NONBLOCK: a FIFO that somebody left there must not hang the reader
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise StoreError(f"{path} is not a regular file, expected one")
        parts: list[bytes] = []
        left = most + 1
        while left > 0 and (part := os.read(descriptor, left)):
            parts.append(part)
            left -= len(part)
        return b"".join(parts)
    finally:
        os.close(descriptor)


def write_file(path: str, content: bytes, scratch: str) -> None:
    """Puts `content` at `path`, whole and on disk; `scratch` is a directory of the same file system.

    The directory entry itself is on disk only after `sync_directory`.
    """
    draft = f"{scratch}/{os.getpid()}-{os.urandom(6).hex()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(draft, flags, 0o644)
    try:
        try:
            left = memoryview(content)
            while left:
                left = left[os.write(descriptor, left) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(draft, path)
        draft = ""
    finally:
        if draft:
            os.unlink(draft)


def sync_directory(path: str) -> None:
    """Puts the entries of a directory on disk: after it, a rename in there survives a crash."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sweep(directory: str, seconds: float) -> None:
    """Removes files that nobody has written to for `seconds`: what killed writers left behind."""
    oldest = time.time() - seconds
    for entry in os.scandir(directory):
        try:
            if entry.stat(follow_symlinks=False).st_mtime < oldest:
                os.unlink(entry.path)
        except FileNotFoundError:
            continue  # its writer was alive, only slow
