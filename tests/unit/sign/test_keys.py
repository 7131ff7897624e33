"""Key files: cosign's, plain ones, and those that are refused before anything expensive happens."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bpfimg.errors import KeyFileError
from bpfimg.sign import PrivateKey, PublicKey, signers
from bpfimg.sign._keys import _keyfile
from bpfimg.sign._strict import to_pem
from tests.unit.sign.craft import GOLDEN, key

PEM, SPKI = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo


def spki(private: Any) -> bytes:
    found: bytes = private.public_key().public_bytes(PEM, SPKI)
    return found


def pkcs8(private: Any, encoding: Any = PEM, style: Any = serialization.PrivateFormat.PKCS8) -> bytes:
    found: bytes = private.private_bytes(encoding, style, serialization.NoEncryption())
    return found


@pytest.fixture(scope="module")
def pair() -> tuple[bytes, bytes]:
    return signers.generate_key(b"secret")


def test_a_generated_pair_signs_and_verifies(pair: tuple[bytes, bytes]) -> None:
    private, public = PrivateKey.load(pair[0], b"secret"), PublicKey.load(pair[1])
    assert private.public == public
    assert public.pem.encode() == pair[1]
    assert public.verify(b"data", private.sign(b"data"))
    assert not public.verify(b"date", private.sign(b"data"))


def test_a_generated_pair_is_in_cosigns_format(pair: tuple[bytes, bytes]) -> None:
    lines = pair[0].decode().splitlines()
    assert lines[0] == "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----"
    found = json.loads(base64.b64decode("".join(lines[1:-1])))
    assert found["kdf"]["name"] == "scrypt"
    assert found["kdf"]["params"] == {"N": 65536, "r": 8, "p": 1}
    assert found["cipher"]["name"] == "nacl/secretbox"
    assert list(found) == ["kdf", "cipher", "ciphertext"]
    loaded = serialization.load_pem_public_key(pair[1])
    assert isinstance(loaded, ec.EllipticCurvePublicKey)
    assert loaded.curve.name == "secp256r1"


@pytest.mark.parametrize("password", [b"", b"Secret", b"secret\n"])
def test_a_wrong_password_is_said(pair: tuple[bytes, bytes], password: bytes) -> None:
    with pytest.raises(KeyFileError, match="password is wrong"):
        PrivateKey.load(pair[0], password)


def test_an_empty_password_still_encrypts() -> None:
    sealed = _keyfile.seal(b"content", b"", n=1024)
    content = base64.b64decode(b"".join(sealed.splitlines()[1:-1]))
    assert b"content" not in content
    assert _keyfile.unseal(content, b"") == b"content"


def test_the_fingerprint_is_that_of_the_der(pair: tuple[bytes, bytes]) -> None:
    import hashlib

    der = base64.b64decode(b"".join(pair[1].splitlines()[1:-1]))
    assert PublicKey.load(pair[1]).fingerprint == f"sha256:{hashlib.sha256(der).hexdigest()}"


def test_cosigns_own_key_file_is_read() -> None:
    private = PrivateKey.load((GOLDEN / "k1.key").read_bytes(), b"golden")
    public = PublicKey.load((GOLDEN / "k1.pub").read_bytes())
    assert private.public == public
    assert public != PublicKey.load((GOLDEN / "k2.pub").read_bytes())
    assert len({public, private.public}) == 1


def test_cosign_1s_key_file_is_read() -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    sealed = _keyfile.seal(pkcs8(private, serialization.Encoding.DER), b"old", n=32768)
    old = sealed.replace(b"SIGSTORE", b"COSIGN")
    assert old != sealed
    assert PrivateKey.load(old, b"old").public.pem.encode() == spki(private)


@pytest.mark.parametrize("style", [serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL])
def test_a_plain_key_is_read(style: serialization.PrivateFormat) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    assert PrivateKey.load(pkcs8(private, style=style), b"ignored").public.pem.encode() == spki(private)


def test_a_key_with_something_behind_it_is_refused() -> None:
    der = key().public.der
    for changed in (der + b"\0", der[:-1]):
        with pytest.raises(KeyFileError, match="of an unknown kind"):
            PublicKey.load(to_pem("PUBLIC KEY", changed))


def test_a_point_beside_the_curve_is_refused() -> None:
    good = key().public.der
    head, point = good[:-65], good[-65:]
    for wrong in (b"\x04" + b"\x01" * 64, point[:-1] + bytes([point[-1] ^ 1]), b"\x04" + bytes(64)):
        with pytest.raises(KeyFileError, match="not a point on the curve"):
            PublicKey.of(head + wrong)
    with pytest.raises(KeyFileError):
        PublicKey.of(head + b"\x06" + point[1:])


def test_keys_in_the_wrong_place_get_a_hint(pair: tuple[bytes, bytes]) -> None:
    with pytest.raises(KeyFileError, match="label") as public:
        PublicKey.load(pair[0])
    assert ".pub" in public.value.hint
    with pytest.raises(KeyFileError, match="label") as private:
        PrivateKey.load(pair[1], b"secret")
    assert ".key" in private.value.hint


@pytest.mark.parametrize(
    "data", [b"", b"junk", b"\x00\xff", b"-----BEGIN PUBLIC KEY-----\nYQ==\n-----END PUBLIC KEY-----"]
)
def test_what_is_no_key_is_refused(data: bytes) -> None:
    with pytest.raises(KeyFileError):
        PublicKey.load(data)
    with pytest.raises(KeyFileError):
        PrivateKey.load(data, b"")


def sealed_with(**changes: Any) -> bytes:
    """A key file with some fields replaced: `N`, `r`, `p`, or a path such as `kdf.salt`."""
    content = json.loads(base64.b64decode(b"".join(_keyfile.seal(b"x", b"", n=1024).splitlines()[1:-1])))
    for name, value in changes.items():
        if name in "Nrp":
            content["kdf"]["params"][name] = value
        else:
            *path, last = name.split("__")
            inner = content
            for step in path:
                inner = inner[step]
            inner[last] = value
    return to_pem("ENCRYPTED SIGSTORE PRIVATE KEY", json.dumps(content).encode())


@pytest.mark.parametrize(
    "changes",
    [
        {"N": 1 << 18},
        {"N": 1 << 40},
        {"N": 0},
        {"N": -65536},
        {"N": 1},
        {"N": 65535},
        {"N": 65536.0},
        {"N": True},
        {"N": "65536"},
        {"r": 9},
        {"r": 1 << 30},
        {"r": 0},
        {"p": 2},
        {"p": 0},
        {"kdf__params__x": 1},
        {"kdf__name": "pbkdf2"},
        {"cipher__name": "aes"},
        {"kdf__salt": ""},
        {"kdf__salt": "!"},
        {"cipher__nonce": "YQ=="},
        {"cipher": None},
        {"ciphertext": 1},
        {"extra": 1},
    ],
    ids=str,
)
def test_bounds_are_checked_before_anything_is_derived(
    changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = sealed_with(**changes)
    monkeypatch.setattr(_keyfile, "_derive", lambda *_: pytest.fail("it was derived"))
    with pytest.raises(KeyFileError) as caught:
        PrivateKey.load(data, b"")
    assert len(str(caught.value)) < 300


def test_damage_is_noticed() -> None:
    good = base64.b64decode(b"".join(_keyfile.seal(b"x" * 32, b"", n=1024).splitlines()[1:-1]))
    content = json.loads(good)
    damaged = bytearray(base64.b64decode(content["ciphertext"]))
    damaged[20] ^= 1
    with pytest.raises(KeyFileError, match="damaged"):
        PrivateKey.load(sealed_with(ciphertext=base64.b64encode(damaged).decode()), b"")
    with pytest.raises(KeyFileError, match="damaged"):
        PrivateKey.load(sealed_with(ciphertext=""), b"")


def test_a_decrypted_file_that_holds_no_key_is_refused() -> None:
    with pytest.raises(KeyFileError, match="does not hold a private key"):
        PrivateKey.load(_keyfile.seal(b"no key", b"", n=1024), b"")


@pytest.mark.parametrize("signature", [b"", b"0", b"\x30\x00", b"\x30\x06\x02\x01\x00\x02\x01\x00", b"\xff" * 5000])
def test_a_malformed_signature_is_a_wrong_one(signature: bytes) -> None:
    assert not key().public.verify(b"data", signature)


def test_trailing_bytes_in_a_signature_are_wrong() -> None:
    assert not key().public.verify(b"data", key().sign(b"data") + b"\x00")
