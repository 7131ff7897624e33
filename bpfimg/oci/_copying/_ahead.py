"""Reading ahead: what is known to be needed is asked for at once, so that a copy waits for a registry a few times
instead of once for each blob. The order in which things are written does not change.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Future
    from typing import TypeVar

    from bpfimg.oci._copying._crew import Crew
    from bpfimg.oci._descriptor import Descriptor
    from bpfimg.oci._digest import Digest
    from bpfimg.oci._target import Source

    T = TypeVar("T")

_PENDING = 64
_BYTES = 16 << 20
"""Of content that is read ahead and waits in memory until somebody asks for it."""


class Ahead:
    """Reads from `source`, some of it before it is asked for, with the threads of `crew`; used by one thread.

    An error shows when the content is asked for, as if it had been read then; what nobody asks for is forgotten.
    """

    def __init__(self, source: Source, crew: Crew) -> None:
        self.source = source
        self._crew = crew
        self._worth = source.at_once > 1 and crew.size > 1
        self._coming: dict[tuple[str, object], tuple[Future[object], int]] = {}
        self._bytes = 0

    def fetch(self, descriptor: Descriptor) -> bytes:
        """As `Source.fetch`."""
        return self._have(("fetch", descriptor.digest), lambda: self.source.fetch(descriptor))

    def referrers(self, digest: Digest) -> tuple[Descriptor, ...]:
        """As `Source.referrers`."""
        return self._have(("referrers", digest), lambda: self.source.referrers(digest))

    def resolve(self, selector: str | Digest) -> Descriptor:
        """As `Source.resolve`."""
        return self._have(("resolve", selector), lambda: self.source.resolve(selector))

    def fetch_soon(self, descriptors: Iterable[Descriptor]) -> None:
        """Says that these will be asked for."""
        for each in descriptors:
            self._soon(("fetch", each.digest), lambda each=each: self.source.fetch(each), each.size)  # type: ignore[misc]

    def look_soon(self, digest: Digest, tags: Iterable[str]) -> None:
        """Says that the referrers of `digest` and these tags will be asked for."""
        self._soon(("referrers", digest), lambda: self.source.referrers(digest))
        for tag in tags:
            self._soon(("resolve", tag), lambda tag=tag: self.source.resolve(tag))  # type: ignore[misc]

    def _soon(self, key: tuple[str, object], read: Callable[[], object], size: int = 0) -> None:
        full = len(self._coming) >= _PENDING or self._bytes + size > _BYTES
        if not self._worth or key in self._coming or full:
            return
        self._bytes += size
        self._coming[key] = self._crew.begin(read), size

    def _have(self, key: tuple[str, object], read: Callable[[], T]) -> T:
        coming, size = self._coming.pop(key, (None, 0))
        self._bytes -= size
        return read() if coming is None else coming.result()  # type: ignore[return-value]
