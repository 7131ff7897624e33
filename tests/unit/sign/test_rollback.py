"""Versions that never go back: which version an image has, by what was signed, and what is refused."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import VerificationError
from bpfimg.oci import Descriptor, Manifest, Platform
from bpfimg.sign import History, Policy, VerifiedImage, verify
from bpfimg.sign._policy._rules import VERSION, Authority, IdentityPattern, Rollback, Rule
from tests.support.sigstack import ISSUER, SUBJECT, World
from tests.support.targets import Image, image, index
from tests.unit.sign.craft import (
    REPOSITORY,
    bundle,
    key,
    place,
    put_bundle,
    put_legacy,
    reference,
    signed_layer,
    statement,
)
from tests.unit.sign.test_key_evidence import ROOT
from tests.unit.sign.test_key_evidence import WORLD as SEEN

if TYPE_CHECKING:
    from pathlib import Path

    from bpfimg.oci import Memory

AT = 1_750_000_000
assert isinstance(SEEN, World)


@pytest.fixture
def target() -> Memory:
    return place()


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(str(tmp_path / "history"))


def monotonic(*names: str, annotation: str = VERSION, minimum: str | None = None, threshold: int = 1) -> Policy:
    authorities = tuple(Authority(name, (key(name).public,), ROOT) for name in names or ("alice",))
    rule = Rule(None, "verify", authorities, threshold, rollback=Rollback(annotation, minimum))
    return Policy("policy.json", "sha256:x", (), rule)


def put(target: Memory, word: str, version: str = "", by: str = "alice", *, annotated: str = "") -> Descriptor:
    """An image that is signed, with a version that is claimed or one that is annotated on it."""
    made = image(word)
    if annotated:
        plain = made.manifest
        manifest = Manifest.build(config=plain.config, layers=plain.layers, annotations={VERSION: annotated})
        made = Image(manifest, made.blobs)
    found = made.push(target, word)
    claims = {VERSION: version} if version else {}
    about = {"name": REPOSITORY, "digest": {"sha256": found.digest.hex}, "annotations": claims}
    put_bundle(target, found, bundle(statement(found.digest, subject=[about]), by))
    return found


def proof(target: Memory, found: Descriptor, history: History | None, by: Policy | None = None) -> VerifiedImage:
    return verify(target, reference(), found, by or monotonic(), history=history)


def accept(history: History, proved: VerifiedImage) -> None:
    assert proved.mark is not None
    with history.accepting(proved.repository, proved.mark) as accepted:
        accepted()


def refused(target: Memory, found: Descriptor, history: History | None, by: Policy | None = None) -> str:
    with pytest.raises(VerificationError) as caught:
        proof(target, found, history, by)
    return str(caught.value)


def test_what_is_to_be_remembered(target: Memory, history: History) -> None:
    found = put(target, "one", "1.2.3")
    proved = proof(target, found, history)
    assert proved.mark is not None
    assert (proved.version, proved.mark.version, proved.mark.digest) == ("1.2.3", "1.2.3", str(found.digest))
    assert (proved.repository, proved.history) == (REPOSITORY, history)
    assert verify(target, reference(), found, Policy.for_key(key().public, "x"), history=history).mark is None


@pytest.mark.parametrize(
    ("old", "new"), [("1.2.3", "1.10.0"), ("1.0.0-rc.1", "1.0.0"), ("v1", "v2"), ("2024.9", "2024.10")]
)
def test_a_version_never_goes_back(target: Memory, history: History, old: str, new: str) -> None:
    older, newer = put(target, "old", old), put(target, "new", new)
    accept(history, proof(target, older, history))
    accept(history, proof(target, newer, history))
    assert "is older than" in refused(target, older, history)
    accept(history, proof(target, newer, history))  # the same again is no step back
    assert proof(target, put(target, "same", new), history).version == new


def test_verifying_remembers_nothing(target: Memory, history: History) -> None:
    older, newer = put(target, "old", "1"), put(target, "new", "2")
    proof(target, newer, history)
    assert proof(target, older, history).version == "1"


def test_going_back_on_purpose_needs_a_digest(target: Memory, history: History) -> None:
    older, newer = put(target, "old", "1"), put(target, "new", "2")
    accept(history, proof(target, newer, history))
    with pytest.raises(VerificationError):
        verify(target, reference(), older, monotonic(), history=history, allow_downgrade=True)
    pinned = reference().with_digest(older.digest)
    with pytest.raises(VerificationError):
        verify(target, pinned, older, monotonic(), history=history)
    proved = verify(target, pinned, older, monotonic(), history=history, allow_downgrade=True)
    assert (proved.version, proved.mark) == ("1", None)
    forward = verify(
        target, reference().with_digest(newer.digest), newer, monotonic(), history=history, allow_downgrade=True
    )
    assert forward.mark is not None


def test_without_a_history_nothing_is_believed(target: Memory) -> None:
    assert "nothing here remembers what was accepted" in refused(target, put(target, "one", "1"), None)


def test_the_claim_wins_over_the_annotation(target: Memory, history: History) -> None:
    assert proof(target, put(target, "one", "2", annotated="1"), history).version == "2"
    assert proof(target, put(target, "two", annotated="1"), history).version == "1"


def test_another_annotation_may_be_meant(target: Memory, history: History) -> None:
    found = put(target, "one", "7", annotated="7")
    assert "neither a version label (release)" in refused(target, found, history, monotonic(annotation="release"))


def test_the_claim_of_a_legacy_signature(target: Memory, history: History) -> None:
    found = image("one").push(target)
    data, notes, kind = signed_layer(found.digest)
    claimed = data.replace(b'"optional":null', b'"optional":{"' + VERSION.encode() + b'":"3.1"}')
    from tests.unit.sign.craft import b64, raw_sign

    put_legacy(
        target,
        found.digest,
        (claimed, {**notes, "dev.cosignproject.cosign/signature": b64(raw_sign(key(), claimed))}, kind),
    )
    assert proof(target, found, history).version == "3.1"


def test_a_claim_by_a_stranger_is_none(target: Memory, history: History) -> None:
    found = put(target, "one", "1")
    put(target, "one", "9", "mallory")
    assert proof(target, found, history).version == "1"


def test_the_latest_claim_of_a_signer_counts(target: Memory, history: History) -> None:
    found = put(target, "one", "1")
    put(target, "one", "3")
    put(target, "one", "2")
    assert proof(target, found, history).version == "3"


def test_as_many_as_must_sign_must_reach_the_version(target: Memory, history: History) -> None:
    both = monotonic("alice", "bob", threshold=2)
    found = put(target, "one", "3")
    put(target, "one", "2", "bob")
    assert proof(target, found, history, both).version == "2"
    assert proof(target, found, history, monotonic("alice", "bob")).version == "3"
    other = put(target, "two", "3", annotated="")
    put(target, "two", "", "bob")
    assert "neither a version label" in refused(target, other, history, both)


@pytest.mark.parametrize("version", ["latest", "1.x", "", " 1", "1.0\n"])
def test_a_version_without_order_is_refused(target: Memory, history: History, version: str) -> None:
    found = put(target, "one", version)
    assert ("has no order" if version else "neither a version label") in refused(target, found, history)


@pytest.mark.parametrize(
    ("version", "good"), [("1.9", False), ("2.0.0-rc.1", False), ("2", True), ("2.0.1", True), ("", False)]
)
def test_the_least_version(target: Memory, history: History, version: str, *, good: bool) -> None:
    found = put(target, "one", version)
    by = monotonic(minimum="2.0")
    if good:
        assert proof(target, found, history, by).version == version
        return
    assert "expected at least '2.0' (minVersion)" in refused(target, found, history, by)
    pinned = reference().with_digest(found.digest)
    with pytest.raises(VerificationError, match="minVersion"):
        verify(target, pinned, found, by, history=history, allow_downgrade=True)


def test_one_of_two_who_must_sign_cannot_raise_the_version(target: Memory, history: History) -> None:
    first = Authority("first", (key("alice").public, key("alice-2").public))
    rule = Rule(None, "verify", (first, Authority("second", (key("bob").public,))), 2, rollback=Rollback(VERSION, None))
    both = Policy("policy.json", "sha256:x", (), rule)
    found = put(target, "one", "1")
    put(target, "one", "1", "bob")
    for name in ("alice", "alice-2"):  # two keys, and one authority
        put(target, "one", "99", name)
    assert proof(target, found, history, both).version == "1"


def keyless() -> Policy:
    who = IdentityPattern(ISSUER, SUBJECT)
    rule = Rule(None, "verify", (Authority("ci", root=ROOT, timestamp="any", identities=(who,)),), rollback=Rollback())
    return Policy("policy.json", "sha256:x", (), rule)


def test_without_a_version_the_earliest_time_of_a_certificate_counts(target: Memory, history: History) -> None:
    older, newer = image("old").push(target), image("new").push(target)
    for found, at in ((older, AT), (newer, AT + 1000)):
        put_bundle(target, found, SEEN.bundle(statement(found.digest), at=at))
    accept(history, proof(target, older, history, keyless()))
    proved = proof(target, newer, history, keyless())
    assert (proved.version, proved.mark and proved.mark.time) == ("", AT + 1000)
    accept(history, proved)
    assert "it was signed at" in refused(target, older, history, keyless())
    put_bundle(target, newer, SEEN.bundle(statement(newer.digest), at=AT + 500))
    again = proof(target, newer, history, keyless())
    assert again.mark is not None
    assert again.mark.time == AT + 500  # every signature is looked at, not only the first


def test_the_time_of_a_key_is_no_version(target: Memory, history: History) -> None:
    found = image("old").push(target)
    old = json.loads(SEEN.bundle(statement(found.digest), key=key(), rekor=None, at=AT))
    signature = base64.b64decode(old["dsseEnvelope"]["signatures"][0]["sig"])
    stamp = base64.b64encode(SEEN.tsa.stamp(signature, at=AT + 86400)).decode()
    old["verificationMaterial"]["timestampVerificationData"] = {"rfc3161Timestamps": [{"signedTimestamp": stamp}]}
    put_bundle(target, found, old)  # the old signature, stamped again by whoever can write to the registry
    assert "neither a version label" in refused(target, found, history)


def test_the_child_that_was_believed_is_what_is_remembered(target: Memory, history: History) -> None:
    top = index(image("one"), image("two", "arm64"))
    put(target, "one", annotated="")
    found = put(target, "one", "5")
    target.push(top.descriptor, top.raw)
    proved = verify(
        target, reference(), top.descriptor, monotonic(), history=history, platform=Platform("linux", "amd64")
    )
    assert proved.mark is not None
    assert (proved.version, proved.mark.digest) == ("5", str(found.digest))
