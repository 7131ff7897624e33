"""Public keys: what signatures are believed with.

On the path of every `run`: ECDSA on P-256, the kind that nearly everybody has, is read without a key parser
(`serialization` costs 8 ms, most of it for ssh). The SPKI of an uncompressed P-256 point is a fixed 26 bytes and then
the point, so reading one is a comparison. Every other kind goes through `_other_kinds`.
"""

from __future__ import annotations

from bpfimg._hash import sha256
from bpfimg.errors import KeyFileError, quoted
from bpfimg.sign._strict import Junk, pem, to_pem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# SEQUENCE { SEQUENCE { OID id-ecPublicKey, OID prime256v1 }, BIT STRING of 65 bytes } (RFC 5480, section 2)
_P256 = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")


class PublicKey:
    """A key to believe signatures with, from `PublicKey.load(pem)` or `PublicKey.of(der)`. Equal when the keys are.

    `der` is the SPKI, `fingerprint` is "sha256:" and its hex digest; `kind` is "ecdsa-p256", "ecdsa-p384",
    "ecdsa-p521", "ed25519", "rsa-2048", "rsa-3072" or "rsa-4096".
    """

    __slots__ = ("_verify", "der", "fingerprint", "kind")

    der: bytes
    fingerprint: str
    kind: str
    _verify: Callable[[bytes, bytes, str], bool]

    def __init__(self, der: bytes) -> None:
        if der.startswith(_P256) and len(der) == len(_P256) + 65:
            from bpfimg.sign._keys._ecdsa import p256

            self.kind, self._verify = "ecdsa-p256", p256(der[len(_P256) :])
        else:
            from bpfimg.sign._keys._other_kinds import read

            self.kind, self._verify = read(der)
        self.der = der
        self.fingerprint = "sha256:" + sha256(der).hexdigest()

    @classmethod
    def of(cls, spki: bytes) -> PublicKey:
        """Returns the key in a SubjectPublicKeyInfo (DER); raises `KeyFileError` for kinds and forms of keys that are
        not believed: so that one key has one fingerprint, only the form that everybody writes is read."""
        return cls(spki)

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
        return cls(der)

    @property
    def pem(self) -> str:
        """The key as a PEM block, as cosign writes it."""
        return to_pem("PUBLIC KEY", self.der).decode("ascii")

    def verify(self, data: bytes, signature: bytes, *, digest: str = "") -> bool:
        """Says whether `signature` (ECDSA: ASN.1 DER; RSA: PKCS #1 v1.5) is this key's over `data`.

        `digest` is "sha256", "sha384" or "sha512"; "" is the key's own (P-384: SHA-384, P-521: SHA-512, others:
        SHA-256). "either" is the key's own or SHA-256: cosign 2 uses this for every key, cosign 3 that (ADR
        0029). Ed25519 signs the data themselves, whatever `digest` says.
        """
        if digest != "either":
            return self._verify(data, signature, digest)
        return self._verify(data, signature, "") or (
            self.kind in ("ecdsa-p384", "ecdsa-p521") and self._verify(data, signature, "sha256")
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicKey) and other.der == self.der

    def __hash__(self) -> int:
        return hash(self.der)

    def __repr__(self) -> str:
        return f"PublicKey({self.fingerprint})"
