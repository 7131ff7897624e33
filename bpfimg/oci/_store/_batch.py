"""Many images into one layout: names and small content are put on disk together, not one after the other.

The order stays what it is for a single image: content, the directory that holds it, then the index that names it. What
others see has been on disk before, and after a crash every name leads to all of its content.
"""

from __future__ import annotations

import time
from _thread import RLock, allocate_lock
from contextlib import contextmanager

from bpfimg.errors import Error
from bpfimg.oci._limits import DEFAULT
from bpfimg.oci._store._entries import stamp
from bpfimg.oci._store._files import SCRATCH, discard, place_all, store_error
from bpfimg.oci._store._layout import RACY, load
from bpfimg.oci._store._lock import FileLock
from bpfimg.oci._store._naming import blob_name, write_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bpfimg.oci._descriptor import Descriptor
    from bpfimg.oci._digest import Digest
    from bpfimg.oci._limits import Limits
    from bpfimg.oci._store._entries import Entries
    from bpfimg.oci._store._files import Draft
    from bpfimg.oci._store._naming import Naming

_NAMES = 64
_SECONDS = 0.5
_BACKLOG = 4  # times as many names may wait while others are being written


class Batch:
    """What several `Layout(path, ..., batch=batch)` write, in any thread: on disk after `flush`, at the end of `with`,
    and now and then between.

    The layouts of the batch see at once what is named in it. When writing fails (StoreError), in whichever thread that
    was, the batch takes nothing more, and `flush` and the end of `with` say so again.
    """

    def __init__(self, path: str, *, lock_timeout: float = 30.0, limits: Limits = DEFAULT) -> None:
        self.path = path
        self.file_lock = FileLock(f"{path}/.lock", lock_timeout)
        self._limits = limits
        self._turn = RLock()  # taken before the file's lock: one writes, or is inside `section`, at a time
        self._depth = 0
        self._mutex = allocate_lock()  # for the fields below; nothing is waited for inside
        self._drafts: dict[Digest, tuple[str, int]] = {}
        self._namings: list[Naming] = []
        self._since = time.monotonic()
        self._seen: tuple[tuple[int, int, int] | None, Entries] | None = None
        self._failed: Error | None = None

    def __enter__(self) -> Batch:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self.flush()
        except Error:
            if kind is None:
                raise  # else what happened first is what the caller should hear
        finally:
            discard(self.path, [draft for draft, _ in self._drafts.values()])

    def flush(self) -> None:
        """Puts everything that was named until now on disk."""
        with self._turn:
            with self._mutex:
                self._check()
                drafts, namings = dict(self._drafts), list(self._namings)
            written = False
            try:
                self._write(drafts, namings)
                written = True
            except Error as error:
                self._failed = error
                raise
            finally:
                if not written:
                    discard(self.path, [draft for draft, _ in drafts.values()])
                with self._mutex:
                    del self._namings[: len(namings)]
                    for digest in drafts:
                        del self._drafts[digest]
                    self._seen = None
                    self._since = time.monotonic()

    @contextmanager
    def section(self) -> Iterator[None]:
        """Keeps all other writers out while held; what is named inside is on disk at its end."""
        with self._turn, self.file_lock:
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if not self._depth and self._namings:
                    self.flush()

    # for the layouts of the batch

    def entries(self) -> Entries:
        """Returns the entries as they will be, to look at only."""
        with self._mutex:
            now = stamp(self.path)
            if self._seen is not None and self._seen[0] == now:
                return self._seen[1]
            entries = load(self.path, self._limits)
            for each in self._namings:
                entries.put(each.descriptor, each.annotations)
            # an index written this very moment may be replaced by one with the same stamp
            self._seen = (now, entries) if now is None or time.time_ns() - now[2] > RACY else None
            return entries

    def draft_of(self, digest: Digest) -> str | None:
        """Returns where content is that is not in its place yet."""
        found = self._drafts.get(digest)
        return f"{self.path}/{SCRATCH}/{found[0]}" if found else None

    def holds(self, descriptor: Descriptor) -> bool:
        """Says whether content waits for its place; it was checked when it came."""
        found = self._drafts.get(descriptor.digest)
        return found is not None and found[1] == descriptor.size

    def add(self, descriptor: Descriptor, draft: Draft) -> None:
        """Takes over content that was written."""
        with self._mutex:
            self._check()
            if descriptor.digest in self._drafts:
                return  # two images that have it came at once
            self._drafts[descriptor.digest] = draft.name, descriptor.size
            draft.leave()  # only now: Ctrl-C in between must not leave it to nobody
        self._flush_if_due()

    def put(self, naming: Naming) -> None:
        """Takes a name."""
        with self._mutex:
            self._check()
            self._namings.append(naming)
            if self._seen is not None:
                self._seen[1].put(naming.descriptor, naming.annotations)
        self._flush_if_due()

    def _check(self) -> None:
        if self._failed is not None:
            raise self._failed

    def _flush_if_due(self) -> None:
        waiting = len(self._namings)
        if waiting < _NAMES and time.monotonic() - self._since < _SECONDS:
            return
        # while another thread is at it, this one need not wait, within bounds
        if self._turn.acquire(blocking=waiting >= _NAMES * _BACKLOG):
            try:
                self.flush()
            finally:
                self._turn.release()

    def _write(self, drafts: Mapping[Digest, tuple[str, int]], namings: Sequence[Naming]) -> None:
        try:
            if drafts:
                place_all(self.path, [(draft, blob_name(digest)) for digest, (draft, _) in drafts.items()])
        except OSError as error:
            raise store_error("write", f"{self.path}/blobs", error) from error
        if namings:
            with self.file_lock:
                write_names(self.path, namings, self._limits)
