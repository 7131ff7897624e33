"""Keys in a PKCS #11 token (SoftHSM2): what they sign we believe, cosign believes, and securesystemslib agrees on."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bpfimg import sign
from bpfimg.errors import KeyFileError, UsageError
from bpfimg.oci import Reference, Registry, Repository, places
from bpfimg.sign import Policy, PublicKey, signers, verify
from tests.support import cosign, softhsm
from tests.support.cli import Cli
from tests.support.targets import image

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.registry import Server
    from tests.support.softhsm import Token

PIN = "7351-secret"
KEYS = {
    "p256": ("02", "EC:prime256v1", "ecdsa-p256"),
    "p384": ("03", "EC:secp384r1", "ecdsa-p384"),
    "p521": ("04", "EC:secp521r1", "ecdsa-p521"),
    "rsa": ("0005", "rsa:2048", "rsa-2048"),
    "ed25519": ("06", "EC:edwards25519", "ed25519"),
}


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Token]:
    """One token with a key of each kind; SoftHSM reads where it is once in a process."""
    found = softhsm.token(tmp_path_factory.mktemp("token"), pin=PIN)
    for label, (number, kind, _) in KEYS.items():
        found.generate(label, number, kind)
    found.generate("twin", "08")
    found.generate("twin", "09")
    before = os.environ.get("SOFTHSM2_CONF")
    os.environ["SOFTHSM2_CONF"] = found.environ["SOFTHSM2_CONF"]
    yield found
    del os.environ["SOFTHSM2_CONF"]
    if before is not None:
        os.environ["SOFTHSM2_CONF"] = before


def nobody(what: str) -> str:
    raise AssertionError(f"asked for {what}")


def key(token: Token, uri: str, pin: str = PIN) -> signers.RemoteKey:
    return signers.remote_key(uri, lambda _: pin, module=str(token.module))


@pytest.mark.parametrize("digest", ["", "sha256"])
@pytest.mark.parametrize("label", KEYS)
def test_each_kind_signs_in_both_ways(token: Token, label: str, digest: str) -> None:
    found = key(token, f"pkcs11:token={token.label};object={label}")
    assert found.public.kind == KEYS[label][2]
    signature = found.sign(b"data", digest=digest)
    assert PublicKey.load(found.public.pem.encode()).verify(b"data", signature, digest=digest)
    assert not found.public.verify(b"date", signature, digest=digest)


def test_a_key_is_found_by_every_form_of_its_name(token: Token) -> None:
    wanted = key(token, f"pkcs11:token={token.label};object=p256").public
    serial = token.pkcs11_tool("--list-slots").partition("serial num")[2].partition(":")[2].split()[0]
    for uri in (
        f"hsm:2?label={token.label}",
        "hsm:",
        f"pkcs11:token={token.label};id=%02",
        f"pkcs11:model=SoftHSM%20v2;manufacturer=SoftHSM%20project;serial={serial};id=%02;object=p256;type=private",
    ):
        assert key(token, uri).public == wanted
    by_uri = f"pkcs11:id=%02?module-path={token.module}"
    assert signers.remote_key(by_uri, nobody, module="/nonexistent.so").public == wanted
    assert key(token, "pkcs11:id=%00%05").public.kind == "rsa-2048", "an id is bytes, not a number"


def test_the_public_half_needs_no_pin(token: Token) -> None:
    assert signers.remote_key("hsm:2", nobody, module=str(token.module)).public.kind == "ecdsa-p256"


def test_the_pin_may_stand_in_a_file(token: Token, tmp_path: Path) -> None:
    (tmp_path / "pin").write_text(f"{PIN}\n")
    found = signers.remote_key(f"pkcs11:object=p256?pin-source=file:{tmp_path}/pin", nobody, module=str(token.module))
    assert found.public.verify(b"data", found.sign(b"data"))
    for content in (b"\xff", b"0000"):
        (tmp_path / "pin").write_bytes(content)
        with pytest.raises(KeyFileError, match="PIN"):
            signers.remote_key(
                f"pkcs11:object=p256?pin-source=file:{tmp_path}/pin", nobody, module=str(token.module)
            ).sign(b"data")
    with pytest.raises(KeyFileError, match="No such file"):
        signers.remote_key("pkcs11:object=p256?pin-source=/nonexistent", nobody, module=str(token.module)).sign(b"x")


def test_what_is_wrong_is_one_sentence(token: Token) -> None:
    with pytest.raises(KeyFileError, match="PIN of the token 'bpfimg-test' is wrong") as caught:
        key(token, "pkcs11:object=p256", pin="0000").sign(b"data")
    assert "0000" not in str(caught.value)
    key(token, "pkcs11:object=p256").sign(b"data")  # one wrong PIN does not lock it, and nothing remembers it
    with pytest.raises(KeyFileError, match="no public key of that name"):
        key(token, "pkcs11:object=nothing")
    with pytest.raises(KeyFileError, match="means 2 keys, expected one") as caught:
        key(token, "pkcs11:object=twin")
    assert "id=" in caught.value.hint
    assert key(token, "pkcs11:object=twin;id=%09").public.kind == "ecdsa-p256"
    for uri in ("pkcs11:token=other", "pkcs11:serial=1", "pkcs11:model=Nitrokey", "pkcs11:manufacturer=x"):
        with pytest.raises(KeyFileError, match="means 0 tokens, expected one of those that are there: 'bpfimg-test'"):
            key(token, uri)
    for module in ("/nonexistent.so", "/etc/passwd"):
        with pytest.raises(KeyFileError, match="its library says 'OS exception while loading"):
            signers.remote_key("hsm:2", nobody, module=module)
    with pytest.raises(UsageError, match="no PKCS #11 library is named"):
        signers.remote_key("hsm:2", nobody)


def test_securesystemslib_sees_the_same_key_and_signs_what_we_believe(
    token: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second opinion: another implementation over the same library, with the URI that it writes itself."""
    from securesystemslib.signer import HSMSigner  # type: ignore[attr-defined]

    monkeypatch.setenv("PYKCS11LIB", str(token.module))
    for number in (2, 3):
        uri, theirs = HSMSigner.import_(number, token.label)
        ours = key(token, uri)
        assert ours.public == PublicKey.load(theirs.keyval["public"].encode())
        signature = HSMSigner.from_priv_key_uri(uri, theirs, lambda _: PIN).sign(b"data")
        assert ours.public.verify(b"data", bytes.fromhex(signature.signature))


