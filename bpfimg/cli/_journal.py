"""What of a long copy is done: a file of JSON lines that outlives a kill and says where to go on."""

from __future__ import annotations

import fcntl
import json
import os
import stat
import time

from bpfimg.errors import Error, UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bpfimg.cli._copy_lines import Job

__all__ = ["Journal"]

_LIMIT = 256 << 20
_VERSION = 1
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class Journal:
    """Lines are only ever added, each is whole on disk before anybody is told; a torn last one does not count.

    The first line says with which options: an image that was copied for one platform is not done for all.
    """

    def __init__(self, path: str, settings: Mapping[str, object]) -> None:
        """Opens or begins the journal at `path`; UsageError when it is another one's, in use, or not to be written."""
        self.path = path
        self.done: dict[tuple[str, str], str] = {}
        try:
            self._file = os.open(path, _FLAGS, 0o644)
        except OSError as error:
            hint = "--journal names another file, --no-journal does without"
            raise UsageError(f"the journal {quoted(path)} cannot be written: {error.strerror}", hint=hint) from error
        opened = False
        try:
            self._check_ours()
            self._lock()
            self._read(dict(settings))
            opened = True
        finally:
            if not opened:
                os.close(self._file)

    def add(self, finished: Iterable[tuple[Job, str]]) -> None:
        """Writes down what is done, with its digest; Error when the disk is full."""
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        lines = [
            {"source": job.key[0], "destination": job.key[1], "digest": digest, "time": now} for job, digest in finished
        ]
        if lines:
            self._write(lines)

    def remove(self) -> None:
        """Takes the journal away: nothing is left to do."""
        os.unlink(self.path)

    def close(self) -> None:
        os.close(self._file)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check_ours(self) -> None:
        """What somebody else says is done would not be done."""
        found = os.fstat(self._file)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_nlink > 1:
            raise UsageError(
                f"the journal {quoted(self.path)} is not a file that is yours alone, expected one",
                hint="--journal names another file, --no-journal does without",
            )

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UsageError(f"the journal {quoted(self.path)} is in use: another copy of that list runs") from error

    def _read(self, settings: dict[str, object]) -> None:
        head = {"bpfimg-copy-journal": _VERSION, **settings}
        raw = os.pread(self._file, _LIMIT, 0)
        whole = raw[: raw.rfind(b"\n") + 1]
        first, *rest = whole.splitlines() or [b""]
        if not first:
            if raw and not raw.startswith(b'{"bpfimg-copy-journal"'[: len(raw)]):
                raise self._strange()
            os.ftruncate(self._file, 0)
            self._write([head])
            return
        known = _parsed(first)
        if known is None or "bpfimg-copy-journal" not in known:
            raise self._strange()
        if known != head:
            differ = sorted(key for key in {*known, *head} if known.get(key) != head.get(key))
            raise UsageError(
                f"the journal {quoted(self.path)} was begun with other options: {', '.join(differ)}",
                hint="give the same ones, remove it to begin anew, or name another one with --journal",
            )
        os.ftruncate(self._file, len(whole))
        for line in rest:
            entry = _parsed(line)
            if entry is not None:
                self.done[str(entry.get("source")), str(entry.get("destination"))] = str(entry.get("digest"))

    def _strange(self) -> UsageError:
        return UsageError(
            f"{quoted(self.path)} is no journal of this command, and is left as it is",
            hint="--journal names another file, --no-journal does without",
        )

    def _write(self, lines: Iterable[Mapping[str, object]]) -> None:
        left = memoryview("".join(f"{json.dumps(line)}\n" for line in lines).encode())
        try:
            while left:
                left = left[os.write(self._file, left) :]
            os.fsync(self._file)
        except OSError as error:
            raise Error(f"the journal {quoted(self.path)} cannot be written: {error.strerror}") from error


def _parsed(line: bytes) -> dict[str, object] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
