"""Content from a registry: counted while it comes, and gone on with where the connection broke."""

from __future__ import annotations

import re

from bpfimg.errors import DigestMismatch, ImageError, RegistryError, quoted
from bpfimg.oci._http._answers import Interrupted, announced, finish, no_answer, pieces, read_limited

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from urllib3 import BaseHTTPResponse

    from bpfimg.oci._descriptor import Descriptor
    from bpfimg.oci._http._wire import Wire

_SPAN = r"bytes ([0-9]{1,19})-([0-9]{1,19})/(?:\*|[0-9]{1,19})"


def download_document(
    wire: Wire, url: str, doing: str, headers: Mapping[str, str], *, actions: str = "pull"
) -> tuple[bytes, Mapping[str, str]]:
    """Returns a document of unknown size and the headers it came with; ImageError when it is larger than a document
    may be."""
    from urllib3.exceptions import HTTPError

    patience = wire.patience()
    while True:
        response = wire.request("GET", url, doing, headers=headers, actions=actions, patience=patience)
        try:
            content = _all(response, wire.options.limits.document, doing)
            if content or "Content-Length" in response.headers or "Transfer-Encoding" in response.headers:
                return content, response.headers
            broken: RegistryError = Interrupted(f"cannot {doing}: {wire.host}: the answer is empty")
        except HTTPError as error:
            broken = no_answer(error, doing, wire.host)
        finally:
            response.close()
        if not patience.wait(str(broken)):
            raise broken


def _all(response: BaseHTTPResponse, limit: int, doing: str) -> bytes:
    size = announced(response)
    content = read_limited(response, limit) if size is None or size <= limit else b""
    if len(content) > limit or (size or 0) > limit:
        raise ImageError(f"cannot {doing}: it has more than {limit} bytes")
    return content


def download_blob(wire: Wire, descriptor: Descriptor, at: int = 0) -> Iterator[bytes]:
    """Yields the content of a blob from the byte `at` on, not yet checked: as many bytes as the descriptor says, or a
    piece more or less where the registry has something else.

    After a broken connection the rest is asked for by `Range`; of a server that sends all again, the beginning is
    passed over. DigestMismatch when it is announced with another size.
    """
    from urllib3.exceptions import HTTPError

    url = f"/v2/{wire.path}/blobs/{descriptor.digest}"
    doing = f"read {wire.host}/{wire.path}@{descriptor.digest}"
    patience = wire.patience()
    etag, ranges = "", True
    while True:
        wanted = {"Range": f"bytes={at}-", **({"If-Range": etag} if etag else {})} if at and ranges else {}
        expect = (200, 206, 416) if wanted else (200, 206)
        response = wire.request("GET", url, doing, headers=wanted, expect=expect, patience=patience)
        if response.status == 416:  # it knows ranges, but not this one
            finish(response)
            ranges = False
            continue
        broken: RegistryError = Interrupted(f"cannot {doing}: {wire.host}: the content ends too early")
        try:
            etag = _strong(response.headers.get("ETag"))
            unwanted = at if response.status == 200 else 0
            _check_headers(response, 0 if unwanted else at, descriptor, doing, wire.host)
            for part in pieces(response):
                piece = part[unwanted:] if unwanted else part
                unwanted = max(0, unwanted - len(part))
                if piece:
                    at += len(piece)
                    patience.progress(len(piece))
                    yield piece
                if at > descriptor.size:
                    return
            if at == descriptor.size or response.headers.get("Transfer-Encoding"):
                return
        except HTTPError as error:
            broken = no_answer(error, doing, wire.host)
            if at == descriptor.size:
                return
        finally:
            response.close()
        if not patience.wait(str(broken)):
            raise broken


def _check_headers(response: BaseHTTPResponse, at: int, descriptor: Descriptor, doing: str, host: str) -> None:
    """Refuses an answer whose headers say already that it cannot be the content, or the part of it, we asked for."""
    end = descriptor.size
    if response.status == 206:
        span = response.headers.get("Content-Range", "")
        found = re.fullmatch(_SPAN, span.strip())
        if found is None or int(found[1]) != at or int(found[2]) >= end:
            raise RegistryError(f"cannot {doing}: {host} sends {quoted(span)}, expected the bytes from {at} on")
        end = int(found[2]) + 1
    length = announced(response)
    if length is not None and at + length != end:
        raise DigestMismatch(
            f"{host} announces {at + length} bytes for {descriptor.digest}, expected {end}",
            want=f"{end} bytes",
            got=f"{at + length} bytes",
        )


def _strong(etag: str | None) -> str:
    """Returns an entity tag that `If-Range` may carry, "" for none: weak ones do not promise equal bytes."""
    return etag if etag and etag.startswith('"') and etag.isprintable() else ""
