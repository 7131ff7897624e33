"""Keys of the stack: the same ones for the same seed, in every run."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

_CURVES: dict[str, tuple[type[ec.EllipticCurve], int]] = {
    "ecdsa-p256": (ec.SECP256R1, 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551),
    "ecdsa-p384": (
        ec.SECP384R1,
        0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
    ),
}
_HASHES = {"ecdsa-p256": hashes.SHA256(), "ecdsa-p384": hashes.SHA384()}
#: kind of key -> what the protobufs of Sigstore call it (common.proto, PublicKeyDetails)
DETAILS = {
    "ecdsa-p256": "PKIX_ECDSA_P256_SHA_256",
    "ecdsa-p384": "PKIX_ECDSA_P384_SHA_384",
    "ecdsa-p521": "PKIX_ECDSA_P521_SHA_512",
    "ed25519": "PKIX_ED25519",
    "rsa-2048": "PKIX_RSA_PKCS1V15_2048_SHA256",
    "rsa-3072": "PKIX_RSA_PKCS1V15_3072_SHA256",
    "rsa-4096": "PKIX_RSA_PKCS1V15_4096_SHA256",
}


@dataclass(frozen=True, slots=True)
class Secret:
    """A private key of the stack, `raw` as `cryptography` has it."""

    raw: Any
    kind: str

    @classmethod
    def of(cls, seed: str, kind: str = "ecdsa-p256") -> Secret:
        """The key that belongs to this text."""
        digest = hashlib.sha512(seed.encode()).digest()
        if kind == "ed25519":
            return cls(ed25519.Ed25519PrivateKey.from_private_bytes(digest[:32]), kind)
        curve, order = _CURVES[kind]
        return cls(ec.derive_private_key(int.from_bytes(digest, "big") % (order - 1) + 1, curve()), kind)

    @classmethod
    def new(cls) -> Secret:
        """A key that nobody has seen."""
        return cls(ec.generate_private_key(ec.SECP256R1()), "ecdsa-p256")

    @property
    def public(self) -> Any:
        """The public key, as `cryptography` has it."""
        return self.raw.public_key()

    @property
    def spki(self) -> bytes:
        """The public key as DER SubjectPublicKeyInfo."""
        encoding, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        return bytes(self.public.public_bytes(encoding, form))

    @property
    def pem(self) -> bytes:
        """The public key as PEM."""
        encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        return bytes(self.public.public_bytes(encoding, form))

    def sign(self, data: bytes, digest: hashes.HashAlgorithm | None = None) -> bytes:
        """A signature with the hash that goes with the key, or with this one."""
        if self.kind == "ed25519":
            return bytes(self.raw.sign(data))
        return bytes(self.raw.sign(data, ec.ECDSA(digest or _HASHES[self.kind])))
