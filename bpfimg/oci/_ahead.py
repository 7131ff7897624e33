"""Reading ahead: what is known to be needed is asked for at once, so that a copy waits for a registry a few times
instead of once for each blob. The order in which things are written does not change.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Future, ThreadPoolExecutor
    from typing import TypeVar

    from bpfimg.oci._descriptor import Descriptor
    from bpfimg.oci._digest import Digest
    from bpfimg.oci._target import Source

    T = TypeVar("T")

_SMALL = 4 << 20
"""Bytes of content that is read ahead: larger content is worth its own wait, and would pile up in memory."""
_PENDING = 64


class Ahead:
    """Reads from `source`, some of it before it is asked for, `source.at_once` requests at a time.

    An error shows when the content is asked for, as if it had been read then; what nobody asks for is forgotten.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._pool: ThreadPoolExecutor | None = None
        self._coming: dict[tuple[str, object], Future[object]] = {}

    def __enter__(self) -> Ahead:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._pool is not None:
            # whoever pressed Ctrl-C does not wait for a registry that hangs
            self._pool.shutdown(wait=kind is None or issubclass(kind, Exception), cancel_futures=True)

    def fetch(self, descriptor: Descriptor) -> bytes:
        """As `Source.fetch`."""
        return self._have(("fetch", descriptor.digest), lambda: self._source.fetch(descriptor))

    def referrers(self, digest: Digest) -> tuple[Descriptor, ...]:
        """As `Source.referrers`."""
        return self._have(("referrers", digest), lambda: self._source.referrers(digest))

    def resolve(self, selector: str | Digest) -> Descriptor:
        """As `Source.resolve`."""
        return self._have(("resolve", selector), lambda: self._source.resolve(selector))

    def fetch_soon(self, descriptors: Iterable[Descriptor]) -> None:
        """Says that these will be asked for."""
        for each in descriptors:
            if each.size <= _SMALL:
                self._soon(("fetch", each.digest), lambda each=each: self._source.fetch(each))  # type: ignore[misc]

    def look_soon(self, digest: Digest, tags: Iterable[str]) -> None:
        """Says that the referrers of `digest` and these tags will be asked for."""
        self._soon(("referrers", digest), lambda: self._source.referrers(digest))
        for tag in tags:
            self._soon(("resolve", tag), lambda tag=tag: self._source.resolve(tag))  # type: ignore[misc]

    def _soon(self, key: tuple[str, object], read: Callable[[], object]) -> None:
        if self._source.at_once < 2 or key in self._coming or len(self._coming) >= _PENDING:
            return
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor

            self._pool = ThreadPoolExecutor(self._source.at_once)
        self._coming[key] = self._pool.submit(read)

    def _have(self, key: tuple[str, object], read: Callable[[], T]) -> T:
        coming = self._coming.pop(key, None)
        return read() if coming is None else coming.result()  # type: ignore[return-value]
