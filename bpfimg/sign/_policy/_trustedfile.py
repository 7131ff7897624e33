"""Reading a file that decides what is believed: opened once, judged by what was opened, never by its path."""

from __future__ import annotations

import errno
import os
import stat

from bpfimg.errors import PolicyError

_LINKS = 40  # as many as the kernel follows
_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def read(path: str, *, what: str, limit: int, owner: int | None, missing: str = "") -> bytes:
    """Returns the content of the regular file at `path`, at most `limit` bytes; else raises `PolicyError`.

    With `owner` (a uid) the file must belong to it, must not be writable by group or others, and must not be a
    symbolic link; and so that nobody else can put another file there, the folders on the way must belong to it or to
    root, and others must not be able to write to them. `missing` is the hint for when there is no such file.
    """
    # NONBLOCK: opening a FIFO must not wait for its writer. NOFOLLOW: a link has no owner that counts.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY | (os.O_NOFOLLOW if owner is not None else 0)
    try:
        fd = os.open(path, flags) if owner is None else _open_beside(path, flags, Walk(what, path, owner))
        try:
            _check(os.fstat(fd), what, path, limit, owner)
            with open(fd, "rb", closefd=False) as file:
                data = file.read(limit + 1)
        finally:
            os.close(fd)
    except FileNotFoundError as error:
        raise PolicyError(f"{what} {path} does not exist", hint=missing) from error
    except OSError as error:
        link = error.errno == errno.ELOOP
        why = "it is a symbolic link, expected a regular file" if link else error.strerror
        raise PolicyError(f"{what} {path} cannot be read: {why}") from error
    except ValueError as error:  # a NUL byte, or text that no file name can hold
        raise PolicyError(f"{what} {path!a} cannot be read: that is not a path") from error
    if len(data) > limit:  # it grew since fstat
        raise PolicyError(f"{what} {path} has more than {limit} bytes")
    return data


def _open_beside(path: str, flags: int, walk: Walk) -> int:
    """Opens the file relative to its folder, which nobody else can exchange."""
    folder, _, name = os.path.join(os.getcwd(), path).rpartition("/")
    if name in ("", ".", ".."):
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
    fd = walk.opened(folder)
    try:
        return os.open(name, flags, dir_fd=fd)
    finally:
        os.close(fd)


class Walk:
    """The way down to a folder, each step of which is checked: sshd does so for authorized_keys (StrictModes).

    In a folder that others can write to they could move a good file away and put an older one of the same owner there,
    or a folder of their own. With the sticky bit (`/tmp`) they can do so only to what is theirs, and nothing of
    theirs is walked through: links, too, must belong to the owner.
    """

    def __init__(self, what: str, path: str, owner: int) -> None:
        self._of = f"of {what} {path}"
        self._owners = (0, owner)
        self._fd, self._here, self._links = -1, "/", 0

    def opened(self, folder: str) -> int:
        """Returns a descriptor of the absolute path `folder`; raises `PolicyError` or `OSError`."""
        try:
            self._step_up()
            todo = folder.split("/")[::-1]
            while todo:
                name = todo.pop()
                if name not in ("", "."):
                    todo += self._passed(name)
            found, self._fd = self._fd, -1
        finally:
            if self._fd >= 0:
                os.close(self._fd)
        return found

    def _passed(self, name: str) -> list[str]:
        """Goes down into `name`, or returns where a link says to go on, the next step last."""
        found = os.stat(name, dir_fd=self._fd, follow_symlinks=False)
        if not stat.S_ISLNK(found.st_mode):
            self._step_to(os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=self._fd))
            self._here = os.path.normpath(os.path.join(self._here, name))
            self._check(os.fstat(self._fd), f"the folder {self._here}")
            return []
        self._links += 1
        if self._links > _LINKS:
            raise OSError(errno.EMLINK, os.strerror(errno.ELOOP))
        self._check(found, f"the link {os.path.join(self._here, name)}")
        target = os.readlink(name, dir_fd=self._fd)
        if target.startswith("/"):
            self._step_up()
        return target.split("/")[::-1]

    def _step_up(self) -> None:
        self._step_to(os.open("/", os.O_PATH | os.O_DIRECTORY))
        self._here = "/"
        self._check(os.fstat(self._fd), "the folder /")

    def _step_to(self, fd: int) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = fd

    def _check(self, found: os.stat_result, what: str) -> None:
        if found.st_uid not in self._owners:
            raise PolicyError(
                f"{what} {self._of} belongs to uid {found.st_uid}, expected uid {self._owners[1]}: its owner can put "
                "another file there",
                hint="keep it in /etc/bpfimg, which belongs to root",
            )
        others = not stat.S_ISLNK(found.st_mode) and found.st_mode & _OTHERS and not found.st_mode & stat.S_ISVTX
        if others:
            raise PolicyError(
                f"{what} {self._of} has mode {stat.S_IMODE(found.st_mode):04o}, expected that only its owner can "
                "write to it: others can put another file there",
                hint=f"check what is there, then: chmod go-w {what.removeprefix('the folder ')}",
            )


def _check(found: os.stat_result, what: str, path: str, limit: int, owner: int | None) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise PolicyError(f"{what} {path} is not a regular file")
    if found.st_size > limit:
        raise PolicyError(f"{what} {path} has {found.st_size} bytes, expected at most {limit}")
    if owner is None:
        return
    if found.st_uid != owner:
        raise PolicyError(
            f"{what} {path} belongs to uid {found.st_uid}, expected uid {owner}: its owner decides what is believed",
            hint=f"check what it says, then: chown {owner} {path}",
        )
    if found.st_mode & _OTHERS:
        raise PolicyError(
            f"{what} {path} has mode {stat.S_IMODE(found.st_mode):04o}, expected that only its owner can write to it",
            hint=f"check what it says, then: chmod go-w {path}",
        )
