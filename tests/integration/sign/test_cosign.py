"""cosign as a peer, over a real registry: what we sign it accepts, what it signs we believe, keys go both ways."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bpfimg import sign
from bpfimg.errors import VerificationError
from bpfimg.oci import Reference, Registry, Repository, places
from bpfimg.sign import Policy, PrivateKey, PublicKey, signers, verify
from tests.support import cosign
from tests.support.targets import image, index

if TYPE_CHECKING:
    from pathlib import Path

    from bpfimg.oci import Descriptor
    from tests.support.cosign import Cosign
    from tests.support.registry import Server

PASSWORD = "correct horse"


@pytest.fixture
def peer(tmp_path: Path) -> Cosign:
    return cosign.require(tmp_path, PASSWORD)


@pytest.fixture
def ours(tmp_path: Path) -> tuple[Path, Path]:
    """A key pair that we made, as files."""
    private, public = signers.generate_key(PASSWORD.encode())
    (tmp_path / "ours.key").write_bytes(private)
    (tmp_path / "ours.pub").write_bytes(public)
    return tmp_path / "ours.key", tmp_path / "ours.pub"


@pytest.fixture
def place(server: Server, request: pytest.FixtureRequest) -> Registry:
    """A repository of the test's own, with one image."""
    name = request.node.name.partition("[")[0].replace("_", "-")
    found = Registry(Repository.parse(f"{server.host}/cosign/{name}"), places.RegistryOptions())
    image("one").push(found, "v1")
    return found


def load(pair: tuple[Path, Path]) -> PrivateKey:
    return PrivateKey.load(pair[0].read_bytes(), PASSWORD.encode())


def pinned(place: Registry, descriptor: Descriptor) -> str:
    return f"{place.repository}@{descriptor.digest}"


def formats(place: Registry, descriptor: Descriptor, public: Path) -> list[str]:
    policy = Policy.for_key(PublicKey.load(public.read_bytes()), f"--key {public.name}")
    reference = Reference.parse(f"{place.repository}:v1")
    return [one.format for one in verify(place, reference, descriptor, policy, thorough=True).signers]


def test_cosign_accepts_what_we_sign(place: Registry, peer: Cosign, ours: tuple[Path, Path]) -> None:
    found = place.resolve("v1")
    assert not peer.verify(ours[1], pinned(place, found))
    assert not peer.verify_bundle(ours[1], pinned(place, found))
    sign.image(place, found, load(ours))
    assert peer.verify(ours[1], pinned(place, found))
    assert peer.verify(ours[1], f"{place.repository}:v1")
    assert peer.verify_bundle(ours[1], pinned(place, found))
    _, stranger = peer.generate("stranger")
    assert not peer.verify(stranger, pinned(place, found))
    assert not peer.verify_bundle(stranger, pinned(place, found))


@pytest.mark.parametrize("format_", ["legacy", "bundle"])
def test_each_format_stands_alone(place: Registry, peer: Cosign, ours: tuple[Path, Path], format_: str) -> None:
    found = image(format_).push(place, format_)
    sign.image(place, found, load(ours), formats=[format_])
    assert peer.verify(ours[1], pinned(place, found)) is (format_ == "legacy")
    assert peer.verify_bundle(ours[1], pinned(place, found)) is (format_ == "bundle")


def test_cosign_accepts_an_index_and_its_images(place: Registry, peer: Cosign, ours: tuple[Path, Path]) -> None:
    one, two = image("one"), image("two", "arm64")
    two.push(place)
    top = index(one, two)
    place.push(top.descriptor, top.raw, tag="v1")
    sign.image(place, top.descriptor, load(ours), annotations={"who": "we"})
    for descriptor in (top.descriptor, one.descriptor, two.descriptor):
        assert peer.verify(ours[1], pinned(place, descriptor))
        assert peer.verify_bundle(ours[1], pinned(place, descriptor))
    claims = ["verify", "--key", str(ours[1]), "--insecure-ignore-tlog=true", "--new-bundle-format=false"]
    assert peer.run(*claims, "-a", "who=we", pinned(place, top.descriptor)).returncode == 0
    assert peer.run(*claims, "-a", "who=they", pinned(place, top.descriptor)).returncode != 0


def test_we_believe_what_cosign_signs(place: Registry, peer: Cosign) -> None:
    found = place.resolve("v1")
    private, public = peer.generate("theirs")
    _, stranger = peer.generate("stranger")
    with pytest.raises(VerificationError, match="is not signed"):
        formats(place, found, public)
    peer.sign(private, pinned(place, found))
    assert formats(place, found, public) == ["bundle" if peer.modern else "legacy"]
    with pytest.raises(VerificationError, match="none of its signatures counts"):
        formats(place, found, stranger)
    other = image("other").push(place, "other")
    with pytest.raises(VerificationError, match="is not signed"):
        formats(place, other, public)


def test_an_attestation_of_cosign_is_no_signature(place: Registry, peer: Cosign, tmp_path: Path) -> None:
    found = place.resolve("v1")
    private, public = peer.generate("theirs")
    (tmp_path / "sbom.json").write_text('{"spdxVersion":"SPDX-2.3"}')
    words = ["attest", "-y", "--key", str(private), "--tlog-upload=false", "--new-bundle-format", "--type", "spdxjson"]
    offline = ["--use-signing-config=false"] if peer.modern else []
    peer.do(*words, *offline, "--predicate", str(tmp_path / "sbom.json"), pinned(place, found))
    assert len(place.referrers(found.digest)) == 1
    with pytest.raises(VerificationError, match="is not signed") as caught:
        formats(place, found, public)
    assert "an attestation of the type 'https://spdx.dev/Document'" in caught.value.reasons[0]


def test_we_sign_with_cosigns_key_file(place: Registry, peer: Cosign) -> None:
    found = place.resolve("v1")
    pair = peer.generate("theirs")
    sign.image(place, found, load(pair))
    assert peer.verify(pair[1], pinned(place, found))
    assert peer.verify_bundle(pair[1], pinned(place, found))
    assert load(pair).public.pem == pair[1].read_text()


def test_cosign_signs_with_our_key_file(place: Registry, peer: Cosign, ours: tuple[Path, Path]) -> None:
    found = place.resolve("v1")
    peer.sign(ours[0], pinned(place, found))
    assert len(formats(place, found, ours[1])) == 1
    assert peer.do("public-key", "--key", str(ours[0])) == ours[1].read_text()


def test_signatures_of_both_live_side_by_side(place: Registry, peer: Cosign, ours: tuple[Path, Path]) -> None:
    found = place.resolve("v1")
    theirs = peer.generate("theirs")
    sign.image(place, found, load(ours))
    peer.sign(theirs[0], pinned(place, found))
    sign.image(place, found, load(theirs))
    for public in (ours[1], theirs[1]):
        assert peer.verify(public, pinned(place, found))
        assert "legacy" in formats(place, found, public)
        assert "bundle" in formats(place, found, public)
