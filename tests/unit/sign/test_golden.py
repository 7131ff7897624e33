"""What cosign 2.5 and 3.1 wrote, believed here; and ours, byte for byte as cosign writes."""

from __future__ import annotations

import json

import pytest

from bpfimg import sign
from bpfimg.errors import VerificationError
from bpfimg.oci import Digest, Index, Manifest, Memory, Reference
from bpfimg.sign import Policy, PrivateKey, PublicKey, verify
from bpfimg.sign._formats._write import config, payload, signing_statement
from tests.unit.sign.craft import GOLDEN, golden, place

K1 = PublicKey.load((GOLDEN / "k1.pub").read_bytes())
K2 = PublicKey.load((GOLDEN / "k2.pub").read_bytes())
SIGNATURES = ("cosign-2.5-sig", "cosign-3.1-bundle")


def believed(source: Memory, tag: str, key: PublicKey) -> list[str]:
    reference = Reference.parse(f"{source.repository}:{tag}")
    policy = Policy.for_key(key, "--key")
    proof = verify(source, reference, source.resolve(tag), policy, thorough=True)
    return [one.format for one in proof.signers]


@pytest.mark.parametrize("name", SIGNATURES)
@pytest.mark.parametrize("tag", ["one", "two", "index"])
def test_what_cosign_signed_is_believed(name: str, tag: str) -> None:
    assert believed(golden(name), tag, K1) == ["legacy" if name.endswith("sig") else "bundle"]


@pytest.mark.parametrize("name", SIGNATURES)
def test_a_second_signer_with_an_annotation_is_believed(name: str) -> None:
    source = golden(name)
    assert len(believed(source, "one", K2)) == 1
    with pytest.raises(VerificationError):
        believed(source, "two", K2)


def test_cosigns_experimental_referrer_is_believed() -> None:
    assert believed(golden("cosign-2.5-referrer"), "one", K1) == ["legacy"]


@pytest.mark.parametrize(("tag", "says"), [("one", "https://spdx.dev/Document"), ("two", "is not signed")])
def test_an_sbom_is_no_signature(tag: str, says: str) -> None:
    with pytest.raises(VerificationError, match="is not signed") as caught:
        believed(golden("sbom-only"), tag, K1)
    assert says in f"{caught.value} {caught.value.reasons}"


def test_our_payload_and_config_are_cosigns() -> None:
    source = golden("cosign-2.5-sig")
    digest = source.resolve("one").digest
    manifest = Manifest.parse(source.fetch(source.resolve(f"{digest.tag}.sig")))
    assert source.fetch(manifest.layers[0]) == payload(str(source.repository), digest, {})
    assert source.fetch(manifest.layers[1]) == payload(str(source.repository), digest, {"who": "k2"})
    assert source.fetch(manifest.config) == config([str(layer.digest) for layer in manifest.layers])


def test_our_statement_is_cosigns_with_a_name() -> None:
    source = golden("cosign-3.1-bundle")
    digest = source.resolve("index").digest
    theirs = [json.loads(data) for data in statements(source, digest)]
    ours = json.loads(signing_statement(str(source.repository), digest, {}))
    assert ours["subject"][0].pop("name") == str(source.repository)
    assert theirs == [ours]


def statements(source: Memory, digest: Digest) -> list[bytes]:
    from base64 import b64decode

    found = []
    for referrer in source.referrers(digest):
        manifest = Manifest.parse(source.fetch(referrer))
        bundle = json.loads(source.fetch(manifest.layers[0]))
        found.append(b64decode(bundle["dsseEnvelope"]["payload"]))
    return found


def test_our_bundle_and_its_manifest_have_cosigns_shape() -> None:
    theirs = golden("cosign-3.1-bundle")
    digest = theirs.resolve("one").digest
    ours = golden("sbom-only")
    key = PrivateKey.load((GOLDEN / "k1.key").read_bytes(), b"golden")
    (signed,) = sign.image(ours, ours.resolve("two"), key, formats=["bundle"])
    one = Manifest.parse(ours.fetch(signed.where))
    other = Manifest.parse(theirs.fetch(theirs.referrers(digest)[0]))
    assert set(json.loads(one.raw)) == set(json.loads(other.raw)) | {"mediaType"}
    assert one.artifact_type == other.artifact_type
    assert set(one.annotations) == set(other.annotations)
    assert shape(json.loads(ours.fetch(one.layers[0]))) == shape(json.loads(theirs.fetch(other.layers[0])))


def shape(value: object) -> object:
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    return [shape(inner) for inner in value] if isinstance(value, list) else type(value)


def test_signing_again_with_cosigns_key_file_adds_nothing_to_its_signatures() -> None:
    source = golden("cosign-2.5-sig")
    key = PrivateKey.load((GOLDEN / "k1.key").read_bytes(), b"golden")
    signed = sign.image(source, source.resolve("index"), key, formats=["legacy"])
    assert [one.new for one in signed] == [False] * 3


def test_a_signature_of_cosign_stays_when_we_sign() -> None:
    source = golden("cosign-2.5-sig")
    from tests.unit.sign.craft import key

    before = Manifest.parse(source.fetch(source.resolve(f"{source.resolve('one').digest.tag}.sig"))).layers
    sign.image(source, source.resolve("one"), key())
    after = Manifest.parse(source.fetch(source.resolve(f"{source.resolve('one').digest.tag}.sig"))).layers
    assert after[:2] == before
    for public in (K1, K2, key().public):
        assert "legacy" in believed(source, "one", public)


def test_the_index_holds_what_was_signed() -> None:
    source = golden("cosign-2.5-sig")
    top = source.resolve("index")
    digests = [one.digest for one in Index.parse(source.fetch(top)).manifests]
    assert digests == [source.resolve(tag).digest for tag in ("one", "two")]


def test_a_golden_signature_is_for_its_own_repository() -> None:
    source = golden("cosign-2.5-sig")
    found = source.resolve("one")
    other = place("127.0.0.1:5000/golden/other")
    other.__dict__.update({**source.__dict__, "repository": other.repository})
    with pytest.raises(VerificationError) as caught:
        believed(other, "one", K1)
    assert "another repository, '127.0.0.1:5000/golden/a'" in caught.value.reasons[0]
    assert found == other.resolve("one")
