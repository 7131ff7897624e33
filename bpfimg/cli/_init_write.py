"""The files of `bpfimg init`: compared with what is there, and written all or not at all."""

from __future__ import annotations

import os
import stat
from contextlib import ExitStack, suppress

from bpfimg.errors import Error, UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["difference", "states", "write"]

_LIMIT = 1024 * 1024


def states(top: str, files: Mapping[str, tuple[str, int]], *, force: bool) -> dict[str, str]:
    """For each file "new", "unchanged" or "changed"; UsageError when one is another's and that was not said."""
    for path in files:
        _check_way(top, path)
    found = {path: _state(os.path.join(top, path), text) for path, (text, _) in files.items()}
    changed = [path for path, state in found.items() if state == "changed"]
    if changed and not force:
        verb, them = ("exists", "it") if len(changed) == 1 else ("exist", "them")
        raise UsageError(
            f"{', '.join(changed)} {verb} with other content, expected a free name",
            hint=f"--dry-run shows what would change; --force overwrites {them}",
        )
    return found


def _state(path: str, text: str) -> str:
    there = _there(path)
    return "new" if there is None else "unchanged" if there == text.encode() else "changed"


def _check_way(top: str, path: str) -> None:
    """UsageError where a folder on the way, or the file, is a link: it may lead out of the tree, which a stranger may
    have made."""
    at = top
    for name in path.split("/"):
        at = os.path.join(at, name)
        if os.path.islink(at):
            raise UsageError(f"{quoted(at)} is a symbolic link, expected a file or folder of the tree, or a free name")


def _there(path: str) -> bytes | None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
        with open(fd, "rb") as file:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise UsageError(f"{quoted(path)} is no file, expected one, or a free name")
            return file.read(_LIMIT)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"{quoted(path)} cannot be read: {error.strerror}") from error


def difference(top: str, path: str, text: str) -> str:
    """What would change in a file, as `diff -u` says it."""
    from difflib import unified_diff

    there = _there(os.path.join(top, path))
    old = (there or b"").decode("utf-8", "replace").splitlines(keepends=True)
    before = path if there is not None else "/dev/null"
    return "".join(unified_diff(old, text.splitlines(keepends=True), before, path))


def write(top: str, files: Mapping[str, tuple[str, int]]) -> None:
    """Writes each file with its text and mode, and the folders on the way: all, or after an error or Ctrl-C none."""
    with ExitStack() as undo:
        try:
            drafts = {path: _draft(os.path.join(top, path), text, mode, undo) for path, (text, mode) in files.items()}
            kept = [_give(draft, os.path.join(top, path), undo) for path, draft in drafts.items()]
        except OSError as error:
            raise Error(f"{quoted(error.filename)} cannot be written: {error.strerror}") from error
        undo.pop_all()
        for path in filter(None, kept):
            _remove(path)


def _draft(path: str, text: str, mode: int, undo: ExitStack) -> str:
    folder, name = os.path.split(path)
    _make_folder(folder, undo)
    draft = os.path.join(folder, f".{name}.{os.urandom(8).hex()}")
    undo.callback(_remove, draft)
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    with os.fdopen(fd, "wb") as file:
        file.write(text.encode())
        file.flush()
        os.fsync(fd)
    return draft


def _make_folder(folder: str, undo: ExitStack) -> None:
    if folder and not os.path.isdir(folder):
        _make_folder(os.path.dirname(folder), undo)
        undo.callback(_remove_folder, folder)
        os.mkdir(folder)


def _give(draft: str, path: str, undo: ExitStack) -> str:
    """Puts a draft in its place; what was there is kept under the name that is returned, and comes back on failure."""
    if not os.path.lexists(path):
        undo.callback(_remove, path)
        os.replace(draft, path)
        return ""
    kept = f"{draft}.old"
    undo.callback(_back, kept, path)
    os.link(path, kept, follow_symlinks=False)
    os.replace(draft, path)
    return kept


def _back(kept: str, path: str) -> None:
    with suppress(FileNotFoundError):
        os.replace(kept, path)


def _remove(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)


def _remove_folder(path: str) -> None:
    with suppress(OSError):
        os.rmdir(path)
