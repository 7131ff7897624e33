"""What was accepted on this host, so that no repository goes back to an older image: the one thing that is remembered.

A small JSON file for each repository, named by the hash of its name. What cannot be read is not overlooked: a history
that is damaged, or that somebody else can write to, refuses the repository.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from contextlib import ExitStack, contextmanager, suppress

from bpfimg._hash import sha256
from bpfimg._json import compact
from bpfimg.errors import LockTimeout, PolicyError, VerificationError
from bpfimg.sign._mark import Mark, advanced, step_back
from bpfimg.sign._rfc3339 import rfc3339
from bpfimg.sign._strict import Junk, document, fields, string

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LIMIT = 16 * 1024
_VERSION = 1
_DRAFT = ".draft-"
_POLL = 0.01
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
_LATEST = 1 << 40


class History:
    """The folder with what was accepted; it is made by the first `accepting`, and belongs to who runs this."""

    def __init__(self, folder: str, *, lock_timeout: float = 30.0) -> None:
        self.folder = folder
        self._lock_timeout = lock_timeout

    def check(self, repository: str, mark: Mark, *, may_go_back: bool = False) -> bool:
        """Returns True when `mark` is no step back for `repository` (HOST/PATH in its canonical spelling).

        Raises `VerificationError` for a step back (False instead where that `may_go_back`), and always when it cannot
        be known, because the history is damaged or somebody else's.
        """
        return _is_no_step_back(repository, mark, self.highest(repository), may_go_back=may_go_back)

    def highest(self, repository: str) -> Mark | None:
        """Returns what was accepted last and is the newest; None when nothing was. Raises as `check` does."""
        with ExitStack() as opened:
            folder = self._opened(opened)
            return None if folder is None else self._highest(folder, repository)

    @contextmanager
    def accepting(self, repository: str, mark: Mark) -> Iterator[Callable[[], None]]:
        """Keeps other writers out, checks once more, and gives the function that writes down that `mark` was accepted.

        Call it when the program is loaded. Everything that may fail for lack of room has happened by then; what is
        left is a rename. Raises `VerificationError` and `LockTimeout`; the function raises OSError.
        """
        with ExitStack() as opened:
            self._make()
            folder = self._opened(opened)
            if folder is None:
                raise VerificationError(f"the history {self.folder} is gone, expected it to stay where it was made")
            self._lock(folder)
            highest = self._highest(folder, repository)
            _is_no_step_back(repository, mark, highest)
            self._sweep(folder)
            found = advanced(mark, highest, _order())
            if found == highest:
                yield _nothing
                return
            draft = self._draft(folder, repository, found)
            opened.callback(_remove, draft, folder)

            def accept() -> None:
                os.replace(draft, _name(repository), src_dir_fd=folder, dst_dir_fd=folder)
                os.fsync(folder)

            yield accept

    def _path(self, repository: str) -> str:
        return f"{self.folder}/{_name(repository)}"

    def _make(self) -> None:
        try:
            parent = os.path.dirname(os.path.abspath(self.folder))
            os.makedirs(parent, 0o755, exist_ok=True)
            with suppress(FileExistsError):
                os.mkdir(self.folder, 0o700)
        except OSError as error:
            raise _cannot("made", self.folder, error) from error

    def _opened(self, opened: ExitStack) -> int | None:
        """The folder, None when there is none; raises when it is not ours alone."""
        parent, _, name = os.path.abspath(self.folder).rpartition("/")
        try:
            above = self._above(parent)
            try:
                folder = os.open(name or ".", _FOLDER, dir_fd=above)
            finally:
                os.close(above)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _cannot("read", self.folder, error) from error
        opened.callback(os.close, folder)
        _refuse_foreign(os.fstat(folder), self.folder)
        return folder

    def _above(self, parent: str) -> int:
        """The folder above; root's must be one in which nobody else can put another history in the place of this."""
        if os.geteuid() != 0:
            return os.open(parent or "/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        from bpfimg.sign._policy._trustedfile import Walk

        try:
            return Walk("history", self.folder, 0).opened(parent)
        except PolicyError as error:
            error.hint = "name another folder with --state, one to which only root can write"
            raise

    def _lock(self, folder: int) -> None:
        end = time.monotonic() + self._lock_timeout
        while True:
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if time.monotonic() >= end:
                    raise LockTimeout(
                        f"{self.folder} is locked by another bpfimg for more than {self._lock_timeout:g} seconds",
                        hint="wait for the other command to end, or give more time with --lock-timeout",
                    ) from error
                time.sleep(_POLL)
            except OSError as error:
                raise _cannot("locked", self.folder, error) from error
            else:
                return

    def _highest(self, folder: int, repository: str) -> Mark | None:
        path = self._path(repository)
        try:
            data = _read(folder, _name(repository), path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _cannot("read", path, error) from error
        try:
            return _parsed(data, repository)
        except Junk as junk:
            raise VerificationError(
                f"the history {path} is damaged: {junk}, so nothing of {repository} is believed",
                hint=f"find out who wrote to it; when you know which version is good, remove {path} and load that",
            ) from junk

    def _sweep(self, folder: int) -> None:
        """Removes what killed writers left: nobody else writes while the lock is held."""
        with suppress(OSError):
            for name in os.listdir(folder):
                if name.startswith(_DRAFT):
                    os.unlink(name, dir_fd=folder)

    def _draft(self, folder: int, repository: str, mark: Mark) -> str:
        content = {
            "version": _VERSION,
            "repository": repository,
            "highest": {
                "version": mark.version,
                "time": mark.time,
                "digest": mark.digest,
                "accepted": rfc3339(time.time()),
            },
        }
        name = f"{_DRAFT}{os.getpid()}-{os.urandom(6).hex()}"
        try:
            fd = os.open(
                name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600, dir_fd=folder
            )
            with open(fd, "wb") as file:
                file.write(compact(content, ascii_only=True) + b"\n")
                file.flush()
                os.fsync(fd)
        except OSError as error:
            with suppress(OSError):
                os.unlink(name, dir_fd=folder)
            raise _cannot("written", self._path(repository), error) from error
        return name


def _is_no_step_back(repository: str, mark: Mark, highest: Mark | None, *, may_go_back: bool = False) -> bool:
    """Also raises for a version that could be compared with nothing later."""
    name = f"{repository}@{mark.digest}" if mark.digest else repository
    order = _order()
    try:
        order(mark.version or "0.0.0")
    except Junk as junk:
        raise VerificationError(f"{name} is not believed: {junk}, so what goes back could not be told") from junk
    reason = "" if highest is None else step_back(mark, highest, order)
    if reason and not may_go_back:
        raise VerificationError(
            f"{name} is not believed: the rule does not let a repository go back, and {reason}",
            hint=f"to go back on purpose, name the digest: --allow-downgrade {name}" if mark.digest else "",
        )
    return not reason


def _nothing() -> None:
    """The highest stays what it is."""


def _remove(draft: str, folder: int) -> None:
    with suppress(OSError):  # it has its name by now
        os.unlink(draft, dir_fd=folder)


def _order() -> Callable[[str], object]:
    from bpfimg.sign._policy._versions import version_key

    return version_key


def _name(repository: str) -> str:
    return f"{sha256(repository.encode()).hexdigest()}.json"


def _read(folder: int, name: str, path: str) -> bytes:
    # NONBLOCK: opening a FIFO must not wait for its writer
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
    fd = os.open(name, flags, dir_fd=folder)
    with open(fd, "rb") as file:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise VerificationError(
                f"the history {path} is not a regular file, expected one",
                hint="find out who put it there; when you know which version is good, remove it and load that",
            )
        _refuse_foreign(found, path)
        return file.read(_LIMIT + 1)


def _parsed(data: bytes, repository: str) -> Mark:
    found = fields(document(data, limit=_LIMIT, what="it"), "it", ("version", "repository", "highest"))
    if type(found["version"]) is not int or found["version"] != _VERSION:
        raise Junk(f"its version is not {_VERSION}")
    if found["repository"] != repository:
        raise Junk("it is about another repository")
    highest = fields(found["highest"], "highest", ("version", "time", "digest", "accepted"))
    moment = highest["time"]
    if type(moment) is not int or not 0 <= moment <= _LATEST:
        raise Junk("its time is no number of seconds since 1970")
    texts = [string(highest[name], name) for name in ("version", "digest", "accepted")]
    if texts[0]:
        _order()(texts[0])
    return Mark(texts[0], moment, texts[1], texts[2])


def _refuse_foreign(found: os.stat_result, path: str) -> None:
    """What others can write to is no memory of ours."""
    uid = os.geteuid()
    if found.st_uid != uid:
        raise VerificationError(
            f"the history {path} belongs to uid {found.st_uid}, expected uid {uid}: it decides what is believed",
            hint="name another folder with --state, or find out who made it",
        )
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise VerificationError(
            f"the history {path} has mode {stat.S_IMODE(found.st_mode):04o}, expected that only its owner writes there",
            hint=f"check what it says, then: chmod go-w {path}",
        )


def _cannot(done: str, path: str, error: OSError) -> VerificationError:
    return VerificationError(
        f"the history {path} cannot be {done}: {error.strerror}, so what goes back cannot be told",
        hint="name another folder with --state, or set the rule's rollback to off",
    )
