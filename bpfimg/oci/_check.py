"""The one gate for content: size and digest, before anybody sees a byte."""

from __future__ import annotations

from bpfimg.errors import DigestMismatch, ImageError
from bpfimg.oci import _media
from bpfimg.oci._digest import Digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.oci._descriptor import Descriptor


def check_limit(descriptor: Descriptor, limit: int) -> None:
    """Refuses (ImageError) content that is too large to take into memory, before it is asked for."""
    most = min(limit, _media.DOCUMENT_LIMIT) if descriptor.is_document else limit
    if descriptor.size > most:
        raise ImageError(f"{descriptor.digest} has {descriptor.size} bytes, expected at most {most}")


def check_content(descriptor: Descriptor, content: bytes, where: str) -> bytes:
    """Returns `content` when it is what the descriptor promises; DigestMismatch, naming `where`, when not."""
    if len(content) != descriptor.size:
        raise DigestMismatch(
            f"{descriptor.digest} has {len(content)} bytes in {where}, expected {descriptor.size}",
            want=f"{descriptor.size} bytes",
            got=f"{len(content)} bytes",
        )
    found = Digest.of(content, descriptor.digest.algorithm)
    if found != descriptor.digest:
        raise DigestMismatch(
            f"content in {where} has the digest {found}, expected {descriptor.digest}",
            want=str(descriptor.digest),
            got=str(found),
        )
    return content
