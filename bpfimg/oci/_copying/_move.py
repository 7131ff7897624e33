"""Blobs from one place to another: taken over, streamed or read at once, several at a time where that is worth it."""

from __future__ import annotations

from bpfimg.errors import ImageError, NotFound
from bpfimg.oci._copying._tree import TooMuch
from bpfimg.oci._media import EMPTY, EMPTY_CONTENT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bpfimg.oci._copying._ends import Ends
    from bpfimg.oci._descriptor import Descriptor
    from bpfimg.oci._digest import Digest

_LARGE = 4 << 20
"""Bytes of a blob that is never in memory as a whole."""
_NEXT = 16
"""Blobs that are read ahead of the one that is being written."""


class Mover:
    """Moves blobs for one copy, each once. A target that is worth it is written to by several threads."""

    def __init__(self, ends: Ends) -> None:
        self._source = ends.source
        self._target = ends.target
        self._crew = ends.writers
        self._limits = ends.limits
        self._progress = ends.progress
        self._together = ends.together if ends.target.at_once > 1 else None
        self._known: set[Digest] = set()
        self._bytes = 0

    def move(self, blobs: Iterable[Descriptor]) -> dict[Digest, NotFound | ImageError]:
        """Moves what the target lacks; returns what the source would not give, by digest, with its reason.

        Whatever else goes wrong is raised: what the target refuses, content that is not what it should be.
        """
        new = {each.digest: each for each in blobs if each.digest not in self._known}
        wanted = list(new.values())
        self._known |= new.keys()
        for each in wanted:
            self._progress.expect(each)
        there = self._crew.each(self._there, wanted)
        lacking = [each for each, is_there in zip(wanted, there, strict=True) if not is_there]
        self._spend(lacking)
        if self._crew.size > 1:
            failed = self._crew.each(self._one, lacking)
        else:
            failed = []
            for number, each in enumerate(lacking):
                coming = lacking[number : number + _NEXT]
                self._source.fetch_soon(next for next in coming if next.size <= _LARGE and not _is_empty(next))
                failed.append(self._one(each))
        found = {each.digest: error for each, error in zip(lacking, failed, strict=True) if error is not None}
        self._known -= found.keys()
        return found

    @property
    def room(self) -> int:
        """How many bytes this copy may still move."""
        return max(0, self._limits.copy - self._bytes)

    def _there(self, blob: Descriptor) -> bool:
        if self._together and self._together.knows(self._target.repository, blob):
            self._progress.done(blob, "there")
            return True
        if self._target.adopt(blob, self._source.source):
            self._progress.done(blob, "mounted")
        elif self._target.exists(blob):
            self._progress.done(blob, "there")
        else:
            return False
        if self._together:
            self._together.found(self._target.repository, blob)
        return True

    def _spend(self, blobs: Iterable[Descriptor]) -> None:
        self._bytes += sum(each.size for each in blobs)
        if self._bytes > self._limits.copy:
            raise TooMuch(
                f"the image and what goes with it come to over {self._limits.copy} bytes",
                hint="`--limit copy=SIZE` takes more",
            )

    def _one(self, blob: Descriptor) -> NotFound | ImageError | None:
        if self._together is None:
            return self._copy(blob)
        if not self._together.claim(self._target.repository, blob):
            self._progress.done(blob, "there")
            return None
        done = False
        try:
            failed = self._copy(blob)
            done = failed is None
        finally:
            self._together.release(self._target.repository, blob, done=done)
        return failed

    def _copy(self, blob: Descriptor) -> NotFound | ImageError | None:
        failed = None
        if blob.size > _LARGE:
            failed = self._stream(blob)
        else:
            try:
                # in the crew nothing was read ahead, and a task must not wait for another one
                reader = self._source.source if self._crew.size > 1 else self._source
                content = EMPTY_CONTENT if _is_empty(blob) else reader.fetch(blob)
            except (NotFound, ImageError) as error:
                return error
            self._progress.moved(blob, blob.size)
            self._target.push(blob, content)
        if failed is None:
            self._progress.done(blob, "copied")
        return failed

    def _stream(self, blob: Descriptor) -> NotFound | ImageError | None:
        failed: list[NotFound | ImageError] = []
        moved = 0

        def content() -> Iterator[bytes]:
            nonlocal moved
            if moved:
                self._progress.moved(blob, -moved)
                moved = 0
            try:
                for piece in self._source.source.stream(blob):
                    moved += len(piece)
                    self._progress.moved(blob, len(piece))
                    yield piece
            except (NotFound, ImageError) as error:
                failed.append(error)
                raise

        try:
            self._target.push_stream(blob, content)
        except (NotFound, ImageError):
            if failed:
                return failed[-1]
            raise
        return None


def _is_empty(blob: Descriptor) -> bool:
    """Says whether everybody knows the content (image-spec 1.1, 'Guidance for an Empty Descriptor')."""
    return blob.media_type == EMPTY and blob.digest.matches(EMPTY_CONTENT)
