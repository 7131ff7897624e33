"""The kinds of public keys that are believed, each verified against cryptography, and those that are refused."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa, x25519

from bpfimg.errors import KeyFileError
from bpfimg.sign import PublicKey

DER, PEM = serialization.Encoding.DER, serialization.Encoding.PEM
SPKI = serialization.PublicFormat.SubjectPublicKeyInfo
DIGESTS: dict[str, hashes.HashAlgorithm] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
OWN = {"ecdsa-p384": "sha384", "ecdsa-p521": "sha512"}
KEYS: dict[str, Any] = {
    "ecdsa-p256": ec.generate_private_key(ec.SECP256R1()),
    "ecdsa-p384": ec.generate_private_key(ec.SECP384R1()),
    "ecdsa-p521": ec.generate_private_key(ec.SECP521R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate(),
    "rsa-2048": rsa.generate_private_key(65537, 2048),
    "rsa-3072": rsa.generate_private_key(65537, 3072),
}


def der(private: Any) -> bytes:
    found: bytes = private.public_key().public_bytes(DER, SPKI)
    return found


def signed(private: Any, data: bytes, digest: str) -> bytes:
    """What another implementation of the scheme would sign."""
    found: bytes
    if isinstance(private, ed25519.Ed25519PrivateKey):
        found = private.sign(data)
    elif isinstance(private, rsa.RSAPrivateKey):
        found = private.sign(data, padding.PKCS1v15(), DIGESTS[digest])
    else:
        found = private.sign(data, ec.ECDSA(DIGESTS[digest]))
    return found


@pytest.mark.parametrize("kind", KEYS)
def test_each_kind_is_read_from_der_and_pem_and_says_what_it_is(kind: str) -> None:
    found = PublicKey.of(der(KEYS[kind]))
    assert found.kind == kind
    assert found.der == der(KEYS[kind])
    assert found.pem.encode() == KEYS[kind].public_key().public_bytes(PEM, SPKI)
    assert found.fingerprint == "sha256:" + hashlib.sha256(found.der).hexdigest()
    assert found == PublicKey.load(found.pem.encode())
    assert len({found, PublicKey.load(found.pem.encode())}) == 1


@pytest.mark.parametrize("digest", ["", *DIGESTS])
@pytest.mark.parametrize("kind", KEYS)
def test_each_kind_verifies_with_its_own_digest_and_with_the_one_that_is_asked_for(kind: str, digest: str) -> None:
    public = PublicKey.of(der(KEYS[kind]))
    used = digest or OWN.get(kind, "sha256")
    good = signed(KEYS[kind], b"data", used)
    assert public.verify(b"data", good, digest=digest)
    assert not public.verify(b"date", good, digest=digest)
    assert not public.verify(b"data", good[:-1], digest=digest)
    assert not public.verify(b"data", good + b"\0", digest=digest)
    assert not public.verify(b"data", b"", digest=digest)
    others = [other for other in DIGESTS if other != used]
    for other in others:
        believed = public.verify(b"data", good, digest=other)
        assert believed is (kind == "ed25519"), "the digest is that of the format, never that of the message"


@pytest.mark.parametrize("kind", KEYS)
def test_either_is_the_keys_own_digest_or_sha256_and_no_third(kind: str) -> None:
    """cosign 2.5 signs with SHA-256, whatever the key; cosign 3.1 with the key's own."""
    public = PublicKey.of(der(KEYS[kind]))
    for digest in DIGESTS:
        good = signed(KEYS[kind], b"data", digest)
        wanted = kind == "ed25519" or digest in ("sha256", OWN.get(kind, "sha256"))
        assert public.verify(b"data", good, digest="either") is wanted
        assert not public.verify(b"date", good, digest="either")


def test_an_unknown_digest_is_nobodys() -> None:
    with pytest.raises(KeyError):
        PublicKey.of(der(KEYS["ecdsa-p256"])).verify(b"data", b"", digest="sha1")


