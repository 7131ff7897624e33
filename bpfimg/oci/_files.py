"""Files that are whole or not there, whenever the power goes."""

from __future__ import annotations

import errno
import os
import stat
import time
from contextlib import contextmanager, suppress

from bpfimg.errors import StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

SCRATCH = "ingest"
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_RANDOM = 6  # bytes in the name of a draft

_HINTS = {
    errno.ENOSPC: "free space on its file system, or name another store with --store",
    errno.EDQUOT: "the quota on its file system is used up; name another store with --store",
    errno.EROFS: "its file system is mounted read-only; name another store with --store",
    errno.EACCES: "run as the user who owns it, or name your own store with --store",
    errno.EPERM: "run as the user who owns it, or name your own store with --store",
    errno.ENOTDIR: "directories are expected there, no links to some; name another store with --store",
    errno.ELOOP: "directories are expected there, no links to some; name another store with --store",
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


def open_inside(root: str, *names: str) -> int:
    """Returns a descriptor of the directory `root`/`names`, of which only `root` itself may be a symbolic link.

    A store may belong to somebody else than its writer: root's writes must not be led out of it.
    """
    here = os.open(root, _DIRECTORY)
    for name in names:
        above = here
        try:
            here = os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=above)
        finally:
            os.close(above)
    return here


def write_file(root: str, name: str, content: bytes) -> None:
    """Puts `content` at `root`/`name`, whole and on disk; the draft is made in `root`/ingest.

    The directory entry itself is on disk only after `sync_directory`.
    """
    *folders, last = name.split("/")
    draft = f"{os.getpid()}-{os.urandom(_RANDOM).hex()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    with _closing(open_inside(root, SCRATCH)) as scratch, _closing(open_inside(root, *folders)) as folder:
        descriptor = os.open(draft, flags, 0o644, dir_fd=scratch)
        try:
            try:
                left = memoryview(content)
                while left:
                    left = left[os.write(descriptor, left) :]
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.replace(draft, last, src_dir_fd=scratch, dst_dir_fd=folder)
            draft = ""
        finally:
            if draft:
                with suppress(FileNotFoundError):  # Ctrl-C may come right behind the rename
                    os.unlink(draft, dir_fd=scratch)


def sync_directory(root: str, *names: str) -> None:
    """Puts the entries of a directory on disk: after it, a rename in there survives a crash."""
    with _closing(open_inside(root, *names)) as descriptor:
        os.fsync(descriptor)


def sweep(root: str, seconds: float) -> None:
    """Removes drafts that nobody has written to for `seconds`: what killed writers left behind. Nothing else."""
    oldest = time.time() - seconds
    with _closing(open_inside(root, SCRATCH)) as scratch, os.scandir(scratch) as entries:
        for entry in entries:
            try:
                if _is_draft(entry) and entry.stat(follow_symlinks=False).st_mtime < oldest:
                    os.unlink(entry.name, dir_fd=scratch)
            except FileNotFoundError:
                continue  # its writer was alive, only slow


def _is_draft(entry: os.DirEntry[str]) -> bool:
    process, _, random = entry.name.partition("-")
    return process.isdecimal() and len(random) == 2 * _RANDOM and entry.is_file(follow_symlinks=False)


@contextmanager
def _closing(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)
