"""Files that are whole or not there, whenever the power goes."""

from __future__ import annotations

import errno
import os
import stat
import time
from contextlib import ExitStack, contextmanager, suppress

from bpfimg.errors import StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SCRATCH = "ingest"
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_RANDOM = 6  # bytes in the name of a draft
_PIECE = 1 << 18
"""Bytes; several are held at a time on the way to a registry, where streaming 256 MiB stays below 32 MiB in all."""

_HINTS = {
    errno.ENOSPC: "free space on its file system, or name another store with --store",
    errno.EDQUOT: "the quota on its file system is used up; name another store with --store",
    errno.EFBIG: "no file there may be that large (`ulimit -f`); name another store with --store",
    errno.EROFS: "its file system is mounted read-only; name another store with --store",
    errno.EACCES: "run as the user who owns it, or name your own store with --store",
    errno.EPERM: "run as the user who owns it, or name your own store with --store",
    errno.ENOTDIR: "directories are expected there, no links to some; name another store with --store",
    errno.ELOOP: "directories are expected there, no links to some; name another store with --store",
    errno.ENOENT: "somebody removed it, or a part of it, meanwhile: run the command again",
    errno.EIO: "its disk does not answer as it should: look at the kernel's log",
}


def store_error(doing: str, path: str, error: OSError) -> StoreError:
    """Returns the error for `cannot DOING PATH`, with what a person can do about it."""
    return StoreError(f"cannot {doing} {path}: {error.strerror}", hint=_HINTS.get(error.errno or 0, ""))


# reading


def read_file(path: str, most: int) -> bytes:
    """Returns the content of a regular file, at most `most` + 1 bytes of it: one too many says that it is longer.

    FileNotFoundError passes through: only the caller knows what its absence means. StoreError for what is no file.
    """
    return b"".join(file_pieces(path, most))


def file_pieces(path: str, most: int) -> Iterator[bytes]:
    """Yields the same in pieces of at most 256 KiB."""
    with closing(open_file(path)) as descriptor:
        yield from descriptor_pieces(descriptor, most)


def descriptor_pieces(descriptor: int, most: int) -> Iterator[bytes]:
    """Yields at most `most` + 1 bytes of an open file in pieces of at most 256 KiB."""
    left = most + 1
    while left > 0 and (piece := os.read(descriptor, min(left, _PIECE))):
        left -= len(piece)
        yield piece


def open_file(path: str) -> int:
    """Returns a descriptor of a regular file to read from; StoreError for anything else."""
    # O_NONBLOCK: a FIFO that somebody left there must not hang the reader
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise StoreError(f"{path} is not a regular file, expected one")
    return descriptor


# writing


def write_all(descriptor: int, content: bytes) -> None:
    """Writes all of it to an open file; OSError passes through."""
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]


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


def make_inside(root: str, *names: str) -> None:
    """Makes the directory `root`/`names`, of which all but the last must be there, unless it is there."""
    with closing(open_inside(root, *names[:-1])) as above, suppress(FileExistsError):
        os.mkdir(names[-1], 0o755, dir_fd=above)


class Draft:
    """A file in `root`/ingest on its way to its place; `with` removes it again unless it got there or is left."""

    def __init__(self, root: str) -> None:
        self.name = new_name()
        self._root = root
        self._open = ExitStack()
        self._there = True

    def __enter__(self) -> Draft:
        with ExitStack() as opened:
            self._scratch = opened.enter_context(closing(open_inside(self._root, SCRATCH)))
            opened.callback(self._discard)  # before it is made: Ctrl-C may come right behind that
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
            self._descriptor = opened.enter_context(closing(os.open(self.name, flags, 0o644, dir_fd=self._scratch)))
            self._open = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def _discard(self) -> None:
        if self._there:
            with suppress(FileNotFoundError):  # it was never made, or Ctrl-C came right behind the rename
                os.unlink(self.name, dir_fd=self._scratch)

    def write(self, piece: bytes) -> None:
        """Adds a piece."""
        write_all(self._descriptor, piece)

    def place(self, name: str) -> None:
        """Puts it at `root`/`name`, its content on disk. The entry itself is on disk only after `sync_directory`."""
        os.fsync(self._descriptor)
        *folders, last = name.split("/")
        with closing(open_inside(self._root, *folders)) as folder:
            os.replace(self.name, last, src_dir_fd=self._scratch, dst_dir_fd=folder)
        self._there = False

    def leave(self) -> None:
        """Leaves it to whoever calls `place_all`."""
        self._there = False