@pytest.mark.parametrize("kind", KEYS)
def test_another_key_of_the_kind_does_not_verify(kind: str) -> None:
    public = PublicKey.of(der(KEYS[kind]))
    for other, private in KEYS.items():
        if other != kind:
            assert not public.verify(b"data", signed(private, b"data", "sha256"), digest="sha256")


REFUSED: dict[str, tuple[bytes, str]] = {
    "RSA-1024": (der(rsa.generate_private_key(65537, 1024)), "RSA with 1024 bits|unknown kind"),
    "RSA-2056": (der(rsa.generate_private_key(65537, 2056)), "RSA with 2056 bits"),
    "RSA-2048 with exponent 3": (der(rsa.generate_private_key(3, 2048)), "exponent 3, expected 65537"),
    "secp256k1": (der(ec.generate_private_key(ec.SECP256K1())), "on the curve secp256k1"),
    "brainpool": (der(ec.generate_private_key(ec.BrainpoolP256R1())), "on the curve brainpoolP256r1"),
    "P-224": (der(ec.generate_private_key(ec.SECP224R1())), "on the curve secp224r1"),
    "DSA": (der(dsa.generate_private_key(2048)), "unknown kind"),
    "Ed448": (der(ed448.Ed448PrivateKey.generate()), "unknown kind"),
    "X25519": (der(x25519.X25519PrivateKey.generate()), "unknown kind"),
    "something behind it": (der(KEYS["ecdsa-p384"]) + b"\0", "unknown kind"),
    "cut": (der(KEYS["ed25519"])[:-1], "unknown kind"),
    "nothing": (b"", "unknown kind"),
    "too long": (bytes(2000), "2000 bytes"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_weak_or_unknown_is_refused_by_name(name: str) -> None:
    spki, message = REFUSED[name]
    with pytest.raises(KeyFileError, match=message):
        PublicKey.of(spki)


def test_a_large_exponent_is_refused() -> None:
    numbers = KEYS["rsa-2048"].public_key().public_numbers()
    for exponent in (3, 17, 65539, 2**40 + 1):
        changed = rsa.RSAPublicNumbers(exponent, numbers.n).public_key().public_bytes(DER, SPKI)
        with pytest.raises(KeyFileError, match=f"exponent {exponent}"):
            PublicKey.of(changed)


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1()], ids=lambda curve: str(curve.name))
def test_a_compressed_point_is_refused_so_that_a_key_has_one_fingerprint(curve: ec.EllipticCurve) -> None:
    public = ec.generate_private_key(curve).public_key()
    full = public.public_bytes(DER, SPKI)
    point = public.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)
    size = curve.key_size // 8
    algorithm = full[2 : -(2 * size + 1 + 3)]
    inner = algorithm + b"\x03" + bytes([len(point) + 1]) + b"\0" + point
    compressed = b"\x30" + bytes([len(inner)]) + inner
    serialization.load_der_public_key(compressed)  # others read it
    with pytest.raises(KeyFileError, match="unusual form"):
        PublicKey.of(compressed)


PRIME = 2**255 - 19
ORDER_8 = 2707385501144840649318225287225658788936804267575313519463743609750303402022


@pytest.mark.parametrize("sign", [0, 1])
@pytest.mark.parametrize("y", [0, 1, PRIME - 1, PRIME, PRIME + 1, PRIME + 5, ORDER_8, PRIME - ORDER_8])
def test_an_ed25519_point_under_which_anybody_can_sign_is_refused(y: int, sign: int) -> None:
    """The neutral element as key: an empty scalar and the same point verify one message in a few."""
    raw = (y | sign << 255).to_bytes(32, "little")
    head = der(KEYS["ed25519"])[:-32]
    with pytest.raises(KeyFileError, match=r"weak|unknown kind"):
        PublicKey.of(head + raw)


def test_the_neutral_point_would_believe_a_signature_that_nobody_made() -> None:
    neutral = (1).to_bytes(32, "little")
    forged = neutral + bytes(32)
    ed25519.Ed25519PublicKey.from_public_bytes(neutral).verify(forged, b"any data at all")
