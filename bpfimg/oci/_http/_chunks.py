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
    from collections.abc import Iterable, Iterator, Mapping

    from bpfimg.oci._http._upload import Errand

_RANGE = re.compile(r"(?:bytes=)?0-([0-9]{1,19})")
_PIECE = 1 << 17
_NO_SESSION = frozenset((400, 404, 410))


def send_in_chunks(errand: Errand, session: str, size: int) -> None:
    """Sends the content in chunks of `size` bytes; `Lost` when another session must be begun."""
    at = 0
    for chunk in _chunks(errand.pieces(), size):
        session = _send_chunk(errand, session, chunk, at)
        at += chunk.size
        errand.patience.progress(chunk.size)
        del chunk  # before the next one is gathered
    try:
        close(errand, session, None, again=True)
    except RegistryError as error:
        if error.status in _NO_SESSION:
            raise _lost(error) from error
        raise


def _lost(error: RegistryError) -> Lost:
    return Lost(str(error), status=error.status, code=error.code, hint=error.hint)


class _Chunk:
    """Some pieces, as they came: put together in one place they would be held twice."""

    def __init__(self) -> None:
        self.pieces: list[memoryview] = []
        self.size = 0

    def add(self, piece: memoryview) -> None:
        self.pieces.append(piece)
        self.size += len(piece)

    def after(self, done: int) -> Iterator[bytes]:
        """Yields what comes after the first `done` bytes, in parts that can be sent in time."""
        for piece in self.pieces:
            if done < len(piece):
                for start in range(done, len(piece), _PIECE):
                    yield piece[start : start + _PIECE]  # type: ignore[misc]
            done = max(0, done - len(piece))


def _chunks(pieces: Iterable[bytes], size: int) -> Iterator[_Chunk]:
    chunk = _Chunk()
    for piece in pieces:
        left = memoryview(piece)
        while len(left) > size - chunk.size:
            room = size - chunk.size
            chunk.add(left[:room])
            left = left[room:]
            yield chunk
            chunk = _Chunk()
        if left:
            chunk.add(left)
    if chunk.size:
        yield chunk


def _send_chunk(errand: Errand, session: str, chunk: _Chunk, at: int) -> str:
    """Returns where the next chunk goes."""
    end, done = at + chunk.size, 0
    while True:
        stored: int | None = None
        try:
            session, stored = _patch(errand, session, chunk, at, done)
            broken = RegistryError(f"cannot {errand.doing}: the registry says that it has {stored} bytes, not {end}")
        except RegistryError as error:
            if error.status in _NO_SESSION:
                raise _lost(error) from error
            if not isinstance(error, Interrupted) and error.status not in (*TRY_AGAIN, 416):
                raise
            broken = error
        if stored == end:
            return session
        if not errand.patience.wait(str(broken)):
            raise broken
        session, stored = _ask(errand, session)
        if not at + done <= stored <= end:
            raise Lost(f"cannot {errand.doing}: the registry has {stored} bytes of it, expected {end}")
        if stored == end:
            return session
        done = stored - at


def _patch(errand: Errand, session: str, chunk: _Chunk, at: int, done: int) -> tuple[str, int]:
    """Sends a chunk without what is `done` of it; returns the next place, and what the registry says that it has."""
    headers = {
        "Content-Type": "application/octet-stream",
        "Content-Range": f"{at + done}-{at + chunk.size - 1}",
        "Content-Length": str(chunk.size - done),
    }
    answer = errand.wire.request(
        "PATCH",
        session,
        errand.doing,
        expect=(201, 202, 204),
        headers=headers,
        body=lambda: chunk.after(done),
        actions=WRITE,
        again=False,
    )
    finish(answer)
    stored = _stored(answer.headers)
    return _next(errand, session, answer.headers), at + chunk.size if stored is None else stored


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
