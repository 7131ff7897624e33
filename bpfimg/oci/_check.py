"""The one gate for content: size and digest, before anybody sees a byte."""

from __future__ import annotations

from bpfimg._hash import new
from bpfimg.errors import DigestMismatch, ImageError
from bpfimg.oci._digest import Digest
from bpfimg.oci._limits import DEFAULT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bpfimg.oci._descriptor import Descriptor
    from bpfimg.oci._limits import Limits

_PIECE = 1 << 20


def check_limit(descriptor: Descriptor, limit: int, limits: Limits = DEFAULT) -> None:
    """Refuses (ImageError) content that is too large to take into memory, before it is asked for."""
    most = min(limit, limits.document) if descriptor.is_document else limit
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


def checked(descriptor: Descriptor, pieces: Iterable[bytes], where: str) -> Iterator[bytes]:
    """Yields `pieces` on, the last one only after all of them together are what the descriptor promises.

    DigestMismatch, naming `where`, when they are not: for more bytes as soon as there is one too many.
    """
    found = new(descriptor.digest.algorithm, descriptor.size)
    size = 0
    held: bytes | None = None
    for piece in pieces:
        size += len(piece)
        if size > descriptor.size:
            break
        found.update(piece)
        if held is not None:
            yield held
        held = piece
    if size != descriptor.size:
        raise DigestMismatch(
            f"{descriptor.digest} has {'more' if size > descriptor.size else size} bytes in {where}, "
            f"expected {descriptor.size}",
            want=f"{descriptor.size} bytes",
            got=f"{size} bytes",
        )
    if found.hexdigest() != descriptor.digest.hex:
        raise DigestMismatch(
            f"content in {where} has the digest {descriptor.digest.algorithm}:{found.hexdigest()}, "
            f"expected {descriptor.digest}",
            want=str(descriptor.digest),
            got=f"{descriptor.digest.algorithm}:{found.hexdigest()}",
        )
    if held is not None:
        yield held


def in_pieces(content: bytes) -> Iterator[bytes]:
    """Yields content that is in memory in pieces of 1 MiB."""
    view = memoryview(content)
    for at in range(0, len(view), _PIECE):
        yield bytes(view[at : at + _PIECE])
