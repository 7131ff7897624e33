"""Signatures of several signers, formats and eras beside one image, wherever it is kept: everybody finds his own."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING

import pytest

from bpfimg.oci import Descriptor, Registry, Repository, places
from tests.support.fake_registry import fake_registry
from tests.support.sigstack import sigstack
from tests.support.sigstack.clients import IDENTITY, STRANGER, Bpfimg, Cosign2, Cosign3, Form, Said, Signed, Skopeo
from tests.support.targets import image, index
from tests.unit.sign import craft

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.registry import Server
    from tests.support.sigstack import Stack

SIG = Form(keyless=True, bundle=False, rekor=1)
BUNDLE = Form(keyless=True, bundle=True, rekor=1)
BUNDLE2 = Form(keyless=True, bundle=True, rekor=2)
DONE = Said(0, "", "")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with sigstack(tmp_path_factory.mktemp("sigstack")) as found:
        yield found


@pytest.fixture
def ours(stack: Stack, tmp_path: Path) -> Bpfimg:
    return Bpfimg.of(stack, tmp_path / "bpfimg")


@pytest.fixture
def cosign2(stack: Stack, tmp_path: Path) -> Cosign2:
    return Cosign2.of(stack, tmp_path / "cosign2")


@pytest.fixture
def cosign3(stack: Stack, tmp_path: Path) -> Cosign3:
    return Cosign3.of(stack, tmp_path / "cosign3")


def registry_of(host: str, name: str) -> Registry:
    return Registry(Repository.parse(f"{host}/together/{name}"), places.RegistryOptions())


@pytest.fixture
def place(server: Server, request: pytest.FixtureRequest) -> Registry:
    """A repository of the test's own."""
    name = "".join(each if each.isalnum() else "-" for each in request.node.name).strip("-").lower()
    return registry_of(server.host, name)


def named(place: Registry, descriptor: Descriptor) -> str:
    return f"{place.repository}@{descriptor.digest}"


def put_index(place: Registry) -> tuple[Descriptor, Descriptor, Descriptor]:
    one, two = image("one"), image("two", "arm64")
    one.push(place)
    two.push(place)
    top = index(one, two)
    place.push(top.descriptor, top.raw, tag="v1")
    return top.descriptor, one.descriptor, two.descriptor


def signers(said: Said) -> list[dict[str, object]]:
    assert said.good, said.err
    found: list[dict[str, object]] = json.loads(said.out)["images"][0]["signers"]
    return found


@pytest.mark.parametrize("keyless", [False, True], ids=["key", "keyless"])
def test_one_command_signs_an_index_and_its_images_in_both_formats(
    keyless: bool, place: Registry, ours: Bpfimg, cosign2: Cosign2, cosign3: Cosign3
) -> None:
    parts = put_index(place)
    sig, bundle = Form(keyless, bundle=False, rekor=1), Form(keyless, bundle=True, rekor=1)
    token = ["--identity-token", str(ours.stack.token_file("1234", email=IDENTITY, email_verified=True))]
    who = token if keyless else ["--key", str(ours.key()[0])]
    said = ours.run("sign", *who, "--trust-config", str(ours.stack.trust_config_of(1)), f"{place.repository}:v1")
    assert said.good, said.err
    for part in parts:
        for form in (sig, bundle):
            made = Signed(named(place, part), form, ours.key()[1], said)
            for peer in (cosign2, cosign3):
                found = peer.verify(made)
                assert found.good, found.err
                assert not peer.verify(made, identity=STRANGER, public=cosign3.key()[1]).good
        found = signers(ours.verify(Signed(named(place, part), bundle, ours.key()[1], said)))
        assert [each["format"] for each in found] == ["legacy", "bundle"]


