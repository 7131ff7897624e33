"""Attacks that take more than one look, or the command as it is typed: on stores, registries, proofs and files."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import DigestMismatch, VerificationError
from bpfimg.image import BytecodeImage
from bpfimg.oci import Descriptor, Digest, Index, Layout, Memory, Platform, Reference
from bpfimg.sign import Policy, VerifiedImage, verify
from bpfimg.sign import image as sign_image
from tests.attacks import test_attacks
from tests.attacks.scene import Scene, by_both, by_bundle, by_identity, by_sig, sig, trust
from tests.attacks.table import story
from tests.support import believed
from tests.support.objects import example
from tests.support.targets import image, index
from tests.unit.sign.craft import REPOSITORY, key, place, put_legacy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.attacks.table import Attack
    from tests.support.cli import Cli

    Record = Callable[[str, object], None]


def _packed(source: Memory | Layout, data: bytes, tag: str) -> Descriptor:
    """Stores an object file as an image."""
    made = BytecodeImage(data, believed.Labels({}, {}), Platform.host(), "object.o")
    packed = BytecodeImage(data, believed.Labels.of(made.object), made.platform, made.file_name).pack()
    for descriptor, content in packed.blobs:
        source.push(descriptor, content)
    source.push(packed.manifest.descriptor, packed.manifest.raw, tag=tag)
    return packed.manifest.descriptor


@pytest.fixture
def store(tmp_path: Path) -> Layout:
    """A store with an image that alice signed."""
    found = Layout(str(tmp_path / "store"), Reference.parse(REPOSITORY).repository, short_names=False)
    sign_image(found, _packed(found, example("xdp_counter"), "v1"), key())
    return found


def _trust(folder: Path, *names: str) -> Policy:
    path = folder / "policy.json"
    path.write_text(json.dumps(trust(*names)))
    return Policy.load(str(path), system=False)


def _reference(tag: str = "v1") -> Reference:
    return Reference.parse(f"{REPOSITORY}:{tag}")


# -- between verifying and loading


class _Moving:
    """A place whose tag names the good image once, and another one from then on."""

    def __init__(self, source: Memory, then: Descriptor) -> None:
        self._source, self._then, self._asked = source, then, 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._source, name)

    def resolve(self, selector: str | Digest) -> Descriptor:
        if selector != "v1":
            return self._source.resolve(selector)
        self._asked += 1
        return self._source.resolve("v1") if self._asked == 1 else self._then


@story("the tag moved between verifying and loading")
def test_what_was_verified_is_what_is_loaded(record_property: Record) -> None:
    good, evil = example("xdp_counter"), example("xdp_pass")

    def places() -> _Moving:
        memory, _ = believed.image(good)
        return _Moving(memory, _packed(memory, evil, "evil"))

    policy = Policy.for_key(believed.key().public, "--key test.pub")
    reference = Reference.parse("registry.example/team/counter:v1")
    naive = places()
    verify(naive, reference, naive.resolve("v1"), policy)
    assert BytecodeImage.fetch(naive, naive.resolve("v1"), Platform.host()).bytecode == evil, (
        "the naive loader asks the tag again"
    )
    ours = places()
    proof = verify(ours, reference, ours.resolve("v1"), policy)
    assert BytecodeImage.fetch(ours, proof.descriptor, Platform.host()).bytecode == good
    record_property("attack", "the tag moved between verifying and loading")


def _swapped(store: Layout, digest: Digest, content: bytes) -> bytes:
    """Writes other bytes where the content of a digest lies; returns what a reader who does not hash them gets."""
    path = f"{store.path}/blobs/{digest.algorithm}/{digest.hex}"
    with open(path, "r+b") as file:
        file.truncate()
        file.write(content)
    with open(path, "rb") as file:
        return file.read()


@story("a layer exchanged in the store")
@story("a config exchanged in the store")
@story("a manifest exchanged in the store")
@pytest.mark.parametrize("part", ["layer", "config", "manifest"])
def test_a_part_exchanged_in_the_store(part: str, store: Layout, tmp_path: Path, record_property: Record) -> None:
    found = store.resolve("v1")
    proof = verify(store, _reference(), found, _trust(tmp_path))
    whole = BytecodeImage.fetch(store, proof.descriptor, Platform.host())
    from bpfimg.oci import Manifest

    manifest = Manifest.parse(store.fetch(found))
    digest = {"layer": manifest.layers[0], "config": manifest.config, "manifest": found}[part].digest
    other = _packed(place(), example("xdp_pass"), "evil")
    assert other.digest != found.digest
    evil = b"evil" * 100
    assert _swapped(store, digest, evil) == evil, "the naive loader takes what is there"
    with pytest.raises(DigestMismatch):
        BytecodeImage.fetch(store, proof.descriptor, Platform.host())
    assert whole.bytecode == example("xdp_counter")
    record_property("attack", f"a {part} exchanged in the store")


@story("a child of a signed index exchanged in the store")
def test_a_child_exchanged_in_the_store(tmp_path: Path, record_property: Record) -> None:
    store = Layout(str(tmp_path / "store"), Reference.parse(REPOSITORY).repository, short_names=False)
    good = image("one")
    good.push(store)
    top = index(good)
    store.push(top.descriptor, top.raw, tag="v1")
    put_legacy(store, top.descriptor.digest, sig(top.descriptor.digest))
    proof = verify(store, _reference(), store.resolve("v1"), _trust(tmp_path))
    child = Index.parse(store.fetch(proof.descriptor)).select(Platform("linux", "amd64"))
    evil = image("evil").manifest.raw
    assert _swapped(store, child.digest, evil) == evil, "the naive loader takes what is there"
    with pytest.raises(DigestMismatch):
        store.fetch(child)
    record_property("attack", "a child of a signed index exchanged in the store")


# -- what a store says


def _index(store: Layout) -> tuple[str, dict[str, object]]:
    path = f"{store.path}/index.json"
    with open(path, encoding="utf-8") as file:
        return path, json.load(file)


def _renamed(store: Layout, name: str, digest: Digest) -> None:
    """Lets a name in the index of the store mean another image, by hand."""
    path, document = _index(store)
    known = "org.opencontainers.image.ref.name"
    listed = document["manifests"]
    assert isinstance(listed, list)
    other = store.resolve(digest)
    for entry in listed:
        if entry.get("annotations", {}).get(known, "").endswith(name):
            entry |= {"digest": str(other.digest), "size": other.size}
    with open(path, "w", encoding="utf-8") as file:
        json.dump(document, file)


class _Remembering:
    """Verifies each name once, and remembers that it did."""

    def __init__(self) -> None:
        self.verified: set[str] = set()

    def believes(self, store: Layout, tag: str, policy: Policy) -> bool:
        if f"{store.repository}:{tag}" in self.verified:
            return True
        try:
            verify(store, _reference(tag), store.resolve(tag), policy)
        except VerificationError:
            return False
        self.verified.add(f"{store.repository}:{tag}")
        return True


@story("the index of the store edited by hand")
def test_a_name_in_the_store_edited_by_hand(store: Layout, tmp_path: Path, record_property: Record) -> None:
    evil = _packed(store, example("xdp_pass"), "evil")
    policy, naive = _trust(tmp_path), _Remembering()
    assert naive.believes(store, "v1", policy)
    _renamed(store, ":v1", evil.digest)
    again = Layout(store.path, store.repository, short_names=False)
    assert again.resolve("v1").digest == evil.digest
    assert naive.believes(again, "v1", policy)
    with pytest.raises(VerificationError, match="is not signed"):
        verify(again, _reference(), again.resolve("v1"), policy)
    record_property("attack", "the index of the store edited by hand")


@story("another image's signatures put beside an image in the store")
def test_signatures_moved_in_the_store(store: Layout, tmp_path: Path, record_property: Record) -> None:
    good = store.resolve("v1")
    evil = _packed(store, example("xdp_pass"), "evil")
    signed = store.resolve(f"{good.digest.tag}.sig")
    store.tag(signed, f"{evil.digest.tag}.sig")
    assert store.resolve(f"{evil.digest.tag}.sig") == signed, "the naive reader finds a signature by alice"
    with pytest.raises(VerificationError) as refused:
        verify(store, _reference("evil"), store.resolve("evil"), _trust(tmp_path))
    assert "about another image" in "; ".join(refused.value.reasons)
    record_property("attack", "another image's signatures put beside an image in the store")


@story("an image in the store under a policy that was tightened")
def test_a_stored_image_under_a_tightened_policy(store: Layout, tmp_path: Path, record_property: Record) -> None:
    naive = _Remembering()
    assert naive.believes(store, "v1", _trust(tmp_path))
    assert verify(store, _reference(), store.resolve("v1"), _trust(tmp_path)).signers
    tightened = _trust(tmp_path, "bob")
    assert naive.believes(store, "v1", tightened)
    with pytest.raises(VerificationError, match="none of its signatures counts"):
        verify(store, _reference(), store.resolve("v1"), tightened)
    record_property("attack", "an image in the store under a policy that was tightened")


@story("an image in the store that was revoked")
def test_a_stored_image_that_was_revoked(store: Layout, tmp_path: Path, record_property: Record) -> None:
    naive, found = _Remembering(), store.resolve("v1")
    assert naive.believes(store, "v1", _trust(tmp_path))
    (tmp_path / "policy.json").write_text(json.dumps({**trust(), "denyDigests": [str(found.digest)]}))
    revoked = Policy.load(str(tmp_path / "policy.json"), system=False)
    assert naive.believes(store, "v1", revoked)
    with pytest.raises(VerificationError, match="denyDigests"):
        verify(store, _reference(), found, revoked)
    record_property("attack", "an image in the store that was revoked")


# -- the proof


@dataclasses.dataclass(frozen=True)
class _Proof:
    """What a naive `verify` returns: anybody can make another one of it."""

    digest: str
    signer: str


@story("a proof copied with another digest")
@story("a proof that was pickled")
@pytest.mark.parametrize("how", ["copied with another digest", "that was pickled"])
def test_a_proof_is_not_made_twice(how: str, tmp_path: Path, record_property: Record) -> None:
    from tests.attacks.scene import believe

    naive, proof = _Proof("sha256:good", "alice"), believe(by_sig(tmp_path))
    if how == "that was pickled":
        forged = pickle.loads(pickle.dumps(naive).replace(b"sha256:good", b"sha256:evil"))
        assert forged == _Proof("sha256:evil", "alice")
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            with pytest.raises(TypeError):
                pickle.dumps(proof, protocol)
    else:
        assert dataclasses.replace(naive, digest="sha256:evil").signer == "alice"
        with pytest.raises((TypeError, ValueError)):
            dataclasses.replace(proof, descriptor=proof.descriptor)  # type: ignore[type-var]
        for function in (copy.copy, copy.deepcopy):
            with pytest.raises(TypeError):
                function(proof)
        with pytest.raises(AttributeError):
            proof.descriptor = proof.descriptor  # type: ignore[misc]
    record_property("attack", f"a proof {how}")


@story("a proof of one's own class")
def test_a_proof_of_ones_own_class(record_property: Record) -> None:
    class Naive(_Proof):
        """Passes for one."""

    assert isinstance(Naive("sha256:evil", "alice"), _Proof)
    with pytest.raises(TypeError):
        type("Forged", (VerifiedImage,), {})
    record_property("attack", "a proof of one's own class")


# -- the command


def _kept(scene: Scene, folder: Path) -> None:
    """Puts everything of a scene into a store of its own."""
    memory = scene.source()
    store = Layout(str(folder), memory.repository, short_names=False)
    documents = memory._documents
    for digest, content in memory._content.items():
        if digest not in documents:
            store.push(Descriptor("application/octet-stream", digest, len(content)), content)
    for digest, descriptor in sorted(documents.items(), key=lambda each: each[1].is_index):
        store.push(descriptor, memory._content[digest])
    for tag, digest in memory._tags.items():
        store.tag(documents[digest], tag)


def _lies_in_a_place(attack: Attack) -> bool:
    """Whether it is about what lies there, not about how a registry answers or what the caller of `verify` says."""
    elsewhere = {"_failing", "around", "words"} & set(attack.change.__code__.co_names)
    return not elsewhere and attack.honest in (by_sig, by_bundle, by_both, by_identity)


_PLAIN = [one for one in test_attacks.SCENES.values() if _lies_in_a_place(one)]


@pytest.mark.parametrize("attack", _PLAIN[::3], ids=[one.name for one in _PLAIN[::3]])
def test_the_command_ends_with_3(attack: Attack, cli: Cli, tmp_path: Path) -> None:
    scene = attack.honest(tmp_path)
    attack.change(scene)
    _kept(scene, tmp_path / "store")
    words = ("--policy", str(scene.policy_file()), "verify", "--pull", "never", scene.asked)
    done = cli(*words, expect=0 if attack.hides else 3)
    assert bool(done.stdout) is attack.hides


@story("a file in place of an image")
def test_a_file_is_no_image(cli: Cli, tmp_path: Path, record_property: Record) -> None:
    def naive(name: str) -> bytes:
        """Believes what it finds on its own disk: nothing was fetched, so nothing can have been exchanged."""
        with open(name, "rb") as file:
            return file.read()

    path = tmp_path / "evil.o"
    path.write_bytes(example("xdp_pass"))
    assert naive(str(path)) == example("xdp_pass")
    (tmp_path / "policy.json").write_text(json.dumps(trust()))
    (tmp_path / "policy.json").chmod(0o644)
    cli("--policy", "policy.json", "load", "./evil.o", expect=3)
    record_property("attack", "a file in place of an image")
