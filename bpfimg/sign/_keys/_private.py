"""Private keys: made, read from a file, used to sign. Never on the path of `run`."""

from __future__ import annotations

from bpfimg.errors import KeyFileError, UsageError, quoted
from bpfimg.sign._keys._keyfile import LABELS, seal, unseal
from bpfimg.sign._keys._kinds import own_digest
from bpfimg.sign._keys._public import PublicKey
from bpfimg.sign._strict import Junk, pem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

KEY_KINDS = ("ecdsa-p256", "ecdsa-p384", "ed25519")
"""What can be made. Signing takes every kind that a `PublicKey` believes."""
_SEALED = "ENCRYPTED PRIVATE KEY"
_PLAIN = ("PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY")


def generate_key(password: bytes, kind: str = KEY_KINDS[0]) -> tuple[bytes, bytes]:
    """Returns a new key pair as cosign writes it: the private file (encrypted PEM; mode 0600 is the caller's to set)
    and the public one. An empty password still encrypts, with nothing. `UsageError` for a kind not in `KEY_KINDS`.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
    if kind == KEY_KINDS[0]:
        key = ec.generate_private_key(ec.SECP256R1())
    elif kind == KEY_KINDS[1]:
        key = ec.generate_private_key(ec.SECP384R1())
    elif kind == KEY_KINDS[2]:
        key = ed25519.Ed25519PrivateKey.generate()
    else:
        raise UsageError(f"keys of the kind {quoted(kind)} cannot be made, expected {', '.join(KEY_KINDS)}")
    pkcs8 = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return seal(pkcs8, password), _public(key).pem.encode("ascii")


class PrivateKey:
    """A key to sign with; `.public` is the `PublicKey` that believes it."""

    __slots__ = ("_key", "public")

    def __init__(self, key: PrivateKeyTypes) -> None:
        self.public = _public(key)
        self._key = key

    @classmethod
    def load(cls, data: bytes, password: bytes) -> PrivateKey:
        """Returns the key in a cosign key file, an encrypted PKCS #8 file, or a plain PKCS #8, SEC 1 or PKCS #1 one
        (then `password` is not used); raises `KeyFileError` for other files and a wrong password."""
        try:
            label, content = pem(data, "private key")
        except Junk as error:
            raise KeyFileError(str(error)) from None
        if label in LABELS:
            return cls(_parsed(unseal(content, password), None))
        if label == _SEALED:
            return cls(_parsed(content, password))
        if label in _PLAIN:
            return cls(_parsed(content, None))
        hint = "give the private file (.key), not the public one" if label == "PUBLIC KEY" else ""
        raise KeyFileError(f"private key has the PEM label {quoted(label)}, expected {LABELS[0]!r}", hint=hint)

    def sign(self, data: bytes, *, digest: str = "") -> bytes:
        """Returns the signature that `public.verify(data, signature, digest=digest)` believes: ECDSA in ASN.1 DER,
        RSA by PKCS #1 v1.5, pure Ed25519. `digest` is as there; "" is the key's own."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

        algorithms = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}
        algorithm = algorithms[digest or own_digest(self.public.kind)]
        if isinstance(self._key, ec.EllipticCurvePrivateKey):
            return self._key.sign(data, ec.ECDSA(algorithm))
        if isinstance(self._key, rsa.RSAPrivateKey):
            return self._key.sign(data, padding.PKCS1v15(), algorithm)
        assert isinstance(self._key, ed25519.Ed25519PrivateKey)  # a PublicKey is of one of these three
        return self._key.sign(data)

    def __repr__(self) -> str:
        return f"PrivateKey(public={self.public.fingerprint})"


def _parsed(der: bytes, password: bytes | None) -> PrivateKeyTypes:
    from cryptography.exceptions import InternalError, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    try:
        return serialization.load_der_private_key(der, password)
    except (ValueError, TypeError, UnsupportedAlgorithm, InternalError) as error:  # the last: Ed25519 of another size
        if password is not None:
            text = "private key cannot be decrypted: the password is wrong, or the file is damaged"
            raise KeyFileError(text) from error
        raise KeyFileError("private key file does not hold a private key that can be read") from error


def _public(key: PrivateKeyTypes) -> PublicKey:
    from cryptography.hazmat.primitives import serialization

    form = serialization.PublicFormat.SubjectPublicKeyInfo
    try:
        return PublicKey.of(key.public_key().public_bytes(serialization.Encoding.DER, form))
    except KeyFileError as error:
        raise KeyFileError(f"private key cannot be used: its {error}") from error
