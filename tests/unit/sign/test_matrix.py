"""Everything that is wrong with a signature, one at a time. Each row is right but for one thing, and refused for it;
and each is no obstacle to a good signature beside it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bpfimg.errors import VerificationError
from bpfimg.oci import Digest, Memory
from bpfimg.sign import verify
from tests.support.targets import image
from tests.unit.sign.craft import (
    BUNDLE,
    LOG_ENTRY,
    PEM,
    REPOSITORY,
    SET,
    SIGN,
    STAMP,
    Layer,
    b64,
    bundle,
    dumps,
    key,
    layer,
    pae,
    payload,
    place,
    pushed,
    put_bundle,
    put_legacy,
    raw_sign,
    reference,
    signed_layer,
    statement,
    trusting,
)

if TYPE_CHECKING:
    from bpfimg.oci import Descriptor

ONE = image("one").descriptor
TWO = image("two").descriptor
GOOD = payload(ONE.digest)
SIGNATURE = raw_sign(key(), GOOD)


def flipped(data: bytes, at: int = -1) -> bytes:
    changed = bytearray(data)
    changed[at] ^= 1
    return bytes(changed)


def by_alice(data: bytes, **annotations: str) -> Layer:
    return layer(data, raw_sign(key(), data), **annotations)


def with_signature(text: str) -> Layer:
    return GOOD, {"dev.cosignproject.cosign/signature": text}, layer(b"", b"")[2]


def critical(**changes: Any) -> Layer:
    return signed_layer(ONE.digest, **changes)


LEGACY: dict[str, tuple[Layer, str]] = {
    "signature flipped": (layer(GOOD, flipped(SIGNATURE)), "not by a key that the rule names"),
    "signature of another payload": (layer(GOOD, raw_sign(key(), GOOD + b" ")), "not by a key"),
    "signature empty": (layer(GOOD, b""), "not by a key"),
    "signature cut": (layer(GOOD, SIGNATURE[:-1]), "not by a key"),
    "signature with a tail": (layer(GOOD, SIGNATURE + b"\0"), "not by a key"),
    "signature missing": ((GOOD, {}, layer(b"", b"")[2]), "lacks the annotation"),
    "signature not base64": (with_signature("!"), "is not base64"),
    "signature with a line end": (with_signature(b64(SIGNATURE) + "\n"), "is not base64"),
    "signature over the digest only": (layer(GOOD, raw_sign(key(), str(ONE.digest).encode())), "not by a key"),
    "payload flipped": (layer(flipped(GOOD, 30), SIGNATURE), "is no signature"),
    "payload with a space": (layer(GOOD + b" ", SIGNATURE), "not by a key"),
    "payload serialised again": (layer(json.dumps(json.loads(GOOD)).encode(), SIGNATURE), "not by a key"),
    "payload with a key twice": (by_alice(GOOD[:-1] + b',"critical":{}}'), "twice"),
    "payload not JSON": (by_alice(b"x"), "not JSON"),
    "payload a list": (by_alice(b"[]"), "expected a JSON object"),
    "payload too large": (by_alice(GOOD[:-1] + b" " * 65536 + b"}"), "bytes, expected at most 65536"),
    "payload with an unknown field": (by_alice(GOOD[:-1] + b',"more":1}'), "unknown field 'more'"),
    "another key": (signed_layer(ONE.digest, "mallory"), "not by a key"),
    "another image": (signed_layer(TWO.digest), "about another image"),
    "another repository": (signed_layer(ONE.digest, name="registry.example/x"), "another repository"),
    "repository with a host only": (signed_layer(ONE.digest, name="registry.example"), "not HOST/REPOSITORY"),
    "digest in upper case": (signed_layer(f"sha256:{ONE.digest.hex.upper()}"), "about another image"),
    "digest without algorithm": (signed_layer(ONE.digest.hex), "about another image"),
    "digest as a list": (critical(image={"docker-manifest-digest": [str(ONE.digest)]}), "about another image"),
    "image missing": (critical(image=None), "lacks 'image'"),
    "image null": (
        by_alice(GOOD.replace(b'{"docker-manifest-digest":"' + str(ONE.digest).encode() + b'"}', b"null")),
        "null",
    ),
    "image with more": (critical(image={"docker-manifest-digest": str(ONE.digest), "x": 1}), "unknown field"),
    "type wrong": (critical(type="atomic container signature"), "critical.type is"),
    "type with a line end": (critical(type="cosign container image signature\n"), "critical.type is"),
    "type missing": (critical(type=None), "lacks 'type'"),
    "identity missing": (critical(identity=None), "lacks 'identity'"),
    "identity a number": (critical(identity={"docker-reference": 1}), "docker-reference is a number"),
    "identity with more": (critical(identity={"docker-reference": REPOSITORY, "x": 1}), "unknown field"),
    "media type of a layer": ((*signed_layer(ONE.digest)[:2], "application/octet-stream"), "its media type is"),
    "an envelope": (by_alice(dumps(bundle(statement(ONE.digest)))), "lacks 'critical'"),
    "a log entry": (by_alice(GOOD, **{"dev.sigstore.cosign/bundle": SET}), "transparency log entry"),
    "a timestamp": (by_alice(GOOD, **{"dev.sigstore.cosign/rfc3161timestamp": STAMP}), "a timestamp"),
    "keyless": (
        layer(GOOD, raw_sign(key("mallory"), GOOD), **{"dev.sigstore.cosign/certificate": PEM}),
        "keyless signature, not by a key that the rule names",
    ),
}

STATEMENT = statement(ONE.digest)


def signed(data: bytes) -> dict[str, Any]:
    return bundle(data)


def changed(**fields: Any) -> dict[str, Any]:
    """A good bundle with top-level fields replaced."""
    return {k: v for k, v in {**bundle(STATEMENT), **fields}.items() if v is not None}


def material(**fields: Any) -> dict[str, Any]:
    return changed(verificationMaterial={**bundle(STATEMENT)["verificationMaterial"], **fields})


def subject(**fields: Any) -> dict[str, Any]:
    return {"digest": {"sha256": ONE.digest.hex}, **fields}


def sig(data: bytes) -> list[dict[str, Any]]:
    return [{"sig": b64(data)}]


PAE = pae(STATEMENT)
BUNDLES: dict[str, tuple[dict[str, Any] | bytes, str]] = {
    "not JSON": (b"x", "not JSON"),
    "too large": (dumps(bundle(STATEMENT)) + b" " * (1 << 20), "bytes, expected at most 1048576"),
    "a key twice": (dumps(bundle(STATEMENT))[:-1] + b',"mediaType":"' + BUNDLE.encode() + b'"}', "twice"),
    "media type wrong": (changed(mediaType=BUNDLE.replace("0.3", "0.2")), "has the media type"),
    "media type missing": (changed(mediaType=None), "lacks 'mediaType'"),
    "unknown field": (changed(more=1), "unknown field 'more'"),
    "message signature": (changed(dsseEnvelope=None, messageSignature={}), "lacks 'dsseEnvelope'"),
    "material missing": (changed(verificationMaterial=None), "lacks 'verificationMaterial'"),
    "material unknown": (material(more=1), "unknown field 'more'"),
    "envelope null": (changed(dsseEnvelope=0), "is a number, expected an object"),
    "envelope unknown field": (bundle(STATEMENT, more=1), "unknown field"),
    "no signature": (bundle(STATEMENT, signatures=[]), "signatures is empty, expected at least 1"),
    "two signatures": (bundle(STATEMENT, signatures=sig(raw_sign(key(), PAE)) * 2), "2 entries, expected at most 1"),
    "signatures an object": (bundle(STATEMENT, signatures={}), "expected a list"),
    "signature flipped": (bundle(STATEMENT, signatures=sig(flipped(raw_sign(key(), PAE)))), "not by a key"),
    "signature empty": (bundle(STATEMENT, signatures=sig(b"")), "not by a key"),
    "signature not base64": (bundle(STATEMENT, signatures=[{"sig": "!"}]), "not base64"),
    "signature of the payload": (bundle(STATEMENT, signatures=sig(raw_sign(key(), STATEMENT))), "not by a key"),
    "signature of another type": (
        bundle(STATEMENT, signatures=sig(raw_sign(key(), pae(STATEMENT, "text/plain")))),
        "not by a key",
    ),
    "signature of the envelope's text": (
        bundle(STATEMENT, signatures=sig(raw_sign(key(), b64(STATEMENT).encode()))),
        "not by a key",
    ),
    "a key id": (bundle(STATEMENT, signatures=[{"sig": b64(raw_sign(key(), PAE)), "keyid": "x"}]), "keyid is 'x'"),
    "payload flipped": (bundle(STATEMENT, payload=b64(flipped(STATEMENT, 80))), "is no signature"),
    "payload serialised again": (
        bundle(STATEMENT, payload=b64(json.dumps(json.loads(STATEMENT)).encode())),
        "not by a key",
    ),
    "payload not base64": (bundle(STATEMENT, payload="e30"), "not base64"),
    "payload of another image": (bundle(STATEMENT, payload=b64(statement(TWO.digest))), "another image"),
    "payload type": (bundle(STATEMENT, payloadType="text/plain"), "payloadType is"),
    "payload type with parameter": (
        bundle(STATEMENT, payloadType="application/vnd.in-toto+json;v=1"),
        "payloadType is",
    ),
    "another key": (bundle(STATEMENT, "mallory"), "not by a key"),
    "another key with our hint": (
        {**bundle(STATEMENT, "mallory"), "verificationMaterial": bundle(STATEMENT)["verificationMaterial"]},
        "not by a key",
    ),
    "another image": (bundle(statement(TWO.digest)), "about another image"),
    "another repository": (bundle(statement(ONE.digest, "registry.example/x")), "another repository"),
    "a name that is no repository": (bundle(statement(ONE.digest, "app")), "not HOST/REPOSITORY"),
    "a name that is a number": (signed(statement(ONE.digest, subject=[subject(name=1)])), "subject.name is a number"),
    "statement version": (signed(statement(ONE.digest, _type="https://in-toto.io/Statement/v0.2")), "_type is"),
    "statement type missing": (signed(statement(ONE.digest, _type=None)), "lacks '_type'"),
    "statement not JSON": (signed(b"x"), "not JSON"),
    "statement with a key twice": (signed(STATEMENT[:-1] + b',"subject":[]}'), "twice"),
    "statement unknown field": (signed(statement(ONE.digest, more=1)), "unknown field"),
    "an SBOM": (
        signed(statement(ONE.digest, predicateType="https://spdx.dev/Document")),
        "an attestation of the type 'https://spdx.dev/Document', not a signature",
    ),
    "predicate type longer": (signed(statement(ONE.digest, predicateType=f"{SIGN}/x")), "an attestation of the type"),
    "predicate type missing": (signed(statement(ONE.digest, predicateType=None)), "lacks 'predicateType'"),
    "subject missing": (signed(statement(ONE.digest, subject=None)), "lacks 'subject'"),
    "subject empty": (signed(statement(ONE.digest, subject=[])), "about another image"),
    "subject an object": (signed(statement(ONE.digest, subject=subject())), "expected a list"),
    "subject text": (signed(statement(ONE.digest, subject=["x"])), "expected an object"),
    "257 subjects": (signed(statement(ONE.digest, subject=[subject()] * 257)), "257 entries, expected at most 256"),
    "subject unknown field": (signed(statement(ONE.digest, subject=[subject(more=1)])), "unknown field"),
    "digest missing": (signed(statement(ONE.digest, subject=[{"name": "x"}])), "lacks 'digest'"),
    "digest text": (signed(statement(ONE.digest, subject=[{"digest": ONE.digest.hex}])), "is a string"),
    "digest of another algorithm": (
        signed(statement(ONE.digest, subject=[{"digest": {"sha512": ONE.digest.hex}}])),
        "about another image",
    ),
    "digest with algorithm": (
        signed(statement(ONE.digest, subject=[{"digest": {"sha256": str(ONE.digest)}}])),
        "about another image",
    ),
    "digest in upper case": (
        signed(statement(ONE.digest, subject=[{"digest": {"sha256": ONE.digest.hex.upper()}}])),
        "about another image",
    ),
    "a log entry": (material(tlogEntries=[LOG_ENTRY]), "transparency log entry"),
    "33 log entries": (material(tlogEntries=[{}] * 33), "expected at most 32"),
    "log entries an object": (material(tlogEntries={}), "expected a list"),
    "a timestamp": (material(timestampVerificationData={"rfc3161Timestamps": [{}]}), "a timestamp"),
    "33 timestamps": (material(timestampVerificationData={"rfc3161Timestamps": [{}] * 33}), "at most 32"),
    "timestamp data unknown": (material(timestampVerificationData={"x": []}), "unknown field"),
    "keyless": (
        {**bundle(STATEMENT, "mallory"), "verificationMaterial": {"certificate": {"rawBytes": b64(b"leaf")}}},
        "keyless signature, not by a key that the rule names",
    ),
}


def good_legacy(target: Memory, found: Descriptor, bad: Layer) -> None:
    put_legacy(target, found.digest, bad, signed_layer(found.digest), bad)


@pytest.fixture
def target() -> Memory:
    target = place()
    assert pushed(target) == ONE
    image("two").push(target)
    return target


def refused(target: Memory) -> VerificationError:
    with pytest.raises(VerificationError) as caught:
        verify(target, reference(), ONE, trusting())
    return caught.value


def test_the_rows_are_right_but_for_one_thing(target: Memory) -> None:
    put_legacy(target, ONE.digest, by_alice(GOOD))
    assert verify(target, reference(), ONE, trusting()).signers[0].format == "legacy"
    for good in (bundle(STATEMENT), changed(), material(), signed(STATEMENT), material(tlogEntries=[])):
        other = place()
        pushed(other)
        put_bundle(other, ONE, good)
        assert verify(other, reference(), ONE, trusting()).signers[0].format == "bundle"


@pytest.mark.parametrize("name", LEGACY)
def test_a_wrong_legacy_signature(target: Memory, name: str) -> None:
    bad, says = LEGACY[name]
    put_legacy(target, ONE.digest, bad)
    error = refused(target)
    assert len(error.reasons) == 1
    assert says in error.reasons[0]
    good_legacy(target, ONE, bad)
    assert verify(target, reference(), ONE, trusting())


@pytest.mark.parametrize("name", BUNDLES)
def test_a_wrong_bundle(target: Memory, name: str) -> None:
    bad, says = BUNDLES[name]
    put_bundle(target, ONE, bad)
    error = refused(target)
    assert len(error.reasons) == 1
    assert says in error.reasons[0]
    put_bundle(target, ONE, bundle(statement(ONE.digest, REPOSITORY)))
    assert verify(target, reference(), ONE, trusting())


def test_a_wrong_bundle_hides_no_legacy_signature_and_the_other_way_round(target: Memory) -> None:
    for bad, _ in BUNDLES.values():
        put_bundle(target, ONE, bad)
    assert len(target.referrers(ONE.digest)) > 40
    refused(target)
    put_legacy(target, ONE.digest, signed_layer(ONE.digest))
    assert verify(target, reference(), ONE, trusting())
    put_legacy(target, ONE.digest, *(bad for bad, _ in LEGACY.values()))
    refused(target)
    put_bundle(target, ONE, bundle(STATEMENT))
    assert verify(target, reference(), ONE, trusting())


def test_a_signature_moved_from_another_image(target: Memory) -> None:
    """The `.sig` manifest of two under the tag of one, and a referrer that says it is about one."""
    put_legacy(target, ONE.digest, signed_layer(TWO.digest))
    put_bundle(target, ONE, bundle(statement(TWO.digest)))
    assert all("about another image" in reason for reason in refused(target).reasons)


def test_one_statement_about_several_images(target: Memory) -> None:
    subjects = [{"digest": {"sha256": TWO.digest.hex}}, subject(name=REPOSITORY)]
    put_bundle(target, ONE, signed(statement(ONE.digest, subject=subjects)))
    assert verify(target, reference(), ONE, trusting())


def test_the_older_statement_is_read(target: Memory) -> None:
    put_bundle(target, ONE, signed(statement(ONE.digest, _type="https://in-toto.io/Statement/v0.1")))
    assert verify(target, reference(), ONE, trusting())


def test_many_layers(target: Memory) -> None:
    junk = [by_alice(dumps({"critical": number})) for number in range(63)]
    put_legacy(target, ONE.digest, *junk, signed_layer(ONE.digest))
    assert verify(target, reference(), ONE, trusting()).signers[0].where.endswith(".sig layer 63")
    put_legacy(target, ONE.digest, *junk, by_alice(b"{}"), signed_layer(ONE.digest))
    error = refused(target)
    assert error.reasons[-1].endswith("has 65 layers, of which only the first 64 are looked at")
    put_legacy(target, ONE.digest, signed_layer(ONE.digest), *junk, by_alice(b"{}"))
    assert verify(target, reference(), ONE, trusting())


def test_the_same_signature_many_times_is_one(target: Memory) -> None:
    put_legacy(target, ONE.digest, *[signed_layer(ONE.digest)] * 3)
    with pytest.raises(VerificationError, match="too few"):
        verify(target, reference(), ONE, trusting("alice", "bob", threshold=2))


def test_a_referrer_of_another_kind_is_passed_over(target: Memory) -> None:
    put_bundle(target, ONE, {"spdxVersion": "SPDX-2.3"}, media_type="application/spdx+json")
    assert refused(target).reasons[0].endswith("is no signature, but application/spdx+json")
    assert "is not signed" in str(refused(target))


def test_a_referrer_in_the_experimental_format(target: Memory) -> None:
    put_legacy(target, ONE.digest, signed_layer(ONE.digest), subject=ONE)
    assert verify(target, reference(), ONE, trusting()).signers[0].format == "legacy"
    with pytest.raises(VerificationError):
        verify(target, reference(), ONE, trusting(formats=["bundle"]))


class Lying(Memory):
    """Says of every referrer that it is one of every image."""

    def referrers(self, digest: Digest) -> tuple[Descriptor, ...]:
        return tuple(each for known in self._referrers.values() for each in known.values())


def test_a_referrer_of_another_image_is_passed_over() -> None:
    """Even with a statement about this one: a source that mixes them up gets nothing believed."""
    target = Lying(place().repository)
    pushed(target)
    image("two").push(target)
    put_bundle(target, TWO, bundle(STATEMENT))
    assert refused(target).reasons[0].endswith("is about another image")
    put_bundle(target, ONE, bundle(STATEMENT))
    assert verify(target, reference(), ONE, trusting())


def test_layers_of_referrers_are_counted_together(target: Memory) -> None:
    """Each candidate costs a signature check by each key: a stranger must not choose how many."""
    for number in range(3):
        junk = [by_alice(dumps({"critical": [number, layer_number]})) for layer_number in range(30)]
        put_legacy(target, ONE.digest, *junk, subject=ONE)
    error = refused(target)
    assert sum("is no signature" in reason for reason in error.reasons) == 64
    assert error.reasons[-1].endswith("has 30 layers, of which only the first 4 are looked at")


def test_an_index_under_the_signature_tag(target: Memory) -> None:
    from tests.support.targets import index

    top = index(image("one"), image("two"))
    target.push(top.descriptor, top.raw, tag=f"{ONE.digest.tag}.sig")
    assert "its media type is" in refused(target).reasons[0]


def test_a_flipped_byte_in_the_manifest_is_another_image(target: Memory) -> None:
    put_legacy(target, ONE.digest, signed_layer(ONE.digest))
    evil = image("one").manifest.raw.replace(b'"size":', b'"size" :', 1)
    from bpfimg.oci import Descriptor

    descriptor = Descriptor.of(evil, ONE.media_type)
    target.push(descriptor, evil, tag="v1")
    assert target.resolve("v1") != ONE
    with pytest.raises(VerificationError, match="is not signed"):
        verify(target, reference(), target.resolve("v1"), trusting())


def test_a_sha512_digest_has_no_legacy_signature_but_a_bundle(target: Memory) -> None:
    from bpfimg.oci import Descriptor

    raw = image("one").manifest.raw
    wide = Descriptor(ONE.media_type, Digest.of(raw, "sha512"), len(raw))
    target.push(wide, raw)
    put_legacy(target, wide.digest, signed_layer(wide.digest))
    with pytest.raises(VerificationError):
        verify(target, reference(), wide, trusting())
    put_bundle(target, wide, bundle(statement(wide.digest)))
    assert verify(target, reference(), wide, trusting())
