"""What signing asks of a key, wherever it is kept: in a file, in hardware, at a cloud service."""

from __future__ import annotations

from typing import Protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.sign._keys._public import PublicKey


class SigningKey(Protocol):
    """A key to sign with; `public` is the `PublicKey` that believes it."""

    @property
    def public(self) -> PublicKey:
        """The public half."""

    def sign(self, data: bytes, *, digest: str = "") -> bytes:
        """Returns the signature over `data` that `public.verify(data, signature, digest=digest)` believes."""
