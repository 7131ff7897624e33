"""Copy: digests stay, signatures come along, and a copy that is cut short is never taken for a whole one."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import DigestMismatch, Error, ImageError, NotFound
from bpfimg.oci import Descriptor, Index, Layout, Manifest, Memory, Platform, Repository, copy, places
from tests.support.targets import EMPTY, image, index, legacy_signature, referrer

if TYPE_CHECKING:
    from pathlib import Path

    from bpfimg.oci import Digest, Target

HERE = Repository("registry.test", "acme/xdp")
THERE = Repository("mirror.test", "acme/xdp")


@pytest.fixture(params=["memory", "layout"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Target:
    return Memory(THERE) if request.param == "memory" else Layout(str(tmp_path / "store"), THERE)


@pytest.fixture
def source() -> Memory:
    return Memory(HERE)


def signed(source: Target) -> Index:
    """An index `multi` of two images; index and first child signed in both forms, a signature itself attested."""
    images = image("one", "amd64"), image("two", "arm64")
    for one in images:
        one.push(source)
    both = index(*images)
    source.push(both.descriptor, both.raw, tag="multi")
    for subject in (both.descriptor, images[0].descriptor):
        evidence = referrer(subject, f"packages of {subject.digest}", "application/spdx+json")
        evidence.push(source)
        referrer(evidence.descriptor, f"about {evidence.descriptor.digest}").push(source)
        legacy_signature(f"payload of {subject.digest}").push(source, subject.digest.tag + ".sig")
    return both


def test_an_image_arrives_whole(source: Memory, target: Target) -> None:
    image().push(source, "v1")
    assert copy(source, "v1", target, "v2") == image().descriptor == target.resolve("v2")
    assert target.fetch(image().blobs[1][0]) == image().blobs[1][1]


def test_by_digest_and_without_a_name(source: Memory, target: Target) -> None:
    image().push(source, "v1")
    copy(source, image().descriptor.digest, target, None)
    assert target.resolve(image().descriptor.digest) == image().descriptor
    with pytest.raises(NotFound):
        target.resolve("v1")


def test_signatures_of_index_and_children_come_along(source: Memory, target: Target) -> None:
    both = signed(source)
    assert copy(source, "multi", target, "multi") == both.descriptor
    for subject in (both.descriptor, image("one", "amd64").descriptor):
        (packages,) = target.referrers(subject.digest)
        assert target.fetch(packages) == source.fetch(packages)
        assert len(target.referrers(packages.digest)) == 1
        tag = subject.digest.tag + ".sig"
        assert target.fetch(target.resolve(tag)) == source.fetch(source.resolve(tag))
    assert target.referrers(image("two", "arm64").descriptor.digest) == ()


def test_nobody_signs_signatures(source: Memory, target: Target) -> None:
    """So nobody asks the registry who did: it would cost every pull four requests for each bundle."""
    image().push(source, "v1")
    bundle = referrer(image().descriptor)
    bundle.push(source)
    referrer(bundle.descriptor, "about a signature").push(source)
    copy(source, "v1", target, "v1")
    assert [entry.digest for entry in target.referrers(image().descriptor.digest)] == [bundle.descriptor.digest]
    assert target.referrers(bundle.descriptor.digest) == ()


def test_signatures_stay_behind_when_asked_to(source: Memory, target: Target) -> None:
    both = signed(source)
    copy(source, "multi", target, "multi", referrers=False)
    assert target.referrers(both.descriptor.digest) == ()


def test_one_platform_of_an_index(source: Memory, tmp_path: Path) -> None:
    both = signed(source)
    store = Layout(str(tmp_path / "store"), THERE)
    assert copy(source, "multi", store, "multi", platform=Platform.parse("linux/amd64")) == both.descriptor
    assert Index.parse(store.fetch(store.resolve("multi"))) == both
    assert store.exists(image("one", "amd64").descriptor)
    assert not store.exists(image("two", "arm64").descriptor)
    assert len(store.referrers(both.descriptor.digest)) == 1
    with pytest.raises(NotFound, match="linux/s390x, only for 'linux/amd64, linux/arm64'"):
        copy(source, "multi", store, "multi", platform=Platform.parse("linux/s390x"))


def test_signatures_on_both_sides_are_kept(source: Memory, target: Target) -> None:
    for place in (source, target):
        image().push(place, "v1")
    tag = image().descriptor.digest.tag + ".sig"
    legacy_signature("ours", "shared").push(source, tag)
    legacy_signature("shared", "theirs").push(target, tag)
    copy(source, "v1", target, "v1")
    merged = Manifest.parse(target.fetch(target.resolve(tag)))
    assert {target.fetch(layer) for layer in merged.layers} == {b"ours", b"shared", b"theirs"}
    config = target.fetch(merged.config)
    assert all(str(layer.digest).encode() in config for layer in merged.layers)
    before = target.resolve(tag)
    copy(source, "v1", target, "v1")
    assert target.resolve(tag) == before


def test_more_signatures_replace_fewer(source: Memory, target: Target) -> None:
    for place in (source, target):
        image().push(place, "v1")
    tag = image().descriptor.digest.tag + ".sig"
    legacy_signature("one").push(target, tag)
    legacy_signature("one", "two").push(source, tag)
    copy(source, "v1", target, "v1")
    assert target.fetch(target.resolve(tag)) == legacy_signature("one", "two").manifest.raw


class Junk(Memory):
    """A source whose list of referrers anybody may write to."""

    junk: tuple[Descriptor, ...] = ()

    def referrers(self, digest: Digest) -> tuple[Descriptor, ...]:
        return (*self.junk, *super().referrers(digest))


def test_junk_among_the_referrers_hides_nothing(target: Target) -> None:
    source = Junk(HERE)
    one, other = image("one"), image("two")
    one.push(source, "v1")
    other.push(source)
    evidence = referrer(one.descriptor)
    evidence.push(source)
    astray = referrer(other.descriptor, "about another image")
    astray.push(source)
    strange = b"not a manifest"
    source.push(Descriptor.of(strange, "text/plain"), strange)
    lying = Descriptor(evidence.descriptor.media_type, Descriptor.of(strange, "text/plain").digest, len(strange))
    source.junk = (referrer(other.descriptor, "gone").descriptor, other.descriptor, astray.descriptor, lying)
    copy(source, "v1", target, "v1")
    assert [entry.digest for entry in target.referrers(one.descriptor.digest)] == [evidence.descriptor.digest]
    assert not target.exists(astray.descriptor)
    assert not target.exists(other.descriptor)


def test_too_many_referrers_are_refused(source: Memory, target: Target) -> None:
    image().push(source, "v1")
    for number in range(65):
        referrer(image().descriptor, str(number)).push(source)
    with pytest.raises(ImageError, match="65 referrers, expected at most 64"):
        copy(source, "v1", target, "v1")
    with pytest.raises(NotFound):
        target.resolve("v1")


def test_nested_indexes_end_somewhere(source: Memory, target: Target) -> None:
    image().push(source)
    document = index(image())
    for _ in range(3):
        source.push(document.descriptor, document.raw, tag="deep")
        document = Index.build([document.descriptor])
    with pytest.raises(ImageError, match="nested deeper than 2"):
        copy(source, "deep", target, "deep")


class Failing(Memory):
    """A target that takes so many pushes and then no more."""

    left = 0

    def push(self, descriptor: Descriptor, data: bytes, *, tag: str | None = None) -> None:
        if not self.left:
            raise Error("full")
        self.left -= 1
        super().push(descriptor, data, tag=tag)


def test_a_copy_cut_short_leaves_no_name(source: Memory) -> None:
    """At whichever step it ends: no tag before everything is there, signatures included."""
    both = signed(source)
    for pushes in count():
        target = Failing(THERE)
        target.left = pushes
        try:
            copy(source, "multi", target, "multi")
        except Error:
            with pytest.raises(NotFound):
                target.resolve("multi")
        else:
            break
    assert pushes > 10
    assert len(target.referrers(both.descriptor.digest)) == 1


class Altered(Memory):
    """A source that breaks its promise to check what it reads."""

    def fetch(self, descriptor: Descriptor, *, limit: int = 0) -> bytes:
        content = super().fetch(descriptor)
        return content if descriptor.is_document or descriptor == EMPTY else content[:-1] + b"?"


def test_the_target_checks_too(target: Target) -> None:
    source = Altered(HERE)
    image().push(source, "v1")
    with pytest.raises(DigestMismatch):
        copy(source, "v1", target, "v1")


def test_a_lock_is_not_held_while_a_registry_answers(source: Memory, tmp_path: Path) -> None:
    target = Layout(str(tmp_path / "store"), THERE)
    signed(source)
    legacy_signature("of the target").push(
        target, index(image("one"), image("two", "arm64")).descriptor.digest.tag + ".sig"
    )

    def nobody_holds_it() -> None:
        with Layout(target.path, THERE, lock_timeout=0).lock():
            pass

    class Watching(Memory):
        def fetch(self, descriptor: Descriptor, *, limit: int = 1 << 26) -> bytes:
            nobody_holds_it()
            return source.fetch(descriptor, limit=limit)

        def resolve(self, selector: str | Digest) -> Descriptor:
            nobody_holds_it()
            return source.resolve(selector)

        def referrers(self, digest: Digest) -> tuple[Descriptor, ...]:
            nobody_holds_it()
            return source.referrers(digest)

    copy(Watching(HERE), "multi", target, "multi")
    tag = image("one", "amd64").descriptor.digest.tag + ".sig"
    assert target.resolve(tag) == source.resolve(tag)


def test_all_together_has_a_bound(source: Memory, target: Target) -> None:
    subject = image().push(source, "v1")
    for word in ("a" * 600, "b" * 600):
        referrer(subject, word, "application/spdx+json").push(source)
    for limits, said in (
        (places.Limits(copy=1000), "over 1000 bytes"),
        (places.Limits(copy_parts=5), "over 5 parts"),
        (places.Limits(blob=1000), "over 1000 bytes"),
        (places.Limits(evidence=1), "2 signatures and other referrers"),
    ):
        with pytest.raises(ImageError, match=said):
            copy(source, "v1", target, "v1", limits=limits)
        with pytest.raises(NotFound):
            target.resolve("v1")
    copy(source, "v1", target, "v1")
    assert len(target.referrers(subject.digest)) == 2


def test_of_an_artifact_one_part_is_in_memory_at_a_time(source: Memory, tmp_path: Path) -> None:
    subject = image().push(source, "v1")
    blobs = [(Descriptor.of(word, "application/spdx+json"), word) for word in (b"one", b"two", b"three")]
    for each, content in [(EMPTY, b"{}"), *blobs]:
        source.push(each, content)
    listing = Manifest.build(config=EMPTY, layers=[each for each, _ in blobs], subject=subject)
    source.push(listing.descriptor, listing.raw)
    events: list[tuple[str, str]] = []

    class From(Memory):
        def fetch(self, descriptor: Descriptor, *, limit: int = 1 << 26) -> bytes:
            events.append(("read", descriptor.media_type))
            return source.fetch(descriptor, limit=limit)

        resolve = source.resolve
        referrers = source.referrers

    class To(Memory):
        def push(self, descriptor: Descriptor, data: bytes, *, tag: str | None = None) -> None:
            events.append(("write", descriptor.media_type))
            super().push(descriptor, data, tag=tag)

    copy(From(HERE), "v1", To(THERE), "v1")
    assert [word for word, kind in events if kind == "application/spdx+json"] == ["read", "write"] * 3
