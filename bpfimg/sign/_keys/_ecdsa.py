"""ECDSA, for verifying, without what `ec.ECDSA()` imports to ask about deterministic signing.

That is the whole OpenSSL backend with RSA and every cipher: 3.5 ms of each `run`, and nothing that verifying uses.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from bpfimg.errors import KeyFileError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class _Ecdsa(ec.ECDSA):
    """What `ec.ECDSA(algorithm)` is to a public key."""

    def __init__(self, algorithm: hashes.HashAlgorithm) -> None:
        """Does not call the parent's: see above."""
        self._hash = algorithm

    @property
    def algorithm(self) -> hashes.HashAlgorithm:
        return self._hash

    @property
    def deterministic_signing(self) -> bool:
        return False


SCHEMES = {
    "sha256": _Ecdsa(hashes.SHA256()),
    "sha384": _Ecdsa(hashes.SHA384()),
    "sha512": _Ecdsa(hashes.SHA512()),
}


def p256(point: bytes) -> Callable[[bytes, bytes, str], bool]:
    """Returns what verifies with the P-256 key at an uncompressed point; `KeyFileError` unless it is on the curve."""
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError as error:
        raise KeyFileError("public key is not a point on the curve P-256") from error
    return verifying(key, "sha256")


def verifying(key: ec.EllipticCurvePublicKey, own: str) -> Callable[[bytes, bytes, str], bool]:
    """Returns what verifies with this key, whose `own` digest is used where none is asked for."""

    def verify(data: bytes, signature: bytes, digest: str) -> bool:
        try:
            key.verify(signature, data, SCHEMES[digest or own])
        except InvalidSignature:
            return False
        return True

    return verify
