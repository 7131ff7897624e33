"""Private keys: made, read from a file, used to sign. Never on the path of `run`."""

from __future__ import annotations

from bpfimg.errors import KeyFileError, quoted
from bpfimg.sign._keys._keyfile import LABELS, seal, unseal
from bpfimg.sign._keys._public import PublicKey
from bpfimg.sign._strict import Junk, pem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

_PLAIN = ("PRIVATE KEY", "EC PRIVATE KEY")


def generate_key(password: bytes) -> tuple[bytes, bytes]:
    """Returns a new P-256 key pair as cosign writes it: the private file (encrypted PEM; mode 0600 is the
    caller's to set) and the public one. An empty password still encrypts, with nothing."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    pkcs8 = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return seal(pkcs8, password), _public(key).pem.encode("ascii")


class PrivateKey:
    """A P-256 key to sign with; `.public` is the `PublicKey` that believes it."""

    __slots__ = ("_key", "public")

    def __init__(self, key: EllipticCurvePrivateKey) -> None:
        self._key = key
        self.public = _public(key)

    @classmethod
    def load(cls, data: bytes, password: bytes) -> PrivateKey:
        """Returns the key in a cosign key file, or in plain PKCS#8 or SEC 1 PEM (then `password` is not used);
        raises `KeyFileError` for other files, other kinds of key and a wrong password."""
        try:
            label, content = pem(data, "private key")
        except Junk as error:
            raise KeyFileError(str(error)) from None
        if label in LABELS:
            return cls(_ec(unseal(content, password)))
        if label in _PLAIN:
            return cls(_ec(content))
        hint = "give the private file (.key), not the public one" if label == "PUBLIC KEY" else ""
        raise KeyFileError(f"private key has the PEM label {quoted(label)}, expected {LABELS[0]!r}", hint=hint)

    def sign(self, data: bytes) -> bytes:
        """Returns the ECDSA signature (ASN.1 DER) over the SHA-256 of `data`."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec

        return self._key.sign(data, ec.ECDSA(hashes.SHA256()))

    def __repr__(self) -> str:
        return f"PrivateKey(public={self.public.fingerprint})"


def _ec(der: bytes) -> EllipticCurvePrivateKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        key = serialization.load_der_private_key(der, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyFileError("private key file does not hold a private key that can be read") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise KeyFileError("private key is of another kind, expected ECDSA P-256, the one that this version supports")
    return key


def _public(key: EllipticCurvePrivateKey) -> PublicKey:
    from cryptography.hazmat.primitives import serialization

    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    return PublicKey.of(key.public_key().public_bytes(serialization.Encoding.DER, spki))
