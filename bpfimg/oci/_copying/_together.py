"""What several copies of one process, side by side, know of each other."""

from __future__ import annotations

import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.oci._descriptor import Descriptor
    from bpfimg.oci._reference import Repository

    Key = tuple[Repository, object]


class Together:
    """Lets each blob go to a repository of a registry once: images that have it in common wait for the first of them.

    Not only to save the work: docker-registry 2.8 writes its link to a blob in place, and for a moment refuses every
    manifest of the repository that names the blob (DIGEST_INVALID) when it is uploaded for the second time.
    """

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._under_way: set[Key] = set()
        self._there: set[Key] = set()

    def knows(self, repository: Repository, blob: Descriptor) -> bool:
        """Says whether one of the copies has put, or found, the blob there."""
        return (repository, blob.digest) in self._there

    def found(self, repository: Repository, blob: Descriptor) -> None:
        """Says that the blob is there."""
        with self._change:
            self._there.add((repository, blob.digest))

    def claim(self, repository: Repository, blob: Descriptor) -> bool:
        """Says whether the caller is to upload the blob, and then to `release` it; False when another one has done
        so, which is waited for."""
        key = repository, blob.digest
        with self._change:
            self._change.wait_for(lambda: key not in self._under_way)
            if key in self._there:
                return False
            self._under_way.add(key)
            return True

    def release(self, repository: Repository, blob: Descriptor, *, done: bool) -> None:
        """Says how the upload ended; when it is not `done`, the next one who waits does it."""
        key = repository, blob.digest
        with self._change:
            self._under_way.discard(key)
            if done:
                self._there.add(key)
            self._change.notify_all()
