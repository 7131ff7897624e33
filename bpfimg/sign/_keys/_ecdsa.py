"""ECDSA with SHA-256, for verifying, without what `ec.ECDSA()` imports to ask about deterministic signing.

That is the whole OpenSSL backend with RSA and every cipher: 3.5 ms of each `run`, and nothing that verifying uses.
"""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec


class EcdsaSha256(ec.ECDSA):
    """What `ec.ECDSA(hashes.SHA256())` is to a public key."""

    def __init__(self) -> None:
        """Does not call the parent's: see above."""

    @property
    def algorithm(self) -> hashes.HashAlgorithm:
        return hashes.SHA256()

    @property
    def deterministic_signing(self) -> bool:
        return False
