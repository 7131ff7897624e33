"""Blobs to a registry: one session, one PUT; a fresh session when that broke (distribution-spec 1.1, 'Pushing Blobs').

What is too large to be sent twice goes in chunks: `_chunks`.
"""

from __future__ import annotations

from contextlib import suppress

from bpfimg._value import value
from bpfimg.errors import Error, RegistryError
from bpfimg.oci._check import checked, in_pieces
from bpfimg.oci._http._answers import Interrupted, announced, check_said, finish
from bpfimg.oci._http._patience import TRY_AGAIN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bpfimg.oci._descriptor import Descriptor
    from bpfimg.oci._http._patience import Patience
    from bpfimg.oci._http._wire import Wire

    Content = bytes | Callable[[], Iterator[bytes]]
    """All of it, already checked, or what gives it from the beginning, again for each try."""

WRITE = "pull,push"
_NO_CHUNKS = frozenset((405, 501))


class Lost(RegistryError):  # noqa: N818 - named as errors.py names its classes
    """The session is gone or in disorder; another may do better."""


@value(frozen=True, slots=True)
class Errand:
    """One blob on its way."""

    wire: Wire
    descriptor: Descriptor
    content: Content
    doing: str
    patience: Patience
    failed: list[Error]
    """What went wrong where the content comes from, which is nobody's fault here."""

    def pieces(self) -> Iterator[bytes]:
        """Yields the content from the beginning, the last piece when all of it is known to be right."""
        if isinstance(self.content, bytes):
            yield from in_pieces(self.content)
            return
        try:
            yield from checked(self.descriptor, self.content(), "what is pushed")
        except Error as error:
            self.failed.append(error)
            raise


def upload_blob(wire: Wire, descriptor: Descriptor, content: Content, session: str = "") -> None:
    """Stores `content` as a blob, in a session that was begun already if there is one.

    RegistryError when the registry refuses it, DigestMismatch when it is something else; what `content` raises passes
    through. The session is then given up.
    """
    doing = f"push {descriptor.digest} to {wire.host}/{wire.path}"
    patience = wire.patience()
    errand = Errand(wire, descriptor, content, doing, patience, [])
    sessions = 1 + len(wire.options.waits)  # progress gives new patience: a blob that always breaks needs an end
    whole = descriptor.size <= wire.options.whole
    for number in range(1, sessions + 1):
        if number > 1 and is_there(wire, descriptor, doing, patience):
            return  # all that was lost was the answer
        least = 0
        if not session:
            session, least = begin(errand)
        try:
            if whole or least >= descriptor.size:
                _send(errand, session)
            else:
                from bpfimg.oci._http._chunks import send_in_chunks

                send_in_chunks(errand, session, max(least, wire.options.chunk))
        except Error as error:
            no_chunks = not whole and isinstance(error, RegistryError) and error.status in _NO_CHUNKS
            if not isinstance(error, Interrupted):  # nobody waits for a registry that does not answer
                give_up(wire, session, doing)
            passes = error not in errand.failed and (no_chunks or _passes(error)) and number < sessions
            if not passes or not patience.wait(str(error)):
                raise
            session, whole = "", whole or no_chunks
        else:
            return


def begin(errand: Errand) -> tuple[str, int]:
    """Returns where to upload to, and how long chunks must be."""
    start = f"/v2/{errand.wire.path}/blobs/uploads/"
    begun = errand.wire.request("POST", start, errand.doing, expect=(202,), actions=WRITE, patience=errand.patience)
    finish(begun)
    least = begun.headers.get("OCI-Chunk-Min-Length", "")
    return place(errand.wire, start, begun.headers.get("Location"), errand.doing), (
        int(least) if least.isascii() and least.isdecimal() and len(least) < 16 else 0
    )


def place(wire: Wire, url: str, location: str | None, doing: str) -> str:
    """Returns where a session goes on; RegistryError when nobody says."""
    if not location:
        raise RegistryError(f"cannot {doing}: the registry names no place to upload to, expected a Location")
    return wire.join(url, location)


def close(errand: Errand, session: str, content: Content | None, *, again: bool) -> None:
    """Ends a session: from now on what was sent is a blob."""
    digest = errand.descriptor.digest
    headers = {"Content-Type": "application/octet-stream"}
    if content is not None and not isinstance(content, bytes):
        headers["Content-Length"] = str(errand.descriptor.size)
    answer = errand.wire.request(
        "PUT",
        f"{session}{'&' if '?' in session else '?'}digest={digest}",
        errand.doing,
        expect=(201, 204),
        headers=headers,
        body=content,
        actions=WRITE,
        patience=errand.patience,
        again=again,
    )
    finish(answer)
    check_said(errand.wire.host, digest, answer.headers)


def is_there(wire: Wire, descriptor: Descriptor, doing: str, patience: Patience | None = None) -> bool:
    """Says what the registry says about a blob, by digest and size."""
    url = f"/v2/{wire.path}/blobs/{descriptor.digest}"
    answer = wire.request("HEAD", url, doing, expect=(200, 404), actions=WRITE, patience=patience)
    finish(answer)
    return answer.status == 200 and announced(answer) in (None, descriptor.size)


def give_up(wire: Wire, session: str, doing: str) -> None:
    """Tells the registry that nothing more comes, if it cares to know."""
    with suppress(RegistryError):  # it cleans up by itself, later
        finish(wire.request("DELETE", session, doing, expect=(202, 204), actions=WRITE, again=False))


def mount_blob(wire: Wire, descriptor: Descriptor, origin: str) -> str | None:
    """Takes a blob over from the repository `origin` of the same registry and returns None; where that is not to be
    had, "" or the session that was begun in its place."""
    from urllib.parse import quote

    doing = f"mount {descriptor.digest} of {origin} in {wire.host}/{wire.path}"
    url = f"/v2/{wire.path}/blobs/uploads/?mount={descriptor.digest}&from={quote(origin, safe='')}"
    try:
        answer = wire.request("POST", url, doing, expect=(201, 202), actions=WRITE, mount=origin)
    except Interrupted:
        raise
    except RegistryError:
        return ""  # what is wrong with pushing itself shows when it is tried
    finish(answer)
    location = answer.headers.get("Location")
    if answer.status == 201:
        return None
    return wire.join(url, location) if location else ""


def _send(errand: Errand, session: str) -> None:
    close(errand, session, errand.content if isinstance(errand.content, bytes) else errand.pieces, again=False)


def _passes(error: Error) -> bool:
    return isinstance(error, Interrupted | Lost) or (isinstance(error, RegistryError) and error.status in TRY_AGAIN)
