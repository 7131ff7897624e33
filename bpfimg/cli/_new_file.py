"""Files that are there whole or not at all, and in place of another only where that is asked for."""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress

from bpfimg.errors import Error, KeyFileError, UsageError, quoted

__all__ = ["create", "replace"]


def create(files: dict[str, tuple[bytes, int]]) -> None:
    """Creates each file with its content and mode: all, or after an error or Ctrl-C none.

    Raises `UsageError` when one exists, `KeyFileError` when one cannot be written.
    """
    with ExitStack() as undo:
        for path, (data, mode) in files.items():
            mine: list[os.stat_result] = []
            undo.callback(_remove_mine, path, mine)  # before it is made: Ctrl-C may come right behind that
            _create(path, data, mode, mine)
        undo.pop_all()


def replace(path: str, data: bytes) -> None:
    """Writes a file, in place of one of that name: a reader sees the old one or the new one, whole.

    It has the mode that the umask gives. Raises `UsageError` when there is something else than a file, `Error` when it
    cannot be written.
    """
    import stat

    folder, name = os.path.split(path)
    draft = os.path.join(folder, f".{name}.{os.urandom(8).hex()}")
    try:
        with ExitStack() as undo:
            if os.path.lexists(path) and not stat.S_ISREG(os.lstat(path).st_mode):
                raise UsageError(f"{quoted(path)} is no file, expected one, or a free name")
            undo.callback(_remove, draft)
            fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
            with os.fdopen(fd, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(fd)
            os.replace(draft, path)
            undo.pop_all()
    except OSError as error:
        raise Error(f"{quoted(path)} cannot be written: {error.strerror}") from error


def _create(path: str, data: bytes, mode: int, mine: list[os.stat_result]) -> None:
    """Writes beside the place and gives the name when all is on disk: a reader never sees half a key.

    `mine` says what was made, before it has its name.
    """
    folder, name = os.path.split(path)
    draft = os.path.join(folder, f".{name}.{os.urandom(8).hex()}")
    try:
        with ExitStack() as undo:
            undo.callback(_remove, draft)
            fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
            mine.append(os.fstat(fd))
            with os.fdopen(fd, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(fd)
            _give(draft, path)
    except FileExistsError:
        raise UsageError(
            f"{path} exists, expected a free name", hint="give another PREFIX; keys are never overwritten"
        ) from None
    except OSError as error:
        raise KeyFileError(f"key file {path!r} cannot be written: {error.strerror}") from error


def _give(draft: str, path: str) -> None:
    try:
        os.link(draft, path, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:  # no hard links here (FAT on a stick): the name is taken first, so that nothing is overwritten
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
        with ExitStack() as undo:
            undo.callback(_remove, path)
            os.replace(draft, path)
            undo.pop_all()


def _remove_mine(path: str, mine: list[os.stat_result]) -> None:
    with suppress(FileNotFoundError):
        if mine and os.path.samestat(os.lstat(path), mine[0]):
            os.unlink(path)


def _remove(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)
