"""Private keys of every kind: each is believed by its public half, read from every usual file, and kept to itself."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa

from bpfimg.errors import KeyFileError, UsageError
from bpfimg.sign import PrivateKey, PublicKey, signers
from bpfimg.sign._keys import _keyfile
from bpfimg.sign._keys._private import KEY_KINDS

PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER
PKCS8, OLD = serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL
OPEN = serialization.NoEncryption()
KEYS: dict[str, Any] = {
    "ecdsa-p256": ec.generate_private_key(ec.SECP256R1()),
    "ecdsa-p384": ec.generate_private_key(ec.SECP384R1()),
    "ecdsa-p521": ec.generate_private_key(ec.SECP521R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate(),
    "rsa-2048": rsa.generate_private_key(65537, 2048),
}


def sealed(kind: str, password: bytes, n: int = 65536) -> bytes:
    """The key file that cosign would make of a key; it refuses a derivation that costs less."""
    return _keyfile.seal(KEYS[kind].private_bytes(DER, PKCS8, OPEN), password, n=n)


@pytest.mark.parametrize("digest", ["", "sha256", "sha384", "sha512"])
@pytest.mark.parametrize("kind", KEYS)
def test_what_a_key_signs_its_public_half_believes(kind: str, digest: str) -> None:
    private = PrivateKey(KEYS[kind])
    assert private.public.kind == kind
    signature = private.sign(b"data", digest=digest)
    assert PublicKey.load(private.public.pem.encode()).verify(b"data", signature, digest=digest)
    assert not private.public.verify(b"date", signature, digest=digest)


@pytest.mark.parametrize("kind", KEY_KINDS)
def test_each_kind_that_can_be_made_comes_in_cosigns_files(kind: str) -> None:
    private, public = signers.generate_key(b"secret", kind)
    assert private.startswith(b"-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n")
    key = PrivateKey.load(private, b"secret")
    assert key.public == PublicKey.load(public)
    assert key.public.kind == kind
    with pytest.raises(KeyFileError, match="password is wrong"):
        PrivateKey.load(private, b"Secret")


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(UsageError, match="'rsa' cannot be made, expected ecdsa-p256, ecdsa-p384, ed25519"):
        signers.generate_key(b"", "rsa")


STYLES = ("PKCS #8", "traditional", "encrypted PKCS #8", "cosign")
FILES = [(kind, style) for kind in KEYS for style in STYLES if (kind, style) != ("ed25519", "traditional")]  # RFC 8410


@pytest.mark.parametrize(("kind", "style"), FILES)
def test_every_usual_file_is_read(kind: str, style: str) -> None:
    private = KEYS[kind]
    data = {
        "PKCS #8": lambda: private.private_bytes(PEM, PKCS8, OPEN),
        "traditional": lambda: private.private_bytes(PEM, OLD, OPEN),
        "encrypted PKCS #8": lambda: private.private_bytes(PEM, PKCS8, serialization.BestAvailableEncryption(b"pw")),
        "cosign": lambda: sealed(kind, b"pw", n=1024),
    }[style]()
    assert PrivateKey.load(data, b"pw").public == PrivateKey(private).public


@pytest.mark.parametrize("password", [b"", b"wrong", b"pw\n"])
def test_an_encrypted_pkcs8_file_needs_its_password(password: bytes) -> None:
    data = KEYS["ecdsa-p256"].private_bytes(PEM, PKCS8, serialization.BestAvailableEncryption(b"pw"))
    with pytest.raises(KeyFileError, match="the password is wrong"):
        PrivateKey.load(data, password)


REFUSED: dict[str, tuple[Any, str]] = {
    "DSA": (dsa.generate_private_key(2048), "unknown kind"),
    "secp256k1": (ec.generate_private_key(ec.SECP256K1()), "curve secp256k1"),
    "RSA with exponent 3": (rsa.generate_private_key(3, 2048), "exponent 3"),
    "RSA-1024": (rsa.generate_private_key(65537, 1024), "1024 bits|unknown kind"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_key_that_nobody_would_believe_does_not_sign(name: str) -> None:
    private, message = REFUSED[name]
    with pytest.raises(KeyFileError, match=f"private key cannot be used: its public key .*({message})"):
        PrivateKey.load(private.private_bytes(PEM, PKCS8, OPEN), b"")


def test_a_private_key_does_not_show_itself() -> None:
    private = PrivateKey(KEYS["ecdsa-p256"])
    secret = KEYS["ecdsa-p256"].private_numbers().private_value
    shown = f"{private} {private!r} {[private]} {private.public!r}"
    assert str(secret) not in shown
    assert f"{secret:x}" not in shown
    with pytest.raises(TypeError):
        pickle.dumps(private)