def test_everybody_finds_his_own_signature_beside_the_others(
    place: Registry, ours: Bpfimg, cosign2: Cosign2, cosign3: Cosign3, tmp_path: Path
) -> None:
    skopeo = Skopeo.of(ours.stack, tmp_path / "skopeo")
    name = named(place, image("one").push(place, "v1"))
    everybody = (ours, cosign2, cosign3)
    for by in everybody:
        for form in (Form(keyless=False, bundle=False), Form(keyless=False, bundle=True)):
            said = by.sign(form, name)
            assert said.good, said.err
    for form in (SIG, BUNDLE2):
        said = cosign3.sign(form, name)
        assert said.good, said.err
    for by in everybody:
        for form in (Form(keyless=False, bundle=False), Form(keyless=False, bundle=True)):
            made = Signed(name, form, by.key()[1], DONE)
            for verifier in everybody:
                assert verifier.verify(made).good
            assert skopeo is None or form.bundle or skopeo.verify(made).good
        assert [each["format"] for each in signers(ours.verify(made))] == ["legacy", "bundle"]
    found = signers(ours.verify(Signed(name, SIG, ours.key()[1], DONE)))
    assert [(each["format"], each["identity"]) for each in found] == [("legacy", IDENTITY), ("bundle", IDENTITY)]


@pytest.mark.parametrize("version", ["0.3", "0.2", "0.1"])
def test_bundles_of_older_versions_are_believed(version: str, place: Registry, ours: Bpfimg, stack: Stack) -> None:
    """sigstore-python believes the same ones (test_stack)."""
    found = image(version).push(place, "v1")
    statement = craft.statement(found.digest, str(place.repository))
    bundle = stack.world.bundle(statement, subject=IDENTITY, issuer=stack.issuer, version=version)
    media = json.loads(bundle)["mediaType"]
    craft.put_bundle(place, found, bundle, media_type=media)
    made = Signed(named(place, found), BUNDLE, stack.folder, DONE)
    (signer,) = signers(ours.verify(made))
    assert (signer["format"], signer["identity"]) == ("bundle", IDENTITY)
    assert ours.verify(made, identity=STRANGER).code == 3


def test_public_goods_kind_of_log_key_is_believed(server: Server, tmp_path: Path) -> None:
    """The public Rekor v2 has an Ed25519 key, whose log id is not its hash."""
    from tests.support.sigstack import World

    with sigstack(tmp_path / "sigstack", World("ed25519", rekor2_kind="ed25519")) as stack:
        ours, cosign3 = Bpfimg.of(stack, tmp_path / "bpfimg"), Cosign3.of(stack, tmp_path / "cosign3")
        place = registry_of(server.host, "ed25519")
        for word, by in (("ours", ours), ("theirs", cosign3)):
            made = Signed(named(place, image(word).push(place, word)), BUNDLE2, stack.folder, DONE)
            said = by.sign(BUNDLE2, made.image)
            assert said.good, said.err
            for verifier in (ours, cosign3):
                found = verifier.verify(made)
                assert found.good, found.err
                assert not verifier.verify(made, identity=STRANGER).good


def test_signatures_are_found_through_the_referrers_api(
    stack: Stack, ours: Bpfimg, cosign2: Cosign2, cosign3: Cosign3
) -> None:
    with fake_registry() as server:
        place = registry_of(server.host, "api")
        name = named(place, image("one").push(place, "v1"))
        made = Signed(name, BUNDLE2, stack.folder, DONE)
        for by in (ours, cosign3):
            said = by.sign(BUNDLE2, name)
            assert said.good, said.err
        assert [each["format"] for each in signers(ours.verify(made))] == ["bundle"] * 2
        assert cosign3.verify(made).good
        assert any("/referrers/" in line for line in server.seen())
        assert not any(tag.startswith("sha256-") for tag in place.tags())  # nothing fell back
        _experimental(stack, cosign2, place)
        found = signers(ours.verify(Signed(named(place, image("two").descriptor), SIG, stack.folder, DONE)))
        assert [(each["format"], each["identity"]) for each in found] == [("legacy", IDENTITY)]


