"""Large blobs to a registry: chunk by chunk, gone on with where the registry says that it has got to.

distribution-spec 1.1, 'Pushing a blob in chunks'. docker-registry 2.8 takes chunks without looking at `Content-Range`,
and knows nothing of a session any more of which a chunk was cut off; then all begins anew.
"""

from __future__ import annotations

import re

from bpfimg.errors import RegistryError
from bpfimg.oci._http._answers import Interrupted, finish
from bpfimg.oci._http._patience import TRY_AGAIN
from bpfimg.oci._http._upload import WRITE, Lost, close, place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bpfimg.oci._http._upload import Errand

_RANGE = re.compile(r"(?:bytes=)?0-([0-9]{1,19})")
_PIECE = 1 << 17
_NO_SESSION = frozenset((400, 404, 410))


def send_in_chunks(errand: Errand, session: str, size: int) -> None:
    """Sends the content in chunks of `size` bytes, read while they are sent; `Lost` when a new session is needed."""
    content = _Content(errand)
    whole = errand.descriptor.size
    for at in range(0, whole, size):
        session = _send_chunk(errand, session, content, at, min(at + size, whole))
    try:
        close(errand, session, None, again=True)
    except RegistryError as error:
        if error.status in _NO_SESSION:
            raise _lost(error) from error
        raise


def _lost(error: RegistryError) -> Lost:
    return Lost(str(error), status=error.status, code=error.code, hint=error.hint)


class _Content:
    """The content, read on from where it was left, or from the beginning: nothing is held for another try."""

    def __init__(self, errand: Errand) -> None:
        self._errand = errand
        self._begin()

    def _begin(self) -> None:
        self._pieces = self._errand.pieces()
        self._rest = memoryview(b"")
        self._at = 0

    def between(self, at: int, end: int) -> Iterator[bytes]:
        """Yields the bytes from `at` to `end`, in parts that can be sent in time."""
        if at < self._at:
            self._begin()
        while self._at < end:
            if not self._rest:
                self._rest = memoryview(next(self._pieces))
            part = self._rest[: min(_PIECE, end - self._at) if self._at >= at else at - self._at]
            self._rest = self._rest[len(part) :]
            self._at += len(part)
            if self._at > at:
                yield part  # type: ignore[misc]


def _send_chunk(errand: Errand, session: str, content: _Content, at: int, end: int) -> str:
    """Sends the bytes from `at` to `end`; returns where the next chunk goes."""
    while True:
        stored: int | None = None
        try:
            session, stored = _patch(errand, session, content, at, end)
            broken = RegistryError(f"cannot {errand.doing}: the registry says that it has {stored} bytes, not {end}")
        except RegistryError as error:
            if error in errand.failed:
                raise
            if error.status in _NO_SESSION:
                raise _lost(error) from error
            if not isinstance(error, Interrupted) and error.status not in (*TRY_AGAIN, 416):
                raise
            broken = error
        if stored != end:
            if not errand.patience.wait(str(broken)):
                raise broken
            session, stored = _ask(errand, session)
            if not at <= stored <= end:
                raise Lost(f"cannot {errand.doing}: the registry has {stored} bytes of it, expected {end}")
        errand.patience.progress(stored - at)
        if stored == end:
            return session
        at = stored


def _patch(errand: Errand, session: str, content: _Content, at: int, end: int) -> tuple[str, int]:
    """Sends a chunk, or what is missing of it; returns the next place, and what the registry says that it has."""
    headers = {
        "Content-Type": "application/octet-stream",
        "Content-Range": f"{at}-{end - 1}",
        "Content-Length": str(end - at),
    }
    answer = errand.wire.request(
        "PATCH",
        session,
        errand.doing,
        expect=(201, 202, 204),
        headers=headers,
        body=lambda: content.between(at, end),
        actions=WRITE,
        again=False,
    )
    finish(answer)
    stored = _stored(answer.headers)
    return _next(errand, session, answer.headers), end if stored is None else stored


def _ask(errand: Errand, session: str) -> tuple[str, int]:
    """Returns where a broken session goes on, and how many bytes it has; `Lost` when the registry does not know."""
    try:
        answer = errand.wire.request(
            "GET", session, errand.doing, expect=(200, 202, 204), actions=WRITE, patience=errand.patience
        )
    except Interrupted:
        raise
    except RegistryError as error:
        if error.status in TRY_AGAIN:
            raise
        raise _lost(error) from error
    finish(answer)
    stored = _stored(answer.headers)
    if stored is None:
        raise Lost(f"cannot {errand.doing}: the registry does not say how much of it has arrived")
    return _next(errand, session, answer.headers), stored


def _next(errand: Errand, session: str, headers: Mapping[str, str]) -> str:
    location = headers.get("Location")
    return place(errand.wire, session, location, errand.doing) if location else session


def _stored(headers: Mapping[str, str]) -> int | None:
    """Returns how many bytes a `Range` names, None when there is none that can be read."""
    found = _RANGE.fullmatch(headers.get("Range", "").strip())
    if found is None:
        return None
    # "0-0" is one byte by the words, and none in the mouth of docker-registry: a chunk is never that small
    return int(found[1]) + 1 if int(found[1]) else 0
