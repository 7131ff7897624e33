"""Reading a file that decides what is believed: opened once, judged by what was opened, never by its path."""

from __future__ import annotations

import errno
import os
import stat

from bpfimg.errors import PolicyError


def read(path: str, *, what: str, limit: int, owner: int | None, missing: str = "") -> bytes:
    """Returns the content of the regular file at `path`, at most `limit` bytes; else raises `PolicyError`.

    With `owner` (a uid) the file must belong to it, must not be writable by group or others, and must not be a
    symbolic link. `missing` is the hint for when there is no such file.
    """
    # NONBLOCK: opening a FIFO must not wait for its writer. NOFOLLOW: a link has no owner that counts.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY | (os.O_NOFOLLOW if owner is not None else 0)
    try:
        fd = os.open(path, flags)
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
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise PolicyError(
            f"{what} {path} has mode {stat.S_IMODE(found.st_mode):04o}, expected that only its owner can write to it",
            hint=f"check what it says, then: chmod go-w {path}",
        )
