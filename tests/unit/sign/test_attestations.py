"""Statements about an image: which are found, whose are believed, what a rule asks of them; and that they are no
signatures."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bpfimg.errors import RegistryError, VerificationError
from bpfimg.oci import Descriptor, Manifest, Platform
from bpfimg.sign import Policy, attestations, verify
from bpfimg.sign._policy._conditions import Condition
from bpfimg.sign._policy._rules import Attested, Authority, Rule
from tests.support.targets import Image, index
from tests.support.targets import image as made
from tests.unit.sign.craft import (
    BUNDLE,
    CONFIG,
    REPOSITORY,
    SIGN,
    b64,
    bundle,
    dumps,
    key,
    place,
    pushed,
    put_bundle,
    put_legacy,
    reference,
    signed_layer,
    statement,
)
from tests.unit.sign.test_verify import Faulty

if TYPE_CHECKING:
    from bpfimg.oci import Memory

SLSA = "https://slsa.dev/provenance/v1"
SPDX = "https://spdx.dev/Document"
ENVELOPE = "application/vnd.dsse.envelope.v1+json"
BUILDER = {"runDetails": {"builder": {"id": "https://ci.example/builder"}}}
ONE = made("one").descriptor


def said(
    image: Descriptor, kind: str = SLSA, name: str | None = REPOSITORY, predicate: Any = BUILDER, **more: Any
) -> bytes:
    return statement(image.digest, name, predicateType=kind, predicate=predicate, **more)


def put_attached(target: Memory, image: Descriptor, *envelopes: dict[str, Any] | bytes, subject: bool = False) -> None:
    """Stores envelopes as cosign 2's `.att` manifest, or as a referrer."""
    blobs = [one if isinstance(one, bytes) else dumps(one) for one in envelopes]
    notes = {"dev.cosignproject.cosign/signature": "", "predicateType": SLSA}
    parts = [(Descriptor.of(data, ENVELOPE, annotations=notes), data) for data in blobs]
    config = Descriptor.of(b"{}", CONFIG)
    manifest = Manifest.build(config=config, layers=[one for one, _ in parts], subject=image if subject else None)
    Image(manifest, ((config, b"{}"), *parts)).push(target, None if subject else f"{image.digest.tag}.att")


def envelope(data: bytes, by: str = "alice") -> dict[str, Any]:
    return bundle(data, by)["dsseEnvelope"]


def put(target: Memory, image: Descriptor, form: str, data: bytes, by: str = "alice") -> None:
    if form == "bundle":
        put_bundle(target, image, bundle(data, by))
    else:
        put_attached(target, image, envelope(data, by), subject=form == "referrer")


def asking(*wanted: Attested, **fields: Any) -> Policy:
    """alice signs; and these attestations must be there."""
    alice = Authority("alice", (key().public,))
    return Policy("policy.json", "sha256:x", (), Rule(None, "verify", (alice,), attestations=wanted, **fields))


def by(name: str = "alice", kind: str = SLSA, *conditions: Condition) -> Attested:
    return Attested(kind, (Authority(name, (key(name).public,)),), conditions)


@pytest.fixture
def target() -> Memory:
    target = place()
    assert pushed(target) == ONE
    put_legacy(target, ONE.digest, signed_layer(ONE.digest))
    return target


def refused(target: Memory, policy: Policy) -> VerificationError:
    with pytest.raises(VerificationError) as caught:
        verify(target, reference(), ONE, policy)
    return caught.value


FORMS = ("bundle", "legacy", "referrer")


@pytest.mark.parametrize("form", FORMS)
def test_an_attestation_that_a_rule_asks_for(target: Memory, form: str) -> None:
    error = refused(target, asking(by()))
    assert (
        "lacks an attestation that counts, expected one of the type 'https://slsa.dev/provenance/v1' by alice"
        in str(error)
    )
    put(target, ONE, form, said(ONE))
    (found,) = verify(target, reference(), ONE, asking(by())).attestations
    assert (found.predicate_type, found.digest, found.predicate) == (SLSA, str(ONE.digest), BUILDER)
    assert (found.signer.authority, found.signer.format) == ("alice", "bundle" if form == "bundle" else "legacy")
    assert found.statement == said(ONE)


@pytest.mark.parametrize("form", FORMS)
def test_of_exactly_this_type(target: Memory, form: str) -> None:
    for kind in (SPDX, f"{SLSA}/", SLSA[:-1], SLSA.upper()):
        put(target, ONE, form, said(ONE, kind))
        assert "is an attestation of another type" in refused(target, asking(by())).reasons[0]


