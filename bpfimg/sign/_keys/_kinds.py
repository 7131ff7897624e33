"""What is true of a kind of key wherever it is kept."""

from __future__ import annotations

ED25519_SPKI = bytes.fromhex("302a300506032b6570032100")
"""What stands before the 32 bytes of an Ed25519 key in its SubjectPublicKeyInfo (RFC 8410, section 4)."""
_DIGESTS = {"ecdsa-p384": "sha384", "ecdsa-p521": "sha512"}


def own_digest(kind: str) -> str:
    """Returns the digest with which keys of this kind sign when no other is asked for."""
    return _DIGESTS.get(kind, "sha256")