def new_name() -> str:
    """Returns the name of a draft that nobody else has."""
    return f"{os.getpid()}-{os.urandom(_RANDOM).hex()}"


def write_file(root: str, name: str, content: bytes) -> None:
    """Puts `content` at `root`/`name`, whole and on disk; the draft is made in `root`/ingest.

    The directory entry itself is on disk only after `sync_directory`.
    """
    with Draft(root) as draft:
        draft.write(content)
        draft.place(name)


def place_all(root: str, drafts: Iterable[tuple[str, str]]) -> None:
    """Renames drafts that were left to their names; the content of all of them is on disk before."""
    pairs = [(draft, *name.rpartition("/")[::2]) for draft, name in drafts]
    with ExitStack() as opened:
        scratch = opened.enter_context(closing(open_inside(root, SCRATCH)))
        for draft, _, _ in pairs:
            with closing(_draft(draft, scratch)) as descriptor:
                # starts writing it out, so that the first fsync below waits for all of them and the others for nothing
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        for draft, _, _ in pairs:
            with closing(_draft(draft, scratch)) as descriptor:
                os.fsync(descriptor)
        folders: dict[str, int] = {}
        for draft, folder, last in pairs:
            if folder not in folders:
                folders[folder] = opened.enter_context(closing(open_inside(root, *folder.split("/"))))
            os.replace(draft, last, src_dir_fd=scratch, dst_dir_fd=folders[folder])


def _draft(name: str, scratch: int) -> int:
    return os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=scratch)


def set_aside(root: str, name: str) -> str:
    """Renames `root`/`name` to a draft, and returns its name: whoever wants it now does not find it."""
    *folders, last = name.split("/")
    draft = new_name()
    with closing(open_inside(root, SCRATCH)) as scratch, closing(open_inside(root, *folders)) as folder:
        os.rename(last, draft, src_dir_fd=folder, dst_dir_fd=scratch)
    return draft


def put_back(root: str, draft: str, name: str) -> None:
    """Gives what was set aside its name again, unless a writer has put something there in the meantime: that stays."""
    *folders, last = name.split("/")
    with closing(open_inside(root, SCRATCH)) as scratch, closing(open_inside(root, *folders)) as folder:
        with suppress(FileExistsError):
            os.link(draft, last, src_dir_fd=scratch, dst_dir_fd=folder, follow_symlinks=False)
        os.unlink(draft, dir_fd=scratch)


def discard(root: str, drafts: Iterable[str]) -> None:
    """Removes drafts; those that are gone are no error, nor is a store that is gone."""
    with suppress(FileNotFoundError), closing(open_inside(root, SCRATCH)) as scratch:
        for draft in drafts:
            with suppress(FileNotFoundError):
                os.unlink(draft, dir_fd=scratch)


def sync_directory(root: str, *names: str) -> None:
    """Puts the entries of a directory on disk: after it, a rename in there survives a crash."""
    with closing(open_inside(root, *names)) as descriptor:
        os.fsync(descriptor)


def sweep(root: str, seconds: float, *, dry_run: bool = False) -> list[int]:
    """Removes drafts that nobody has written to for `seconds`: what killed writers left behind. Nothing else.

    Returns the size of each; with `dry_run` they stay.
    """
    oldest = time.time() - seconds
    sizes = []
    with closing(open_inside(root, SCRATCH)) as scratch, os.scandir(scratch) as entries:
        for entry in entries:
            try:
                if _is_draft(entry) and (found := entry.stat(follow_symlinks=False)).st_mtime < oldest:
                    sizes.append(found.st_size)
                    if not dry_run:
                        os.unlink(entry.name, dir_fd=scratch)
            except FileNotFoundError:
                continue  # its writer was alive, only slow
    return sizes


def _is_draft(entry: os.DirEntry[str]) -> bool:
    process, _, random = entry.name.partition("-")
    return process.isdecimal() and len(random) == 2 * _RANDOM and entry.is_file(follow_symlinks=False)


@contextmanager
def closing(descriptor: int) -> Iterator[int]:
    """Closes it at the end."""
    try:
        yield descriptor
    finally:
        os.close(descriptor)