def _experimental(stack: Stack, cosign2: Cosign2, place: Registry) -> None:
    """cosign 2's `.sig` as a referrer, without a tag."""
    from dataclasses import replace

    name = named(place, image("two").push(place, "v2"))
    peer = replace(cosign2.peer, environ={**stack.environ, "COSIGN_EXPERIMENTAL": "1"})
    token = stack.token_file("1234", email=IDENTITY, email_verified=True)
    words = ["--identity-token", str(token), "--fulcio-url", stack.urls["fulcio"], "--rekor-url", stack.urls["rekor1"]]
    peer.do("sign", "-y", "--registry-referrers-mode=oci-1-1", *words, name)


@pytest.mark.parametrize("kind", ["oci", "oci-archive"])
def test_what_cosign_signed_without_a_key_is_verified_where_it_was_copied_to(
    kind: str, place: Registry, ours: Bpfimg, cosign3: Cosign3, tmp_path: Path
) -> None:
    """No server is asked: neither the registry nor the stack's is in the place that the copy is in."""
    name = named(place, image(kind).push(place, "v1"))
    for form in (SIG, BUNDLE, BUNDLE2):
        said = cosign3.sign(form, name)
        assert said.good, said.err
    there = f"{kind}:{tmp_path / 'copy'}:{place.repository}:v1"
    assert ours.run("copy", f"registry:{place.repository}:v1", there).good
    asked = {each: list(service.asked) for each, service in ours.stack.services.items()}
    words = ["--certificate-identity", IDENTITY, "--certificate-oidc-issuer", ours.stack.issuer]
    words += ["--trusted-root", str(ours.stack.trusted_root), "-o", "json"]
    found = signers(ours.run("verify", *words, there))
    assert [each["format"] for each in found] == ["legacy", "bundle", "bundle"]
    words[1] = STRANGER
    assert ours.run("verify", *words, there).code == 3
    assert asked == {each: list(service.asked) for each, service in ours.stack.services.items()}


def test_a_junk_bundle_hides_nothing_from_us(place: Registry, ours: Bpfimg, cosign3: Cosign3, stack: Stack) -> None:
    """cosign 3.1 looks at bundles alone as soon as there is one that can be parsed."""
    found = image("hidden").push(place, "v1")
    name = named(place, found)
    assert cosign3.sign(SIG, name).good
    made = Signed(name, SIG, stack.folder, DONE)
    statement = craft.statement(found.digest, str(place.repository))
    junk = json.loads(stack.world.bundle(statement, subject=STRANGER, issuer=stack.issuer))
    junk["dsseEnvelope"]["signatures"] = [{"sig": b64encode(b"junk").decode()}]
    craft.put_bundle(place, found, junk)
    assert [each["format"] for each in signers(ours.verify(made))] == ["legacy"]
    assert not cosign3.verify(Signed(name, BUNDLE, stack.folder, DONE)).good


def test_a_saved_layout_of_cosign_is_verified(
    place: Registry, ours: Bpfimg, cosign2: Cosign2, cosign3: Cosign3, tmp_path: Path
) -> None:
    """cosign writes no name into it: the name says for which repository the signatures must be."""
    name = named(place, image("saved").push(place, "v1"))
    for form in (SIG, BUNDLE2):
        said = cosign3.sign(form, name)
        assert said.good, said.err
    who = ["--certificate-identity", IDENTITY, "--certificate-oidc-issuer", ours.stack.issuer]
    for cosign, formats in ((cosign2, ["legacy"]), (cosign3, ["legacy", "bundle"])):
        folder = tmp_path / f"saved-{len(formats)}"
        cosign.peer.do("save", "--dir", str(folder), name)
        words = [*who, "--trusted-root", str(ours.stack.trusted_root), "-o", "json", f"oci:{folder}:{name}"]
        assert [each["format"] for each in signers(ours.run("verify", *words))] == formats
