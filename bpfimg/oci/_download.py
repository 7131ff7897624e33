"""Content from a registry: counted while it comes, and gone on with where the connection broke."""

from __future__ import annotations

from bpfimg.errors import DigestMismatch, ImageError, RegistryError, quoted
from bpfimg.oci._answers import announced, no_answer, pieces

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from urllib3 import BaseHTTPResponse

    from bpfimg.oci._descriptor import Descriptor
    from bpfimg.oci._wire import Wire


def download_document(
    wire: Wire, url: str, doing: str, headers: Mapping[str, str], limit: int, *, actions: str = "pull"
) -> tuple[bytes, Mapping[str, str]]:
    """Returns a document of unknown size and the headers it came with; ImageError when it is larger than `limit`."""
    patience = wire.patience()
    while True:
        response = wire.request("GET", url, doing, headers=headers, actions=actions)
        content = bytearray()
        broken = _drain(response, content, limit + 1, doing, wire.host)
        if len(content) > limit:
            raise ImageError(f"cannot {doing}: it has more than {limit} bytes")
        if broken is None:
            return bytes(content), response.headers
        if not patience.wait(str(broken)):
            raise broken


def download_blob(wire: Wire, url: str, doing: str, descriptor: Descriptor) -> bytes:
    """Returns as many bytes as the descriptor says, the digest not yet checked; DigestMismatch for more or fewer.

    After a broken connection the rest is asked for by `Range`; a server that cannot do that sends all again.
    """
    content = bytearray()
    patience = wire.patience()
    etag = ""
    while True:
        wanted = {"Range": f"bytes={len(content)}-", **({"If-Range": etag} if etag else {})} if content else {}
        response = wire.request("GET", url, doing, headers=wanted, expect=(200, 206))
        if response.status == 200:
            content.clear()
        etag = _strong(response.headers.get("ETag"))
        _check_headers(response, len(content), descriptor, doing, wire.host)
        broken = _drain(response, content, descriptor.size + 1, doing, wire.host)
        if broken is None or len(content) > descriptor.size:
            return bytes(content)
        if not patience.wait(str(broken)):
            raise broken


def _drain(response: BaseHTTPResponse, content: bytearray, most: int, doing: str, host: str) -> RegistryError | None:
    """Reads a body into `content` until it holds `most` bytes; returns how the connection broke, None when it held."""
    from urllib3.exceptions import HTTPError

    try:
        for part in pieces(response):
            content += part
            if len(content) >= most:
                break
    except HTTPError as error:
        return no_answer(error, doing, host)
    finally:
        response.close()
    return None


def _check_headers(response: BaseHTTPResponse, at: int, descriptor: Descriptor, doing: str, host: str) -> None:
    """Refuses an answer whose headers say already that it cannot be the content, or the part of it, we asked for."""
    if response.status == 206:
        span = response.headers.get("Content-Range", "")
        if not span.startswith(f"bytes {at}-"):
            response.close()
            raise RegistryError(f"cannot {doing}: {host} sends {quoted(span)}, expected the bytes from {at} on")
    length = announced(response)
    if length is not None and at + length != descriptor.size:
        response.close()
        raise DigestMismatch(
            f"{host} announces {at + length} bytes for {descriptor.digest}, expected {descriptor.size}",
            want=f"{descriptor.size} bytes",
            got=f"{at + length} bytes",
        )


def _strong(etag: str | None) -> str:
    """Returns an entity tag that `If-Range` may carry, "" for none: weak ones do not promise equal bytes."""
    return etag if etag and etag.startswith('"') and etag.isprintable() else ""
