"""Content that waits to be published: in one file without a name, beside the archive that it will be part of."""

from __future__ import annotations

import os
from _thread import allocate_lock

from bpfimg.oci._archives._tar_draft import archive_error
from bpfimg.oci._check import checked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bpfimg.oci._descriptor import Descriptor
    from bpfimg.oci._digest import Digest

_PIECE = 1 << 20


class Spool:
    """A file that nobody else sees and that goes with its last user, however that ends; StoreError when it is full."""

    def __init__(self, archive: str) -> None:
        import weakref

        self._archive = archive
        self._descriptor = _nameless(archive)
        self.close = weakref.finalize(self, os.close, self._descriptor)
        """Lets the content go."""
        self._end = 0
        self._lock = allocate_lock()
        self._places: dict[Digest, tuple[int, int]] = {}

    def add(self, descriptor: Descriptor, pieces: Iterable[bytes]) -> None:
        """Takes content in; DigestMismatch, and it is not there, when it is not what the descriptor promises."""
        with self._lock:
            start = self._end
            self._end += descriptor.size
        at = start
        for piece in checked(descriptor, pieces, "what is pushed"):
            left = memoryview(piece)
            while left:
                try:
                    written = os.pwrite(self._descriptor, left, at)
                except OSError as error:
                    raise archive_error("write", self._archive, error) from error
                left = left[written:]
                at += written
        self._places[descriptor.digest] = (start, descriptor.size)

    def size(self, digest: Digest) -> int | None:
        """Returns how many bytes the content has, None when it is not there."""
        found = self._places.get(digest)
        return found[1] if found else None

    def pieces(self, digest: Digest) -> Iterator[bytes]:
        """Yields content that is there, at most 1 MiB at once."""
        at, size = self._places[digest]
        end = at + size
        while at < end and (piece := os.pread(self._descriptor, min(_PIECE, end - at), at)):
            yield piece
            at += len(piece)


def _nameless(archive: str) -> int:
    import tempfile

    try:
        # O_TMPFILE where the file system has it, else a name that is taken away at once
        with tempfile.TemporaryFile(
            prefix=".bpfimg-", dir=os.path.dirname(os.path.realpath(archive)), buffering=0
        ) as file:
            return os.dup(file.fileno())
    except OSError as error:
        raise archive_error("write", archive, error) from error
