"""Which kinds of keys the peers understand, by version: the table of ADR 0029, measured anew with every run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bpfimg import sign
from bpfimg.errors import VerificationError
from bpfimg.oci import Reference, Registry, Repository, places
from bpfimg.sign import Policy, PrivateKey, verify
from bpfimg.sign._collect import signatures
from tests.support import cosign
from tests.support.targets import image
from tests.unit.sign.test_private_kinds import KEYS, sealed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cosign import Cosign
    from tests.support.registry import Server

PASSWORD = "x"
#: kind -> (what cosign 2.5 verifies of ours, what 3.1 does, what 3.1 does when it is told the digest)
OURS: dict[str, tuple[set[str], set[str], set[str]]] = {
    "ecdsa-p256": ({"legacy", "bundle"}, {"legacy", "bundle"}, {"bundle"}),
    "ecdsa-p384": ({"legacy"}, {"legacy"}, {"bundle"}),  # cosign#5019: it verifies with SHA-256 what it signs by key
    "ecdsa-p521": ({"legacy"}, {"legacy"}, {"bundle"}),
    "ed25519": ({"legacy", "bundle"}, {"legacy", "bundle"}, {"bundle"}),
    "rsa-2048": ({"legacy", "bundle"}, {"legacy", "bundle"}, {"bundle"}),
}
DIGEST = {"ecdsa-p384": "sha384", "ecdsa-p521": "sha512"}


def peer(version: str, folder: Path) -> Cosign:
    return cosign.require(folder, PASSWORD) if version == "2.5" else cosign.require_modern(folder, PASSWORD)


@pytest.fixture
def place(server: Server, request: pytest.FixtureRequest) -> Registry:
    """A repository of the test's own, with one image."""
    name = request.node.name.replace("[", "-").rstrip("]").replace("_", "-").replace(" ", "-")
    found = Registry(Repository.parse(f"{server.host}/kinds/{name}"), places.RegistryOptions())
    image("one").push(found, "v1")
    return found


def believed(place: Registry, key: PrivateKey) -> set[str]:
    reference = Reference.parse(f"{place.repository}:v1")
    policy = Policy.for_key(key.public, "--key")
    return {one.format for one in verify(place, reference, place.resolve("v1"), policy, thorough=True).signers}


@pytest.mark.parametrize("kind", OURS)
def test_what_the_cosigns_verify_of_ours(kind: str, place: Registry, tmp_path: Path) -> None:
    key, found = PrivateKey(KEYS[kind]), place.resolve("v1")
    public = tmp_path / "k.pub"
    public.write_text(key.public.pem)
    sign.image(place, found, key)
    assert believed(place, key) == {"legacy", "bundle"}
    pinned = f"{place.repository}@{found.digest}"
    for version, expected in zip(("2.5", "3.1"), OURS[kind], strict=False):
        theirs = peer(version, tmp_path)
        seen = {"legacy": theirs.verify(public, pinned), "bundle": theirs.verify_bundle(public, pinned)}
        assert {name for name, good in seen.items() if good} == expected, version
    words = ("--trusted-root", str(tmp_path / "trusted-root.json"), "--key", str(public), "--insecure-ignore-tlog=true")
    told = ("--signature-digest-algorithm", DIGEST.get(kind, "sha256"))
    assert peer("3.1", tmp_path).run("verify", "--new-bundle-format", *words, *told, pinned).returncode == 0


@pytest.mark.parametrize("version", ["2.5", "3.1 legacy", "3.1 bundle"])
@pytest.mark.parametrize("kind", OURS)
def test_what_we_believe_of_the_cosigns(kind: str, version: str, place: Registry, tmp_path: Path) -> None:
    """All of it, with SHA-256 (2.5) and with the key's own digest (3.1), but for Ed25519 by 3.1: it signs Ed25519ph,
    which not even itself verifies."""
    theirs = peer(version.partition(" ")[0], tmp_path)
    key, found = PrivateKey(KEYS[kind]), place.resolve("v1")
    (tmp_path / "k.key").write_bytes(sealed(kind, PASSWORD.encode()))
    (tmp_path / "k.pub").write_text(key.public.pem)
    pinned = f"{place.repository}@{found.digest}"
    words = ["--new-bundle-format=false"] if version == "3.1 legacy" else []
    theirs.sign(tmp_path / "k.key", pinned, *words)
    if (kind, theirs.modern) == ("ed25519", True):
        with pytest.raises(VerificationError, match="none of its signatures counts"):
            believed(place, key)
        (tmp_path / "root.json").write_text('{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}')
        told = ["--key", "k.pub", "--insecure-ignore-tlog=true", "--trusted-root", "root.json"]
        told += words or ["--new-bundle-format"]
        for digest in ("sha256", "sha384", "sha512"):
            done = theirs.run("verify", *told, "--signature-digest-algorithm", digest, pinned)
            assert done.returncode != 0, digest
            assert "Error: no matching " in done.stderr, done.stderr
        return
    assert believed(place, key) == {"bundle" if version == "3.1 bundle" else "legacy"}
    found_there = [one for one in signatures(place, found.digest, ("legacy", "bundle")) if hasattr(one, "message")]
    used = (DIGEST if theirs.modern else {}).get(kind, "sha256")
    assert key.public.verify(found_there[0].message, found_there[0].signature, digest=used)
