"""The private Sigstore that other tests stand on: real clients accept it, its servers believe nobody's word, and what
its tests call a lie, sigstore-python calls one, too."""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from sigstore.dsse import Statement
from sigstore.errors import Error
from sigstore.models import Bundle, ClientTrustConfig, TrustedRoot
from sigstore.oidc import IdentityToken
from sigstore.sign import SigningContext
from sigstore.verify import Verifier
from sigstore.verify.policy import Identity

from bpfimg.oci import Descriptor, Manifest, Registry, Repository, places
from tests.support.sigstack import (
    ISSUER,
    SUBJECT,
    Authority,
    CtLog,
    Rekor,
    Tree,
    Tsa,
    World,
    sigstack,
)
from tests.support.sigstack._merkle import leaf_hash
from tests.support.sigstack.clients import IDENTITY, Cosign2, Cosign3, Form, Said, Signed, Skopeo
from tests.support.targets import image
from tests.unit.sign import craft

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.registry import Server
    from tests.support.sigstack import Stack

THEN = 1_600_000_000  # 2020-09-13


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with sigstack(tmp_path_factory.mktemp("sigstack")) as found:
        yield found


@pytest.fixture(scope="module")
def cosign2(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Cosign2:
    return Cosign2.of(stack, tmp_path_factory.mktemp("cosign2") / "home")


@pytest.fixture(scope="module")
def cosign3(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Cosign3:
    return Cosign3.of(stack, tmp_path_factory.mktemp("cosign3") / "home")


@pytest.fixture(scope="module")
def skopeo(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Skopeo:
    found = Skopeo.of(stack, tmp_path_factory.mktemp("skopeo") / "home")
    if found is None:
        pytest.skip("needs a skopeo with sigstore (`python -m tests.support.debian newer-skopeo` fetches it)")
    return found


@dataclass(frozen=True, slots=True)
class Spot:
    """An image in a repository of the test's own."""

    place: Registry
    image: Descriptor

    @property
    def name(self) -> str:
        return f"{self.place.repository}@{self.image.digest}"

    @property
    def bundle(self) -> bytes:
        """The one bundle that refers to the image."""
        (about,) = self.place.referrers(self.image.digest)
        return self.place.fetch(Manifest.parse(self.place.fetch(about)).layers[0])


@pytest.fixture
def spot(server: Server, request: pytest.FixtureRequest) -> Spot:
    name = "".join(each if each.isalnum() else "-" for each in request.node.name).strip("-").lower()
    place = Registry(Repository.parse(f"{server.host}/stack/{name}"), places.RegistryOptions())
    return Spot(place, image(name).push(place, "v1"))


def trusting(root: bytes, folder: Path) -> Verifier:
    path = folder / "trusted_root.json"
    path.write_bytes(root)
    return Verifier(trusted_root=TrustedRoot.from_file(str(path)))


# -- with sigstore-python; the cosigns among themselves are in test_matrix -------------------------------------------


@pytest.mark.parametrize("rekor", [1, 2])
def test_cosign_verifies_what_sigstore_python_signs(
    rekor: int, stack: Stack, spot: Spot, cosign2: Cosign2, cosign3: Cosign3
) -> None:
    config = ClientTrustConfig.from_json(stack.trust_config_of(rekor).read_text())
    token = IdentityToken(stack.token(IDENTITY))
    with SigningContext.from_trust_config(config).signer(token) as signer:
        bundle = signer.sign_dsse(Statement(craft.statement(spot.image.digest, str(spot.place.repository))))
    craft.put_bundle(spot.place, spot.image, bundle.to_json().encode())
    signed = Signed(spot.name, Form(keyless=True, bundle=True, rekor=rekor), stack.folder, Said(0, "", ""))
    # IDENTITY is a `sub` without scheme here, which Fulcio takes for an email address
    assert cosign3.verify(signed).good
    assert not cosign3.verify(signed, identity="somebody@else.example").good
    assert cosign2.verify(signed).good is (rekor == 1)  # 2.5 knows no version 2


@pytest.mark.parametrize("rekor", [1, 2])
def test_sigstore_python_verifies_what_cosign_3_signs(
    rekor: int, stack: Stack, spot: Spot, cosign3: Cosign3, tmp_path: Path
) -> None:
    said = cosign3.sign(Form(keyless=True, bundle=True, rekor=rekor), spot.name)
    assert said.good, said.err
    _verified_by_sigstore_python(spot.bundle, stack, tmp_path)


def test_sigstore_python_verifies_what_cosign_2_attests(
    stack: Stack, spot: Spot, cosign2: Cosign2, tmp_path: Path
) -> None:
    said = cosign2.sign(Form(keyless=True, bundle=True, rekor=1), spot.name)
    assert said.good, said.err
    _verified_by_sigstore_python(spot.bundle, stack, tmp_path)


def _verified_by_sigstore_python(bundle: bytes, stack: Stack, folder: Path) -> None:
    verifier = trusting(stack.world.trusted_root(stack.urls), folder)
    parsed = Bundle.from_json(bundle)
    verifier.verify_dsse(parsed, Identity(identity=IDENTITY, issuer=stack.issuer))
    with pytest.raises(Error):
        verifier.verify_dsse(parsed, Identity(identity="somebody@else.example", issuer=stack.issuer))
    with pytest.raises(Error):
        trusting(World("stranger").trusted_root(), folder).verify_dsse(
            parsed, Identity(identity=IDENTITY, issuer=stack.issuer)
        )


@pytest.mark.parametrize("rekor", [1, 2])
def test_sigstore_python_signs_and_verifies(rekor: int, stack: Stack) -> None:
    config = ClientTrustConfig.from_json(stack.trust_config_of(rekor).read_text())
    asked = len(stack.services[f"rekor{rekor}"].asked)
    with SigningContext.from_trust_config(config).signer(IdentityToken(stack.token())) as signer:
        bundle = signer.sign_dsse(Statement(_statement()))
    Verifier(trusted_root=config.trusted_root).verify_dsse(bundle, Identity(identity=SUBJECT, issuer=stack.issuer))
    assert len(stack.services[f"rekor{rekor}"].asked) == asked + 1


# -- what is made without servers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [None, THEN], ids=["now", "then"])
@pytest.mark.parametrize("kind", ["ecdsa-p256", "ed25519"], ids=lambda kind: f"log-key-{kind}")
@pytest.mark.parametrize(
    ("rekor", "version"),  # bundles 0.1 had the promise of a log of version 1
    [*product((1,), ("v0.3", "0.3", "0.2", "0.1")), *product((2,), ("v0.3", "0.3", "0.2"))],
)
def test_sigstore_python_verifies_bundles_of_all_versions_and_times(
    rekor: int, version: str, kind: str, at: float | None, tmp_path: Path
) -> None:
    world = World(rekor2_kind=kind)
    for tsa in (True, False)[: 3 - rekor]:  # without a time, version 2 is not enough
        _sigstore_python(world, world.bundle(_statement(), rekor=rekor, tsa=tsa, at=at, version=version), tmp_path)


LIES: dict[str, dict[str, Any]] = {
    "entry of another artifact": {"about": b'{"_type":"other"}'},
    "timestamp of another signature": {"stamped": b"other", "rekor": 2},
    "certificate without SCT": {"sct": False},
    "SCT of another log": {"sct": CtLog("stranger")},
    "another authority": {"authority": Authority("stranger")},
    "certificate of an hour before": {"issued_at": THEN, "at": THEN + 3600},
    "certificate of an hour after": {"issued_at": THEN + 3600, "at": THEN},
    "entry an hour after the certificate": {"at": THEN, "logged_at": THEN + 3600},
    "timestamp an hour after the certificate": {"at": THEN, "stamped_at": THEN + 3600},
    "entry of another log": {"rekor": Rekor(1, "stranger")},
    "entry of another log of version 2": {"rekor": Rekor(2, "stranger")},
    "timestamp of another authority": {"rekor": 2, "tsa": Tsa("stranger")},
    "no entry": {"rekor": None},
    "version 2 without timestamp": {"rekor": 2, "tsa": False},
    "another subject": {"subject": "https://ci.example/mallory"},
    "another issuer": {"issuer": "https://idp.mallory.example"},
}


@pytest.mark.parametrize("lie", LIES)
def test_sigstore_python_refuses_each_lie(lie: str, tmp_path: Path) -> None:
    world = World()
    with pytest.raises(Error):
        _sigstore_python(world, world.bundle(_statement(), **LIES[lie]), tmp_path)


@pytest.mark.parametrize("field", ["rootHash", "hashes", "checkpoint", "canonicalizedBody", "inclusionPromise"])
@pytest.mark.parametrize("rekor", [1, 2])
def test_sigstore_python_refuses_changed_entries(rekor: int, field: str, tmp_path: Path) -> None:
    def edit(document: dict[str, Any]) -> None:
        (entry,) = document["verificationMaterial"]["tlogEntries"]
        proof = entry["inclusionProof"]
        if field == "checkpoint":
            proof["checkpoint"]["envelope"] = proof["checkpoint"]["envelope"].replace("127", "128", 1)
        elif field == "inclusionPromise":
            promise = b64decode(entry.get(field, {}).get("signedEntryTimestamp", b64encode(b"0" * 70)))
            entry[field] = {"signedEntryTimestamp": _flipped(promise)}
            entry["integratedTime"] = entry.get("integratedTime", "1")
        elif field == "canonicalizedBody":
            entry[field] = _flipped(b64decode(entry[field]))
        elif field == "hashes":
            proof[field] = [_flipped(b64decode(each)) for each in proof[field]]
        else:
            proof[field] = _flipped(b64decode(proof[field]))

    world = World()
    with pytest.raises((Error, ValueError)):
        _sigstore_python(world, world.bundle(_statement(), rekor=rekor, edit=edit), tmp_path)


def _flipped(data: bytes) -> str:
    return b64encode(data[:-1] + bytes([data[-1] ^ 1])).decode()


def _sigstore_python(world: World, bundle: bytes, folder: Path) -> None:
    verifier = trusting(world.trusted_root(), folder)
    verifier.verify_dsse(Bundle.from_json(bundle), Identity(identity=SUBJECT, issuer=ISSUER))


def _statement() -> bytes:
    return craft.statement(image().descriptor.digest, "registry.example/team/app")


def test_two_worlds_of_one_seed_are_one(tmp_path: Path) -> None:
    assert World("one").trusted_root() == World("one").trusted_root() != World("two").trusted_root()
    bundle = World("one").bundle(_statement())
    _sigstore_python(World("one"), bundle, tmp_path)
    with pytest.raises(Error):
        _sigstore_python(World("two"), bundle, tmp_path)


def test_every_leaf_of_every_tree_is_proven() -> None:
    tree, bodies = Tree(), [b"%d" % number for number in range(40)]
    for count, body in enumerate(bodies, 1):
        assert tree.add(body) == count - 1
        for index in range(count):
            assert _climbed(tree.proof(index), index, count, bodies[index]) == tree.root()
            assert _climbed(tree.proof(index), index, count, b"other") != tree.root()
    assert tree.root(7) == _rebuilt(bodies[:7])


def _rebuilt(bodies: list[bytes]) -> bytes:
    fresh = Tree()
    for body in bodies:
        fresh.add(body)
    return fresh.root()


def _climbed(proof: list[bytes], index: int, size: int, body: bytes) -> bytes:
    """The root by RFC 9162, section 2.1.3.2, which is written otherwise than the tree."""
    import hashlib

    node, last, found = index, size - 1, leaf_hash(body)
    for each in proof:
        assert last
        if node & 1 or node == last:
            found = hashlib.sha256(b"\1" + each + found).digest()
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            found = hashlib.sha256(b"\1" + found + each).digest()
        node, last = node >> 1, last >> 1
    assert last == 0
    return found


@pytest.mark.parametrize("name", ["cosign2", "cosign3", "skopeo"])
@pytest.mark.parametrize("at", [None, THEN], ids=["now", "then"])
def test_peers_accept_legacy_signatures_made_without_servers(
    at: float | None, name: str, stack: Stack, spot: Spot, request: pytest.FixtureRequest
) -> None:
    peer = request.getfixturevalue(name)
    payload = craft.payload(spot.image.digest, str(spot.place.repository))
    notes = stack.world.legacy(payload, subject=IDENTITY, issuer=stack.issuer, at=at)
    craft.put_legacy(spot.place, spot.image.digest, (payload, notes, craft.SIG))
    signed = Signed(spot.name, Form(keyless=True, bundle=False, rekor=1), stack.folder, Said(0, "", ""))
    said = peer.verify(signed)
    assert said.good, said.err
    assert not peer.verify(signed, identity="somebody@else.example").good


@pytest.mark.parametrize("kind", ["dsse", "intoto", "intoto/0.0.1"])
def test_cosign_accepts_legacy_attestations_made_without_servers(
    kind: str, stack: Stack, spot: Spot, cosign2: Cosign2, cosign3: Cosign3
) -> None:
    uri = "https://cosign.sigstore.dev/attestation/v1"
    predicate = {"Data": "{}", "Timestamp": "2026-01-01T00:00:00Z"}
    said = craft.statement(spot.image.digest, str(spot.place.repository), predicateType=uri, predicate=predicate)
    blob, notes = stack.world.attested(said, subject=IDENTITY, issuer=stack.issuer, kind=kind)
    media = "application/vnd.dsse.envelope.v1+json"
    _put_att(spot, blob, notes, media)
    words = ["verify-attestation", "--type", "custom", "--certificate-oidc-issuer", stack.issuer]
    modern = ["--new-bundle-format=false", "--trusted-root", str(stack.trusted_root)]
    for peer, more in ((cosign2.peer, []), (cosign3.peer, modern)):
        done = peer.run(*words, *more, "--certificate-identity", IDENTITY, spot.name)
        assert done.returncode == 0, done.stderr
        assert peer.run(*words, *more, "--certificate-identity", "else@where.example", spot.name).returncode != 0


def _put_att(spot: Spot, blob: bytes, notes: dict[str, str], media: str) -> None:
    layer = Descriptor.of(blob, media, annotations=notes)
    config = Descriptor.of(b"{}", craft.CONFIG)
    manifest = Manifest.build(config=config, layers=[layer])
    spot.place.push(config, b"{}")
    spot.place.push(Descriptor.of(blob, media), blob)
    spot.place.push(manifest.descriptor, manifest.raw, tag=f"{spot.image.digest.tag}.att")