@pytest.mark.parametrize("form", FORMS)
def test_by_whom_the_rule_names_for_it(target: Memory, form: str) -> None:
    put(target, ONE, form, said(ONE))
    error = refused(target, asking(by("builder")))
    assert "not by a key that the rule names" in error.reasons[0]
    put(target, ONE, form, said(ONE), "builder")
    assert verify(target, reference(), ONE, asking(by("builder"))).attestations[0].signer.authority == "builder"
    assert "not by a key" in str(refused(target, asking(by("mallory"))).reasons)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("data", "says"),
    [
        (said(made("two").descriptor), "about another image"),
        (said(ONE, name="registry.example/x"), "for another repository, 'registry.example/x'"),
        (said(ONE, _type="https://in-toto.io/Statement/v2"), "_type is"),
        (said(ONE, more=1), "unknown field 'more'"),
        (said(ONE)[:-1] + b',"predicate":{}}', "has the key 'predicate' twice"),
        (said(ONE, ""), "predicateType is empty"),
    ],
)
def test_a_wrong_one(target: Memory, form: str, data: bytes, says: str) -> None:
    put(target, ONE, form, data)
    assert says in refused(target, asking(by())).reasons[0]
    put(target, ONE, "bundle", said(ONE))
    assert verify(target, reference(), ONE, asking(by()))


def test_the_older_statement_is_read(target: Memory) -> None:
    put(target, ONE, "legacy", said(ONE, _type="https://in-toto.io/Statement/v0.1"))
    assert verify(target, reference(), ONE, asking(by()))


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (Condition("/runDetails/builder/id", "equals", "https://ci.example/builder"), True),
        (Condition("/runDetails/builder/id", "equals", "https://ci.example"), False),
        (Condition("/runDetails/builder", "exists", True), True),
        (Condition("/buildDefinition", "exists", True), False),
    ],
)
def test_what_it_says_must_hold(target: Memory, condition: Condition, *, holds: bool) -> None:
    put(target, ONE, "bundle", said(ONE))
    wanted = by("alice", SLSA, condition)
    if holds:
        assert verify(target, reference(), ONE, asking(wanted))
        return
    error = refused(target, asking(wanted))
    assert error.reasons[0].endswith(f"is signed by alice, but not so: {condition}")
    assert f"in which {condition}" in str(error)


def test_all_conditions_hold_in_one_statement(target: Memory) -> None:
    """Two statements that hold one condition each are not one that holds both."""
    wanted = by("alice", SLSA, Condition("/a", "equals", 1), Condition("/b", "equals", 1))
    put(target, ONE, "bundle", said(ONE, predicate={"a": 1, "b": 2}))
    put(target, ONE, "bundle", said(ONE, predicate={"a": 2, "b": 1}))
    assert len(refused(target, asking(wanted)).reasons) == 2
    put(target, ONE, "bundle", said(ONE, predicate={"a": 1, "b": 1}))
    assert verify(target, reference(), ONE, asking(wanted)).attestations[0].predicate == {"a": 1, "b": 1}


def test_every_one_that_is_asked_for(target: Memory) -> None:
    put(target, ONE, "bundle", said(ONE))
    error = refused(target, asking(by(), by("alice", SPDX)))
    assert SPDX in str(error)
    assert SLSA not in str(error)
    put(target, ONE, "legacy", said(ONE, SPDX))
    assert len(verify(target, reference(), ONE, asking(by(), by("alice", SPDX))).attestations) == 2


def test_the_rules_formats_are_honoured(target: Memory) -> None:
    put(target, ONE, "legacy", said(ONE))
    refused(target, asking(by(), formats=("bundle", "legacy")[:1]))
    put_bundle(target, ONE, bundle(statement(ONE.digest)))
    with pytest.raises(VerificationError, match="attestation"):
        verify(target, reference(), ONE, asking(by(), formats=("bundle",)))
    put(target, ONE, "bundle", said(ONE))
    assert verify(target, reference(), ONE, asking(by(), formats=("bundle",)))


# -- attestations are no signatures, and signatures no attestations ----------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", [SLSA, SPDX, f"{SIGN}/", "https://cosign.sigstore.dev/attestation/v1"])
def test_whoever_attests_has_not_signed(form: str, kind: str) -> None:
    target = place()
    pushed(target)
    put(target, ONE, form, said(ONE, kind))
    assert "is not signed" in str(refused(target, asking()))


