"""How the servers verify what they are sent."""

from __future__ import annotations

from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

from tests.support.sigstack._service import RefusedError

_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
_OF_CURVE = {256: "sha256", 384: "sha384", 521: "sha512"}


def hash_of(key: Any) -> str:
    """The name of the hash that goes with a key."""
    return _OF_CURVE[key.key_size] if isinstance(key, ec.EllipticCurvePublicKey) else "sha256"


def verify(key: Any, signature: bytes, data: bytes, name: str = "") -> None:
    """Raises `InvalidSignature` unless the key has signed the data, with the hash of that name or its own."""
    digest = _HASHES[name or hash_of(key)]
    if isinstance(key, ed25519.Ed25519PublicKey):
        key.verify(signature, data)
    elif isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, data, padding.PKCS1v15(), digest)
    else:
        key.verify(signature, data, ec.ECDSA(digest))


def verify_hash(key: Any, signature: bytes, hashed: bytes, name: str) -> None:
    """The same where only the hash is known. Pure Ed25519 cannot be verified so, and Rekor refuses it, too."""
    digest = _HASHES.get(name)
    if digest is None or len(hashed) != digest.digest_size:
        raise RefusedError(400, f"the hash is no {name}")
    prehashed = utils.Prehashed(digest)
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, hashed, padding.PKCS1v15(), prehashed)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, hashed, ec.ECDSA(prehashed))
        else:
            raise RefusedError(400, "Ed25519 signatures cannot be verified with only a hash")
    except InvalidSignature as error:
        raise RefusedError(400, "the signature is not that of the key over the hash") from error


def verifier(data: bytes) -> Any:
    """The key in a PEM certificate or public key, or in DER."""
    readers = (
        (lambda: x509.load_pem_x509_certificate(data).public_key(), b"-----BEGIN CERTIFICATE"),
        (lambda: serialization.load_pem_public_key(data), b"-----BEGIN PUBLIC KEY"),
    )
    try:
        for read, start in readers:
            if data.startswith(start):
                return read()
        return serialization.load_der_public_key(data)
    except ValueError as error:
        raise RefusedError(400, f"no key: {error}") from error


def certified(der: bytes) -> Any:
    """The key in a DER certificate."""
    try:
        return x509.load_der_x509_certificate(der).public_key()
    except ValueError as error:
        raise RefusedError(400, f"no certificate: {error}") from error
