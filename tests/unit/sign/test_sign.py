"""Signing: both formats, whole indexes, nothing twice, nobody else's signature lost."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bpfimg import sign
from bpfimg.errors import DigestMismatch, ImageError, NotFound, RegistryError, UsageError
from bpfimg.oci import Descriptor, Digest, Index, Manifest, Memory
from bpfimg.sign import verify
from tests.support.targets import image, index
from tests.unit.sign.craft import (
    REPOSITORY,
    dumps,
    key,
    layer,
    place,
    pushed,
    put_bundle,
    put_legacy,
    raw_sign,
    reference,
    signed_layer,
    trusting,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]


def legacy_of(target: Memory, digest: Digest) -> Manifest:
    return Manifest.parse(target.fetch(target.resolve(f"{digest.tag}.sig")))


def test_what_is_signed_is_believed_in_both_formats() -> None:
    target = place()
    found = pushed(target)
    signed = sign.image(target, found, key())
    assert [(one.format, one.new, one.descriptor) for one in signed] == [
        ("legacy", True, found),
        ("bundle", True, found),
    ]
    proof = verify(target, reference(), found, trusting(identity="repository"), thorough=True)
    assert [one.format for one in proof.signers] == ["legacy", "bundle"]
    assert signed[0].where == target.resolve(f"{found.digest.tag}.sig")
    assert [one.digest for one in target.referrers(found.digest)] == [signed[1].where.digest]


@pytest.mark.parametrize("formats", [["bundle"], ["legacy"], {"legacy", "bundle"}])
def test_formats(formats: Any) -> None:
    target = place()
    found = pushed(target)
    assert {one.format for one in sign.image(target, found, key(), formats=formats)} == set(formats)
    assert {one.format for one in verify(target, reference(), found, trusting(), thorough=True).signers} == set(formats)


@pytest.mark.parametrize("formats", [[], ["sig"], ["bundle", "x"]])
def test_unknown_formats(formats: list[str]) -> None:
    target = place()
    with pytest.raises(UsageError, match="expected bundle or legacy"):
        sign.image(target, pushed(target), key(), formats=formats)


def test_signing_twice_changes_nothing() -> None:
    target = place()
    found = pushed(target)
    first = sign.image(target, found, key())
    before = dict(target._content)
    second = sign.image(target, found, key())
    assert [one.new for one in second] == [False, False]
    assert [one.where.digest for one in second] == [one.where.digest for one in first]
    assert target._content == before


def test_another_key_or_another_claim_adds_one() -> None:
    target = place()
    found = pushed(target)
    sign.image(target, found, key())
    assert [one.new for one in sign.image(target, found, key("bob"))] == [True, True]
    assert [one.new for one in sign.image(target, found, key(), annotations={"a": "b"})] == [True, True]
    assert len(legacy_of(target, found.digest).layers) == 3
    assert len(target.referrers(found.digest)) == 3
    assert [one.new for one in sign.image(target, found, key(), annotations={"a": "b"})] == [False, False]


def test_an_index_is_signed_with_what_it_lists() -> None:
    target = place()
    one, two = image("one"), image("two", "arm64")
    one.push(target)
    two.push(target)
    top = index(one, two)
    target.push(top.descriptor, top.raw, tag="v1")
    signed = sign.image(target, top.descriptor, key())
    digests = [one.descriptor.digest, two.descriptor.digest, top.descriptor.digest]
    assert [each.descriptor.digest for each in signed] == [digest for digest in digests for _ in range(2)]
    for descriptor in (one.descriptor, two.descriptor, top.descriptor):
        assert len(verify(target, reference(), descriptor, trusting(), thorough=True).signers) == 2
    other = place()
    one.push(other)
    two.push(other)
    other.push(top.descriptor, top.raw)
    assert len(sign.image(other, top.descriptor, key(), recursive=False)) == 2


def test_an_image_for_two_platforms_is_signed_once() -> None:
    target = place()
    one = image("one")
    one.push(target)
    top = index(one, one)
    target.push(top.descriptor, top.raw)
    assert len(sign.image(target, top.descriptor, key())) == 4


def test_images_that_the_store_lacks_are_signed_by_their_digest() -> None:
    target = place()
    top = index(image("one"), image("two"))
    target.push(top.descriptor, top.raw)
    assert len(sign.image(target, top.descriptor, key())) == 6
    assert verify(target, reference(), image("two").descriptor, trusting())


def test_indexes_nest_two_deep_and_no_deeper() -> None:
    target = place()
    image("one").push(target)
    top = index(image("one"))
    for depth in range(1, 4):
        target.push(top.descriptor, top.raw)
        if depth < 3:
            assert len(sign.image(target, top.descriptor, key(), formats=["bundle"])) == depth + 1
        top = Index.build([top.descriptor])
    target.push(top.descriptor, top.raw)
    with pytest.raises(ImageError, match="nested"):
        sign.image(target, top.descriptor, key())


def test_claims_are_signed() -> None:
    target = place()
    found = pushed(target)
    sign.image(target, found, key(), annotations={"b": "2", "a": "ä"})
    payload = json.loads(target.fetch(legacy_of(target, found.digest).layers[0]))
    assert payload["optional"] == {"a": "ä", "b": "2"}
    manifest = Manifest.parse(target.fetch(target.referrers(found.digest)[0]))
    envelope = json.loads(target.fetch(manifest.layers[0]))["dsseEnvelope"]
    (subject,) = json.loads(base64.b64decode(envelope["payload"]))["subject"]
    assert subject == {"name": REPOSITORY, "digest": {"sha256": found.digest.hex}, "annotations": {"a": "ä", "b": "2"}}
    assert verify(target, reference(), found, trusting())


def test_the_bundle_has_a_date_that_can_be_fixed() -> None:
    target = place()
    found = pushed(target)
    sign.image(target, found, key(), formats=["bundle"], created=0)
    manifest = Manifest.parse(target.fetch(target.referrers(found.digest)[0]))
    assert manifest.annotations["org.opencontainers.image.created"] == "1970-01-01T00:00:00Z"


def test_docker_hub_is_signed_under_cosigns_name() -> None:
    target = place("docker.io/library/nginx")
    found = pushed(target)
    sign.image(target, found, key())
    payload = json.loads(target.fetch(legacy_of(target, found.digest).layers[0]))
    assert payload["critical"]["identity"]["docker-reference"] == "index.docker.io/library/nginx"
    from tests.unit.sign.craft import policy

    strict = policy([{"scope": "docker.io/nginx", "requireAny": ["alice"], "identity": "repository"}])
    assert len(verify(target, reference("nginx"), found, strict, thorough=True).signers) == 2


def test_what_is_not_there_or_no_image_is_not_signed() -> None:
    target = place()
    with pytest.raises(NotFound):
        sign.image(target, image("one").descriptor, key())
    found = pushed(target)
    with pytest.raises(DigestMismatch):
        sign.image(target, Descriptor(found.media_type, found.digest, found.size + 1), key())
    with pytest.raises(ImageError):
        sign.image(target, image("one").blobs[1][0], key())
    with pytest.raises(NotFound):
        target.resolve(f"{found.digest.tag}.sig")


def test_other_peoples_signatures_stay() -> None:
    target = place()
    found = pushed(target)
    theirs = signed_layer(found.digest, "bob")
    put_legacy(target, found.digest, theirs, layer(b"junk", b"junk"))
    sign.image(target, found, key())
    layers = legacy_of(target, found.digest).layers
    assert len(layers) == 3
    assert layers[0].annotations == theirs[1]
    config = json.loads(target.fetch(legacy_of(target, found.digest).config))
    assert config["rootfs"]["diff_ids"] == [str(one.digest) for one in layers]
    assert len(config["history"]) == 3
    assert verify(target, reference(), found, trusting("bob"))
    assert verify(target, reference(), found, trusting("alice"))


def test_a_signature_that_is_not_ours_does_not_count_as_ours() -> None:
    """The right payload, but signed by another key, or with a broken signature."""
    target = place()
    found = pushed(target)
    data, _, _ = signed_layer(found.digest)
    good = raw_sign(key(), data)
    put_legacy(
        target,
        found.digest,
        signed_layer(found.digest, "bob"),
        layer(data, b""),
        (data, {}, "text/plain"),
        layer(b"another payload", good),
    )
    assert [one.new for one in sign.image(target, found, key())] == [True, True]


def test_junk_referrers_are_passed_over() -> None:
    target = place()
    found = pushed(target)
    put_bundle(target, found, b"junk")
    sign.image(target, found, key())
    assert verify(target, reference(), found, trusting(formats=["bundle"]))


def test_a_signature_that_nobody_would_read_is_not_written() -> None:
    target = place()
    found = pushed(target)
    put_legacy(target, found.digest, *(layer(dumps(number), b"") for number in range(64)))
    with pytest.raises(ImageError, match="has 64 signatures, expected room for one more"):
        sign.image(target, found, key())


class Raced(Memory):
    """Somebody else overwrites the `.sig` tag right after we wrote it, `times` times."""

    def __init__(self, times: int) -> None:
        super().__init__(place().repository)
        self.times = times
        self.locked = 0

    @contextmanager
    def lock(self) -> Iterator[None]:  # type: ignore[override]
        self.locked += 1
        yield

    def push(self, descriptor: Descriptor, data: bytes, *, tag: str | None = None) -> None:
        super().push(descriptor, data, tag=tag)
        if tag and tag.endswith(".sig") and self.times:
            left, self.times = self.times - 1, 0
            digest = Digest("sha256", tag[7:71])
            put_legacy(self, digest, signed_layer(digest, f"bob-{left}"))
            self.times = left


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    waits: list[int] = []
    monkeypatch.setattr("bpfimg.sign._stored._wait", waits.append)
    return waits


def test_a_lost_write_is_noticed_and_repeated(no_waiting: list[int]) -> None:
    target = Raced(0)
    found = pushed(target)
    target.times = 2
    (signed, _) = sign.image(target, found, key())
    assert signed.new
    assert verify(target, reference(), found, trusting())
    assert verify(target, reference(), found, trusting("bob-0"))
    assert target.locked >= 3
    assert no_waiting


def test_losing_again_and_again_is_an_error(no_waiting: list[int]) -> None:
    target = Raced(0)
    found = pushed(target)
    target.times = 1000
    with pytest.raises(RegistryError, match="was overwritten 8 times"):
        sign.image(target, found, key(), formats=["legacy"])


def test_a_longer_digest_takes_a_bundle_only() -> None:
    target = place()
    raw = image("one").manifest.raw
    image("one").push(target)
    wide = Descriptor(image("one").descriptor.media_type, Digest.of(raw, "sha512"), len(raw))
    target.push(wide, raw)
    with pytest.raises(UsageError, match="expected a sha256 digest"):
        sign.image(target, wide, key())
    sign.image(target, wide, key(), formats=["bundle"])
    assert verify(target, reference(), wide, trusting())


def test_signing_with_a_key_imports_nothing_of_services() -> None:
    """Nor what parses certificates: who has a key needs none of it."""
    probe = """
import sys
from bpfimg import sign
from bpfimg.oci import Memory, Repository
from tests.support.targets import image
from tests.unit.sign.craft import key
target = Memory(Repository.parse("registry.example/app"))
known = set(sys.modules)  # the test's own are in
sign.image(target, image("one").push(target, "v1"), key())
sign.attest(target, image("one").descriptor, key(), predicate_type="custom", predicate=b"{}")
print(*sorted(set(sys.modules) - known))
"""
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True)
    heavy = ("cryptography.x509", "rfc3161_client", "sigstore", "requests", "urllib3", "bpfimg.sign._services.")
    assert [name for name in done.stdout.split() if name.startswith(heavy)] == []
    assert "bpfimg.sign._attest" in done.stdout