@pytest.mark.parametrize("form", ["legacy", "referrer"])
def test_a_signature_among_the_attestations_is_none(form: str) -> None:
    target = place()
    pushed(target)
    put(target, ONE, form, statement(ONE.digest, REPOSITORY))
    assert "is not signed" in str(refused(target, asking()))


@pytest.mark.parametrize("form", FORMS)
def test_a_signature_is_no_attestation(target: Memory, form: str) -> None:
    put(target, ONE, form, statement(ONE.digest, REPOSITORY))
    error = refused(target, asking(by("alice", SIGN)))
    assert "lacks an attestation" in str(error)
    with pytest.raises(VerificationError):
        attestations(target, reference(), ONE, asking(), SIGN)


def test_an_attestation_under_the_signature_tag_and_the_other_way_round(target: Memory) -> None:
    other = place()
    pushed(other)
    put_attached(other, ONE, envelope(said(ONE)))
    other.tag(other.resolve(f"{ONE.digest.tag}.att"), f"{ONE.digest.tag}.sig")
    assert "its media type is application/vnd.dsse.envelope.v1+json" in refused(other, asking()).reasons[0]
    target.tag(target.resolve(f"{ONE.digest.tag}.sig"), f"{ONE.digest.tag}.att")
    assert "is no attestation: its media type is" in refused(target, asking(by())).reasons[0]


def test_an_unsigned_image_with_every_attestation_is_not_believed() -> None:
    target = place()
    pushed(target)
    put(target, ONE, "bundle", said(ONE))
    assert "is not signed" in str(refused(target, asking(by())))


# -- limits and errors -------------------------------------------------------------------------------------------------


def test_a_large_attestation_is_read_and_hides_no_signature(target: Memory) -> None:
    put(target, ONE, "bundle", said(ONE, SPDX, predicate={"text": "x" * (2 << 20)}))
    put_bundle(target, ONE, bundle(statement(ONE.digest)))
    policy = asking(by("alice", SPDX), formats=("bundle",))
    assert len(str(verify(target, reference(), ONE, policy).attestations[0].predicate)) > 2 << 20


@pytest.mark.parametrize("form", FORMS)
def test_one_that_is_too_large_is_said_and_hides_nothing(target: Memory, form: str) -> None:
    data = bundle(said(ONE, predicate={"text": "x" * (18 << 20)})) if form == "bundle" else b"{" + b" " * (24 << 20)
    put_bundle(target, ONE, data) if form == "bundle" else put_attached(target, ONE, data, subject=form == "referrer")
    assert "bytes, expected at most" in str(refused(target, asking(by())).reasons)
    put(target, ONE, "bundle", said(ONE))
    assert verify(target, reference(), ONE, asking(by()))


def test_all_together_are_bounded(target: Memory) -> None:
    for number in range(4):
        put_bundle(target, ONE, b"%d" % number + b" " * (20 << 20))
    reasons = refused(target, asking(by())).reasons
    assert sum("for all attestations of an image" in reason for reason in reasons) == 1


def test_junk_among_the_layers_hides_nothing(target: Memory) -> None:
    put_attached(target, ONE, b"x", b"{}", envelope(said(ONE), "mallory"), {"payload": 1}, envelope(said(ONE)))
    assert verify(target, reference(), ONE, asking(by())).attestations[0].signer.where.endswith(".att layer 4")


def test_more_layers_than_are_looked_at(target: Memory) -> None:
    junk = [dumps({"n": number}) for number in range(64)]
    put_attached(target, ONE, *junk, envelope(said(ONE)))
    assert refused(target, asking(by())).reasons[-1].endswith("has 65 layers, of which only the first 64 are looked at")
    put_attached(target, ONE, *junk[1:], envelope(said(ONE)))
    assert verify(target, reference(), ONE, asking(by()))


DOWN = RegistryError("the registry is down", status=503, hint="wait")


@pytest.mark.parametrize("where", ["bundle", "referrers"])
def test_an_error_is_never_a_missing_attestation(target: Memory, where: str) -> None:
    put(target, ONE, "bundle", said(ONE))
    source = Faulty(target, **{where: DOWN})
    with pytest.raises(VerificationError) as caught:
        verify(source, reference(), ONE, asking(by()))
    assert "its attestations could not be read (the registry is down)" in str(caught.value)
    assert caught.value.__cause__ is DOWN
    put(target, ONE, "legacy", said(ONE))
    assert verify(target, reference(), ONE, asking(by()))


