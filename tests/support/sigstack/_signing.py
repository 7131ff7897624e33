"""What signs in a test: a key of the stack, of `cryptography`, or of bpfimg; for the stack they are all one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import serialization

from tests.support.sigstack._secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

_BUNDLE_HASHES = {"ecdsa-p384": "sha384", "ecdsa-p521": "sha512"}


@dataclass(frozen=True, slots=True)
class Hand:
    """A key that signs: `sign(data, digest)`, digest "" for the one that goes with the key."""

    sign: Callable[[bytes, str], bytes]
    pem: bytes
    spki: bytes
    kind: str
    public: Any

    def prehash(self) -> str:
        """The hash under which a bundle's log entry knows what this key has signed."""
        return _BUNDLE_HASHES.get(self.kind, "sha256")


def hand(key: Any) -> Hand:
    """The same thing, whatever it came as: `Secret`, bpfimg's PrivateKey (or a key in hardware), or P-256 of
    `cryptography`."""
    if isinstance(key, Secret):
        return _of_secret(key)
    if hasattr(key, "public_key"):
        return _of_secret(Secret(key, "ecdsa-p256"))
    pem = str(key.public.pem).encode()
    public: Any = serialization.load_pem_public_key(pem)
    spki = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    kind = getattr(key.public, "kind", "ecdsa-p256")

    def sign(data: bytes, digest: str) -> bytes:
        if kind == "ecdsa-p256" or not digest:
            return bytes(key.sign(data))
        return bytes(key.sign(data, digest=digest))

    return Hand(sign, pem, spki, kind, public)


def _of_secret(key: Secret) -> Hand:
    from cryptography.hazmat.primitives import hashes

    known = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}
    return Hand(lambda data, digest: key.sign(data, known.get(digest)), key.pem, key.spki, key.kind, key.public)


def pae(payload: bytes, kind: str = "application/vnd.in-toto+json") -> bytes:
    """The bytes that a DSSE envelope's signature is over."""
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind.encode(), len(payload), payload)


def digest(name: str, data: bytes) -> bytes:
    """The hash of that name."""
    return hashlib.new(name, data).digest()
