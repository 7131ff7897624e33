"""Keys other than ECDSA on P-256: P-384, P-521, Ed25519 and RSA, read by cryptography's parser.

What is weak is refused where it is read. RSA is 2048, 3072 or 4096 bits with the exponent 65537: what every key
service makes. A small exponent invites forgeries against lax readers, a large or odd-sized modulus only costs time.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from bpfimg.errors import KeyFileError
from bpfimg.sign._keys._ecdsa import verifying
from bpfimg.sign._keys._kinds import own_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

KINDS = "expected ECDSA P-256, P-384 or P-521, Ed25519, or RSA with 2048, 3072 or 4096 bits"
_LIMIT = 1024  # the SPKI of RSA-4096 has 550 bytes
_CURVES = {"secp384r1": "ecdsa-p384", "secp521r1": "ecdsa-p521"}
_RSA_BITS = (2048, 3072, 4096)
_RSA_EXPONENT = 65537
_DIGESTS: dict[str, hashes.HashAlgorithm] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
_PRIME = 2**255 - 19
# y of the points whose order divides 8: under such a key anybody can sign
_ORDER_8 = 2707385501144840649318225287225658788936804267575313519463743609750303402022
_WEAK = frozenset({0, 1, _PRIME - 1, _ORDER_8, _PRIME - _ORDER_8})


def read(der: bytes) -> tuple[str, Callable[[bytes, bytes, str], bool]]:
    """Returns the kind of the key in an SPKI, and what verifies with it; raises `KeyFileError`."""
    if len(der) > _LIMIT:
        raise KeyFileError(f"public key has {len(der)} bytes, {KINDS}")
    try:
        key = load_der_public_key(der)
        same = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) == der
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyFileError(f"public key is of an unknown kind, {KINDS}") from error
    if not same:
        raise KeyFileError("public key is written in an unusual form, expected an uncompressed point in DER")
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        kind = _CURVES[key.curve.name]
        return kind, verifying(key, own_digest(kind))
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "ed25519", _ed25519(key)
    if isinstance(key, rsa.RSAPublicKey):
        return f"rsa-{key.key_size}", _rsa(key)
    name = f"on the curve {key.curve.name}" if isinstance(key, ec.EllipticCurvePublicKey) else "of an unknown kind"
    raise KeyFileError(f"public key is {name}, {KINDS}")


def _ed25519(key: ed25519.Ed25519PublicKey) -> Callable[[bytes, bytes, str], bool]:
    y = int.from_bytes(key.public_bytes_raw(), "little") % 2**255  # the highest bit is the sign of x
    if y in _WEAK or y >= _PRIME:  # RFC 8032, section 5.1.3, refuses the latter; not every library does
        raise KeyFileError("public key is a weak or misspelled Ed25519 point, under which others could sign")

    def verify(data: bytes, signature: bytes, _digest: str) -> bool:
        try:
            key.verify(signature, data)
        except InvalidSignature:
            return False
        return True

    return verify


def _rsa(key: rsa.RSAPublicKey) -> Callable[[bytes, bytes, str], bool]:
    exponent = key.public_numbers().e
    if key.key_size not in _RSA_BITS:
        raise KeyFileError(f"public key is RSA with {key.key_size} bits, expected 2048, 3072 or 4096")
    if exponent != _RSA_EXPONENT:
        raise KeyFileError(f"public key is RSA with the exponent {str(exponent)[:20]}, expected {_RSA_EXPONENT}")

    def verify(data: bytes, signature: bytes, digest: str) -> bool:
        try:
            key.verify(signature, data, padding.PKCS1v15(), _DIGESTS[digest or "sha256"])
        except InvalidSignature:
            return False
        return True

    return verify