# -- an index and its images -------------------------------------------------------------------------------------------


def test_attestations_of_an_index_count_for_its_images(target: Memory) -> None:
    top = index(made("one"), made("two", "arm64"))
    target.push(top.descriptor, top.raw)
    put_legacy(target, top.descriptor.digest, signed_layer(top.descriptor.digest))
    put(target, top.descriptor, "bundle", said(top.descriptor))
    platform = Platform("linux", "amd64")
    proof = verify(target, reference(), top.descriptor, asking(by()), platform=platform)
    assert proof.descriptor == top.descriptor


def test_an_attestation_of_one_image_proves_that_one(target: Memory) -> None:
    top = index(made("one"), made("two", "arm64"))
    target.push(top.descriptor, top.raw)
    put_legacy(target, top.descriptor.digest, signed_layer(top.descriptor.digest))
    put(target, ONE, "bundle", said(ONE))
    with pytest.raises(VerificationError):
        verify(target, reference(), top.descriptor, asking(by()))
    proof = verify(target, reference(), top.descriptor, asking(by()), platform=Platform("linux", "amd64"))
    assert proof.descriptor.digest == ONE.digest
    with pytest.raises(VerificationError):
        verify(target, reference(), top.descriptor, asking(by()), platform=Platform("linux", "arm64"))


# -- attestations(...) ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_all_that_are_believed_are_given(target: Memory, form: str) -> None:
    put(target, ONE, form, said(ONE, predicate=1))
    put(target, ONE, "bundle", said(ONE, predicate=2))
    put(target, ONE, "bundle", said(ONE, predicate=3), "mallory")
    put(target, ONE, "bundle", said(ONE, SPDX))
    found = attestations(target, reference(), ONE, asking(), SLSA)
    assert sorted(str(one.predicate) for one in found) == ["1", "2"]
    assert all(one.document["predicateType"] == SLSA for one in found)


def test_without_a_rule_for_the_type_the_signers_may_attest(target: Memory) -> None:
    put(target, ONE, "bundle", said(ONE), "builder")
    with pytest.raises(VerificationError, match="lacks an attestation"):
        attestations(target, reference(), ONE, asking(), SLSA)
    assert attestations(target, reference(), ONE, asking(by("builder")), SLSA)
    put(target, ONE, "bundle", said(ONE))
    assert len(attestations(target, reference(), ONE, asking(), SLSA)) == 1
    assert len(attestations(target, reference(), ONE, asking(by("builder")), SLSA)) == 1  # the rule names another


def test_conditions_of_the_rule_hold_for_what_is_given(target: Memory) -> None:
    put(target, ONE, "bundle", said(ONE, predicate={"a": 1}))
    put(target, ONE, "bundle", said(ONE, predicate={"a": 2}))
    wanted = by("alice", SLSA, Condition("/a", "equals", 1))
    (found,) = attestations(target, reference(), ONE, asking(wanted), SLSA)
    assert found.predicate == {"a": 1}


def test_a_denied_image_has_no_attestations(target: Memory) -> None:
    put(target, ONE, "bundle", said(ONE))
    policy = Policy("policy.json", "sha256:x", (), asking().default, frozenset({str(ONE.digest)}))
    with pytest.raises(VerificationError, match="denyDigests"):
        attestations(target, reference(), ONE, policy, SLSA)
    denying = Policy("policy.json", "sha256:x", (), Rule(None, "deny"))
    with pytest.raises(VerificationError, match="default is to deny"):
        attestations(target, reference(), ONE, denying, SLSA)


def test_the_bundle_may_say_its_old_type(target: Memory) -> None:
    content = {**bundle(said(ONE)), "mediaType": "application/vnd.dev.sigstore.bundle+json;version=0.3"}
    assert content["mediaType"] != BUNDLE
    put_bundle(target, ONE, json.dumps(content).encode())
    assert attestations(target, reference(), ONE, asking(), SLSA)


def test_a_payload_that_is_not_what_was_signed(target: Memory) -> None:
    changed = envelope(said(ONE))
    changed["payload"] = b64(said(ONE, predicate={}))
    put_attached(target, ONE, changed)
    assert "not by a key" in refused(target, asking(by())).reasons[0]
