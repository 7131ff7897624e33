"""Public keys: ECDSA on P-256, the one kind that this version believes.

On the path of every `run`: it imports no key parser (`serialization` costs 8 ms, most of it for ssh). The SPKI of
an uncompressed P-256 point is a fixed 26 bytes and then the point, so reading one is a comparison.
"""

from __future__ import annotations

import hashlib

from bpfimg.errors import KeyFileError, quoted
from bpfimg.sign._strict import Junk, pem, to_pem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

# SEQUENCE { SEQUENCE { OID id-ecPublicKey, OID prime256v1 }, BIT STRING of 65 bytes } (RFC 5480, section 2)
_P256 = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")
_OTHER_KINDS = (  # the AlgorithmIdentifier as it stands in other keys' SPKI: to name them in the refusal
    ("RSA", bytes.fromhex("06092a864886f70d010101")),
    ("Ed25519", bytes.fromhex("300506032b6570")),
    ("ECDSA P-384", bytes.fromhex("06072a8648ce3d020106052b81040022")),
    ("ECDSA P-521", bytes.fromhex("06072a8648ce3d020106052b81040023")),
    ("ECDSA P-256 (compressed point)", bytes.fromhex("06082a8648ce3d030107032200")),
)


class PublicKey:
    """A P-256 key to believe signatures with; `PublicKey.load(pem)` is the way to get one. Equal when the keys are.

    `fingerprint` is "sha256:" and the hex digest of the DER SPKI.
    """

    __slots__ = ("_key", "_point", "fingerprint")

    fingerprint: str
    _point: bytes
    _key: EllipticCurvePublicKey

    def __init__(self, point: bytes) -> None:
        from cryptography.hazmat.primitives.asymmetric import ec

        try:  # the point must lie on the curve
            self._key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        except ValueError as error:
            raise KeyFileError("public key is not a point on the curve P-256") from error
        self.fingerprint = "sha256:" + hashlib.sha256(_P256 + point).hexdigest()
        self._point = point

    @classmethod
    def load(cls, data: bytes) -> PublicKey:
        """Returns the key in one PEM block `PUBLIC KEY`; raises `KeyFileError` for anything else."""
        try:
            label, der = pem(data, "public key")
        except Junk as error:
            raise KeyFileError(str(error)) from None
        if label != "PUBLIC KEY":
            hint = "a private key is not needed to verify: give the .pub file" if "PRIVATE" in label else ""
            raise KeyFileError(f"public key has the PEM label {quoted(label)}, expected 'PUBLIC KEY'", hint=hint)
        if not (der.startswith(_P256) and len(der) == len(_P256) + 65):
            found = next((name for name, mark in _OTHER_KINDS if mark in der[:40]), "of an unknown kind")
            raise KeyFileError(f"public key is {found}, expected ECDSA P-256, the kind that this version supports")
        return cls(der[len(_P256) :])

    @property
    def pem(self) -> str:
        """The key as a PEM block, as cosign writes it."""
        return to_pem("PUBLIC KEY", _P256 + self._point).decode("ascii")

    def verify(self, data: bytes, signature: bytes) -> bool:
        """Says whether `signature` (ASN.1 DER) is this key's over the SHA-256 of `data`."""
        from cryptography.exceptions import InvalidSignature

        from bpfimg.sign._keys._ecdsa import EcdsaSha256

        try:
            self._key.verify(signature, data, EcdsaSha256())
        except InvalidSignature:
            return False
        return True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicKey) and other.fingerprint == self.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __repr__(self) -> str:
        return f"PublicKey({self.fingerprint})"
