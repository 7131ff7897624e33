"""A tar archive that is whole or not there: written to a draft beside it, which takes its place by a rename.

The draft's name is always the same and the draft is locked while it is written: it keeps two writers apart, and what a
killed writer left behind is the next one's draft.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from contextlib import ExitStack, contextmanager, suppress

from bpfimg import _tar
from bpfimg.errors import StoreError
from bpfimg.oci._store._files import closing, sync_directory, write_all
from bpfimg.oci._store._lock import is_still, take

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BUFFER = 1 << 20
_LONGEST = 200  # of the bytes of a file's name, so that its draft has room for more
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_HINTS = {
    errno.ENOSPC: "free space on its file system, or write the archive elsewhere",
    errno.EDQUOT: "the quota on its file system is used up: write the archive elsewhere",
    errno.EROFS: "its file system is mounted read-only: write the archive elsewhere",
    errno.EACCES: "run as the user who owns its directory, or write the archive elsewhere",
    errno.EPERM: "run as the user who owns its directory, or write the archive elsewhere",
    errno.ENOENT: "make the directory first",
}


class Draft:
    """The archive while it is written. OSError passes through."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._parts: list[bytes] = []
        self._held = 0

    def add(self, name: str, size: int, pieces: Iterable[bytes]) -> None:
        """Adds a file; StoreError when its content turns out to have another size."""
        self._put(_tar.header(name, size))
        left = size
        for piece in pieces:
            left -= len(piece)
            self._put(piece)
        if left:
            raise StoreError(f"{name} has {size - left} bytes, expected {size}: it changed while it was copied")
        self._put(bytes(-size % _tar.BLOCK))

    def end(self) -> None:
        """Ends the archive and puts it on disk."""
        self._put(_tar.END)
        self._flush()
        os.fsync(self._descriptor)

    def _put(self, content: bytes) -> None:
        self._parts.append(content)
        self._held += len(content)
        if self._held >= _BUFFER:
            self._flush()

    def _flush(self) -> None:
        content = b"".join(self._parts)
        self._parts, self._held = [], 0
        write_all(self._descriptor, content)


@contextmanager
def replacing(path: str, lock_timeout: float) -> Iterator[Draft]:
    """Gives an empty draft that takes the place of `path` when the block ends well, and is gone when it does not.

    Only one at a time, of all processes: LockTimeout when another writer takes too long. StoreError when it cannot be
    written; what was at `path` is there until the rename, which is the point of no return.
    """
    path = _followed(path)
    folder, name = os.path.split(path)
    short = os.fsencode(name)[:_LONGEST].decode("utf-8", "ignore")
    draft = os.path.join(folder, f".{short}.bpfimg-draft")
    with ExitStack() as undo, _explained(path):
        mode = _mode(path)
        undo.callback(_abandon, draft)  # before it is made: Ctrl-C may come right behind that
        descriptor = _locked(draft, mode or 0o644, lock_timeout)
        try:
            made = Draft(descriptor)
            os.ftruncate(descriptor, 0)
            yield made
            made.end()
            if mode is not None:
                os.fchmod(descriptor, mode)
            os.replace(draft, path)
            draft = ""
            sync_directory(folder)
        finally:
            if draft:
                with suppress(OSError):
                    os.unlink(draft)
            os.close(descriptor)
        undo.pop_all()


@contextmanager
def _explained(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise archive_error("write", path, error) from error


def _abandon(draft: str) -> None:
    """Takes away a draft that nobody is writing, if it is there and ours."""
    with suppress(OSError), closing(os.open(draft, _FLAGS & ~os.O_CREAT)) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # who waits for it makes another
        if os.fstat(descriptor).st_uid == os.geteuid() and is_still(draft, descriptor):
            os.unlink(draft)


def archive_error(doing: str, path: str, error: OSError) -> StoreError:
    """Returns the error for `cannot DOING PATH`, with what a person can do about it."""
    return StoreError(f"cannot {doing} {path}: {error.strerror}", hint=_HINTS.get(error.errno or 0, ""))


def _locked(draft: str, mode: int, lock_timeout: float) -> int:
    end = time.monotonic() + lock_timeout
    while True:
        descriptor = os.open(draft, _FLAGS, mode)
        kept = False
        try:
            status = os.fstat(descriptor)
            # in a directory that many may write to, somebody else's file could be watched or changed afterwards
            if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_nlink > 1:
                raise StoreError(
                    f"{draft} is in the way and not ours", hint="remove it, or write the archive elsewhere"
                )
            take(descriptor, draft, max(0.0, end - time.monotonic()))
            kept = is_still(draft, descriptor)  # else the writer before us made it the archive, or took it away
            if kept:
                return descriptor
        finally:
            if not kept:
                os.close(descriptor)


def _followed(path: str) -> str:
    """Where a link leads, but not one of another user: in /tmp that would choose what root writes to, and the kernel
    (`fs.protected_symlinks`) only keeps from that who lets it follow."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return os.path.realpath(path)
    except OSError as error:
        raise archive_error("write", path, error) from error
    if stat.S_ISLNK(found.st_mode) and found.st_uid not in (0, os.geteuid()):
        raise StoreError(
            f"{path} is a symbolic link of another user, expected a file", hint="name the file that it leads to"
        )
    return os.path.realpath(path)


def _mode(path: str) -> int | None:
    try:
        return os.stat(path).st_mode & 0o777
    except FileNotFoundError:
        return None
