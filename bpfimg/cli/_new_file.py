"""Files that are there whole or not at all, and never in place of another."""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress

from bpfimg.errors import KeyFileError, UsageError

__all__ = ["create"]


def create(files: dict[str, tuple[bytes, int]]) -> None:
    """Creates each file with its content and mode: all, or after an error or Ctrl-C none.

    Raises `UsageError` when one exists, `KeyFileError` when one cannot be written.
    """
    with ExitStack() as undo:
        for path, (data, mode) in files.items():
            _create(path, data, mode)
            undo.callback(_remove, path)
        undo.pop_all()


def _create(path: str, data: bytes, mode: int) -> None:
    """Writes beside the place and gives the name when all is on disk: a reader never sees half a key."""
    folder, name = os.path.split(path)
    draft = os.path.join(folder, f".{name}.{os.urandom(8).hex()}")
    try:
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
        with ExitStack() as undo:
            undo.callback(_remove, draft)
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


def _remove(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)