@pytest.fixture
def place(server: Server, request: pytest.FixtureRequest) -> Registry:
    """A repository of the test's own, with one image."""
    name = request.node.name.partition("[")[0].replace("_", "-")
    found = Registry(Repository.parse(f"{server.host}/hardware/{name}"), places.RegistryOptions())
    image("one").push(found, "v1")
    return found


@pytest.mark.parametrize("version", ["2.5", "3.1"])
def test_cosign_accepts_what_a_token_signs(token: Token, place: Registry, tmp_path: Path, version: str) -> None:
    """`.sig` with both; of the bundle, 2.5 says so as of an attestation."""
    peer = cosign.require(tmp_path) if version == "2.5" else cosign.require_modern(tmp_path)
    found = place.resolve("v1")
    ours = key(token, "pkcs11:object=p256")
    (tmp_path / "token.pub").write_text(ours.public.pem)
    sign.image(place, found, signers.KeySigner(ours))
    pinned = f"{place.repository}@{found.digest}"
    assert peer.verify(tmp_path / "token.pub", pinned)
    assert peer.verify_bundle(tmp_path / "token.pub", pinned)
    policy = Policy.for_key(ours.public, "--key token.pub")
    believed = verify(place, Reference.parse(f"{place.repository}:v1"), found, policy, thorough=True).signers
    assert sorted(one.format for one in believed) == ["bundle", "legacy"]
    sign.image(place, found, signers.KeySigner(ours))
    assert len(place.referrers(found.digest)) == 1, "signing twice adds nothing"


def test_the_command_signs_with_a_token(token: Token, place: Registry, tmp_path: Path) -> None:
    """The PIN comes from BPFIMG_PIN or --password-file; without either there is nobody to ask."""
    cli = Cli(tmp_path, {"BPFIMG_STORE": str(tmp_path / "store"), "HOME": str(tmp_path), **token.environ})
    name = f"{place.repository}:v1"
    uri = f"pkcs11:token={token.label};object=p384"
    pem = cli("key", "public", uri).stdout
    assert pem == key(token, uri).public.pem
    (tmp_path / "k.pub").write_text(pem)
    assert "no PIN for the token 'bpfimg-test'" in cli("sign", "--key", uri, name, expect=2).stderr
    assert "is wrong" in cli("sign", "--key", uri, name, expect=1, BPFIMG_PIN="0000").stderr
    cli("verify", "--key", "k.pub", name, expect=3)
    cli("sign", "--key", uri, name, BPFIMG_PIN=PIN)
    cli("verify", "--key", "k.pub", name)
    refused = cli("sign", "--key", f"{uri}?pin-value={PIN}", name, expect=2)
    assert PIN not in refused.stdout + refused.stderr


def test_a_token_without_its_library_names_the_extra(tmp_path: Path) -> None:
    program = "import sys; sys.modules['pkcs11'] = None; from bpfimg.cli import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", program, "key", "public", "hsm:2"],
        env={**os.environ, "PYKCS11LIB": "/usr/lib/softhsm/libsofthsm2.so"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "python-pkcs11, which is not installed" in done.stderr
    assert "hint: pip install 'bpfimg[hsm]'" in done.stderr
    assert stat.S_ISDIR(tmp_path.stat().st_mode)
