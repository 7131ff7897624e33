"""Attesting with a key: one signature in both forms, what is said stands byte for byte, nothing twice."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from bpfimg import sign
from bpfimg.errors import ImageError, NotFound, UsageError, VerificationError
from bpfimg.oci import Descriptor, Digest, Manifest, Memory
from bpfimg.sign import signers, verify
from bpfimg.sign._predicates import PREDICATE_TYPES
from tests.support.targets import image, index
from tests.unit.sign.craft import REPOSITORY, SIGN, key, place, pushed, put_bundle, reference, trusting

if TYPE_CHECKING:
    from collections.abc import Sequence

SPDX = "https://spdx.dev/Document"
PREDICATE = b'{"spdxVersion":"SPDX-2.3", "n": 1.50, "big": 12345678901234567890}'


def attest(target: Memory, found: Descriptor, by: str = "alice", **words: Any) -> Sequence[sign.Signed]:
    words = {"predicate_type": "spdxjson", "predicate": PREDICATE, **words}
    return sign.attest(target, found, key(by), **words)


def attached(target: Memory, digest: Digest) -> Manifest:
    return Manifest.parse(target.fetch(target.resolve(f"{digest.tag}.att")))


def bundles(target: Memory, digest: Digest) -> list[dict[str, Any]]:
    manifests = [Manifest.parse(target.fetch(each)) for each in target.referrers(digest)]
    return [json.loads(target.fetch(manifest.layers[0])) for manifest in manifests]


def test_one_signature_stands_in_both_forms() -> None:
    target = place()
    found = pushed(target)
    done = attest(target, found)
    assert [(one.format, one.new, one.descriptor) for one in done] == [("legacy", True, found), ("bundle", True, found)]
    (bundle,) = bundles(target, found.digest)
    (layer,) = attached(target, found.digest).layers
    assert json.loads(target.fetch(layer)) == bundle["dsseEnvelope"]
    assert layer.media_type == "application/vnd.dsse.envelope.v1+json"
    assert layer.annotations == {"dev.cosignproject.cosign/signature": "", "predicateType": SPDX}
    (referrer,) = target.referrers(found.digest)
    assert Manifest.parse(target.fetch(referrer)).annotations["dev.sigstore.bundle.predicateType"] == SPDX
    told = sign.attestations(target, reference(), found, trusting(), SPDX)
    assert sorted(one.signer.format for one in told) == ["bundle", "legacy"]
    assert all(one.predicate == json.loads(PREDICATE) for one in told)


def test_the_predicate_stands_in_the_statement_byte_for_byte() -> None:
    """A number is not written anew: 1.50 stays what was signed off."""
    target = place()
    found = pushed(target)
    attest(target, found, predicate=b"  " + PREDICATE + b"\n")
    (bundle,) = bundles(target, found.digest)
    statement = base64.b64decode(bundle["dsseEnvelope"]["payload"])
    assert statement.endswith(b'"predicate":' + PREDICATE + b"}")
    told = json.loads(statement)
    assert told["_type"] == "https://in-toto.io/Statement/v1"
    assert told["subject"] == [{"name": REPOSITORY, "digest": {"sha256": found.digest.hex}}]
    assert told["predicateType"] == SPDX


def test_saying_it_twice_adds_nothing_and_something_else_does() -> None:
    target = place()
    found = pushed(target)
    attest(target, found)
    before = dict(target._content)
    assert [one.new for one in attest(target, found)] == [False, False]
    assert target._content == before
    assert [one.new for one in attest(target, found, predicate=b"{}")] == [True, True]
    assert [one.new for one in attest(target, found, predicate_type="custom")] == [True, True]
    assert [one.new for one in attest(target, found, "bob")] == [True, True]
    assert len(attached(target, found.digest).layers) == 4
    assert len(target.referrers(found.digest)) == 4


def test_what_lacks_in_one_form_is_added_there() -> None:
    target = place()
    found = pushed(target)
    assert [one.format for one in attest(target, found, formats=["bundle"])] == ["bundle"]
    assert {one.format: one.new for one in attest(target, found)} == {"bundle": False, "legacy": True}
    assert [one.new for one in attest(target, found)] == [False, False]
    assert len(sign.attestations(target, reference(), found, trusting(), SPDX)) == 2


def test_an_attestation_is_no_signature_and_a_signature_no_attestation() -> None:
    target = place()
    found = pushed(target)
    attest(target, found)
    with pytest.raises(VerificationError):
        verify(target, reference(), found, trusting())
    sign.image(target, found, key())
    assert verify(target, reference(), found, trusting())
    with pytest.raises(VerificationError):
        sign.attestations(target, reference(), found, trusting(), "https://cyclonedx.org/bom")


def test_an_index_is_attested_alone_unless_told_otherwise() -> None:
    target = place()
    one, two = image("one"), image("two", "arm64")
    one.push(target)
    two.push(target)
    top = index(one, two)
    target.push(top.descriptor, top.raw, tag="v1")
    assert {each.descriptor.digest for each in attest(target, top.descriptor)} == {top.descriptor.digest}
    done = attest(target, top.descriptor, recursive=True)
    assert [each.new for each in done] == [True, True, True, True, False, False]


@pytest.mark.parametrize(
    ("word", "uri"),
    [
        *PREDICATE_TYPES.items(),
        ("https://team.example/report/v1", "https://team.example/report/v1"),
        ("urn:bpfimg:compatibility:1", "urn:bpfimg:compatibility:1"),
    ],
)
def test_types(word: str, uri: str) -> None:
    target = place()
    found = pushed(target)
    attest(target, found, predicate_type=word, predicate=b"{}")
    assert len(sign.attestations(target, reference(), found, trusting(), uri)) == 2
    assert signers.predicate_type(word) == uri


@pytest.mark.parametrize("word", ["", "spdx", "a b:c", "https://x\n", "https://\x1b", "sbom.json", ":x", "https://é"])
def test_what_is_no_type(word: str) -> None:
    with pytest.raises(UsageError, match="expected a URI or slsaprovenance, "):
        signers.predicate_type(word)


def test_nobody_attests_a_signature() -> None:
    """Who may attest must not by that be able to sign."""
    target = place()
    found = pushed(target)
    with pytest.raises(UsageError, match="is that of signatures"):
        attest(target, found, predicate_type=SIGN)
    assert target.referrers(found.digest) == ()


@pytest.mark.parametrize(
    ("predicate", "reason"),
    [
        (b"", "the predicate is not JSON"),
        (b"[]", "the predicate is a list, expected a JSON object"),
        (b"null", "the predicate is null, expected a JSON object"),
        (b'{"a":1,"a":2}', "the predicate has the key 'a' twice in one object"),
        (b'{"a":NaN}', "the predicate holds NaN, which is not JSON"),
        (b"\xff{}", "the predicate is not JSON"),
        (b'{"a":' * 63 + b"{}" + b"}" * 63, "the predicate cannot be attested: statement nests deeper than 64 levels"),
        (b'{"a":"' + b"x" * 16_000_000 + b'"}', "the predicate has 16000008 bytes, expected at most 16000000"),
    ],
)
def test_what_is_no_predicate(predicate: bytes, reason: str) -> None:
    target = place()
    found = pushed(target)
    with pytest.raises(UsageError) as caught:
        attest(target, found, predicate=predicate)
    assert str(caught.value).startswith(reason)
    assert target.referrers(found.digest) == ()


def test_the_largest_predicate_can_be_read_again() -> None:
    target = place()
    found = pushed(target)
    attest(target, found, predicate=b'{"a":"' + b"x" * 15_999_992 + b'"}')
    assert len(sign.attestations(target, reference(), found, trusting(), SPDX)) == 2


@pytest.mark.parametrize("formats", [[], ["att"], ["bundle", "x"]])
def test_unknown_formats(formats: list[str]) -> None:
    target = place()
    with pytest.raises(UsageError, match="expected bundle or legacy"):
        attest(target, pushed(target), formats=formats)


def test_a_longer_digest_takes_a_bundle_only() -> None:
    target = place()
    raw = image("one").manifest.raw
    image("one").push(target)
    wide = Descriptor(image("one").descriptor.media_type, Digest.of(raw, "sha512"), len(raw))
    target.push(wide, raw)
    with pytest.raises(UsageError, match="cannot have an attestation in the legacy format"):
        attest(target, wide)
    assert [one.new for one in attest(target, wide, formats=["bundle"])] == [True]


def test_what_nobody_would_read_is_not_written() -> None:
    """More than 64 referrers make the whole list unreadable, for signatures, too."""
    target = place()
    found = pushed(target)
    for number in range(64):
        put_bundle(target, found, b"junk %d" % number)
    for signing in (lambda: attest(target, found), lambda: sign.image(target, found, key())):
        with pytest.raises(ImageError, match="has 64 referrers, expected room for one more"):
            signing()
    assert len(target.referrers(found.digest)) == 64
    with pytest.raises(NotFound):
        target.resolve(f"{found.digest.tag}.att")
    assert [one.new for one in attest(target, found, formats=["legacy"])] == [True]


def test_the_bundle_has_a_date_that_can_be_fixed() -> None:
    target = place()
    found = pushed(target)
    attest(target, found, created=0)
    (referrer,) = target.referrers(found.digest)
    created = Manifest.parse(target.fetch(referrer)).annotations["org.opencontainers.image.created"]
    assert created == "1970-01-01T00:00:00Z"
