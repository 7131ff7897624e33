"""The contract of `Source` and `Target`, to be run on every implementation, and images small enough to read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import DigestMismatch, ImageError, NotFound, UsageError
from bpfimg.oci import Descriptor, Digest, Index, Manifest, Platform
from tests.support import tars

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.oci import Target

CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
EMPTY = Descriptor.of(b"{}", "application/vnd.oci.empty.v1+json")
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"


@dataclass(frozen=True, slots=True)
class Image:
    """A manifest and its blobs."""

    manifest: Manifest
    blobs: tuple[tuple[Descriptor, bytes], ...]

    @property
    def descriptor(self) -> Descriptor:
        return self.manifest.descriptor

    def push(self, target: Target, tag: str | None = None) -> Descriptor:
        for descriptor, content in self.blobs:
            target.push(descriptor, content)
        target.push(self.descriptor, self.manifest.raw, tag=tag)
        return self.descriptor


def image(word: str = "one", architecture: str = "amd64") -> Image:
    """An image whose bytes depend on `word`."""
    config = b'{"architecture":"%s","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[]}}' % (
        architecture.encode()
    )
    layer = f"layer {word}".encode()
    blobs = ((Descriptor.of(config, CONFIG), config), (Descriptor.of(layer, LAYER), layer))
    return Image(Manifest.build(config=blobs[0][0], layers=[blobs[1][0]]), blobs)


def loadable(word: str = "one", architecture: str = "amd64") -> Image:
    """The same with a layer that an engine can unpack."""
    unpacked = tars.archive(tars.entry("xdp_pass.bpf.o", f"layer {word}".encode()))
    layer = tars.gzipped(unpacked)
    config = b'{"architecture":"%s","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["%s"]}}' % (
        architecture.encode(),
        str(Digest.of(unpacked)).encode(),
    )
    blobs = ((Descriptor.of(config, CONFIG), config), (Descriptor.of(layer, LAYER), layer))
    return Image(Manifest.build(config=blobs[0][0], layers=[blobs[1][0]]), blobs)


def referrer(subject: Descriptor, word: str = "evidence", kind: str = BUNDLE) -> Image:
    """An artifact about `subject`."""
    content = word.encode()
    blobs = ((EMPTY, b"{}"), (Descriptor.of(content, kind), content))
    manifest = Manifest.build(
        config=EMPTY, layers=[blobs[1][0]], subject=subject, artifact_type=kind, annotations={"word": word}
    )
    return Image(manifest, blobs)


def legacy_signature(*words: str) -> Image:
    """What cosign keeps under a `.sig` tag: each word is a signature, a layer."""
    layers = [
        (Descriptor.of(word.encode(), "application/vnd.dev.cosign.simplesigning.v1+json"), word) for word in words
    ]
    config = b'{"rootfs":{"type":"layers","diff_ids":[%s]}}' % ",".join(f'"{one.digest}"' for one, _ in layers).encode()
    blobs = ((Descriptor.of(config, CONFIG), config), *((one, word.encode()) for one, word in layers))
    return Image(Manifest.build(config=blobs[0][0], layers=[one for one, _ in layers]), blobs)


def index(*images: Image) -> Index:
    """An index of images for amd64, arm64, s390x."""
    names = ("amd64", "arm64", "s390x")
    entries = [
        Descriptor(
            one.descriptor.media_type, one.descriptor.digest, one.descriptor.size, platform=Platform("linux", name)
        )
        for one, name in zip(images, names, strict=False)
    ]
    return Index.build(entries)


class ContentContract:
    """What every place does, one that makes manifests of its own as well. Subclasses give the fixtures `target` and
    `reopened`: the same place, opened again."""

    #: how images are made
    image = staticmethod(image)

    def test_what_is_large_goes_in_pieces(self, target: Target, reopened: Target) -> None:
        content = bytes(range(256)) * 12_345
        layer = Descriptor.of(content, LAYER)
        opened = []

        def pieces() -> Iterator[bytes]:
            opened.append(1)
            for at in range(0, len(content), 65_537):
                yield content[at : at + 65_537]

        target.push_stream(layer, pieces)
        assert opened
        found = list(target.stream(layer))
        assert b"".join(found) == content
        assert max(map(len, found)) <= 1 << 20
        assert b"".join(target.stream(layer)) == target.fetch(layer)
        target.push_stream(layer, pieces)  # again is the same

    def test_pieces_that_are_something_else_are_not_stored(self, target: Target) -> None:
        layer = Descriptor.of(b"right", LAYER)
        for wrong in (b"wrong", b"right and more", b"rig"):
            with pytest.raises(DigestMismatch):
                target.push_stream(layer, lambda wrong=wrong: iter([wrong[:2], wrong[2:]]))  # type: ignore[misc]
        assert not target.exists(layer)
        with pytest.raises(NotFound):
            b"".join(target.stream(layer))

    def test_nothing_there_is_not_found(self, target: Target) -> None:
        with pytest.raises(NotFound):
            target.resolve("v1")
        self.image("one").push(target, "v1")
        with pytest.raises(NotFound):
            target.resolve("v2")
        with pytest.raises(NotFound):
            target.resolve(Digest.of(b"no such thing"))
        with pytest.raises(NotFound):
            target.fetch(Descriptor.of(b"no such layer", LAYER))
        with pytest.raises(NotFound):
            target.fetch(self.image("two").descriptor)
        with pytest.raises(NotFound):
            target.tag(self.image("two").descriptor, "v2")

    def test_only_what_the_descriptor_says_is_pushed(self, target: Target) -> None:
        right = Descriptor.of(b"right", LAYER)
        with pytest.raises(DigestMismatch):
            target.push(right, b"wrong")
        with pytest.raises(DigestMismatch):
            target.push(Descriptor(LAYER, right.digest, 4), b"right")
        assert not target.exists(right)

    def test_a_manifest_comes_after_its_parts(self, target: Target) -> None:
        one = self.image()
        with pytest.raises(NotFound):
            target.push(one.descriptor, one.manifest.raw)

    def test_exists(self, target: Target) -> None:
        one = self.image()
        assert not target.exists(one.blobs[0][0])
        assert not target.exists(one.descriptor)
        one.push(target)
        assert target.exists(one.blobs[0][0])
        assert target.exists(one.descriptor)

    def test_too_much_is_refused_before_it_is_read(self, target: Target) -> None:
        self.image().push(target)
        layer = self.image().blobs[1][0]
        with pytest.raises(ImageError, match="at most 3"):
            target.fetch(layer, limit=3)
        with pytest.raises(ImageError, match="at most"):
            target.fetch(Descriptor(self.image().manifest.media_type, layer.digest, (4 << 20) + 1))

    def test_a_size_that_lies_is_a_mismatch(self, target: Target) -> None:
        self.image().push(target)
        layer = self.image().blobs[1][0]
        for size in (layer.size - 1, layer.size + 1):
            with pytest.raises(DigestMismatch):
                target.fetch(Descriptor(layer.media_type, layer.digest, size))

    @pytest.mark.parametrize("tag", ["", "-v1", "a b", "../x", "v1\n", "x" * 129])
    def test_what_is_no_tag(self, target: Target, tag: str) -> None:
        self.image().push(target)
        with pytest.raises(UsageError):
            target.tag(self.image().descriptor, tag)
        with pytest.raises(UsageError):
            target.resolve(tag)


class TargetContract(ContentContract):
    """All that a `Target` promises: what was pushed is what is there, with what is said about it."""

    def test_what_was_pushed_comes_back(self, target: Target, reopened: Target) -> None:
        one = self.image()
        one.push(target, "v1")
        for place in (target, reopened):
            found = place.resolve("v1")
            assert found == one.descriptor
            assert place.resolve(one.descriptor.digest) == one.descriptor
            assert place.fetch(found) == one.manifest.raw
            for descriptor, content in one.blobs:
                assert place.fetch(descriptor) == content

    def test_a_tag_moves(self, target: Target, reopened: Target) -> None:
        self.image("one").push(target, "v1")
        self.image("two").push(target, "v1")
        assert reopened.resolve("v1") == self.image("two").descriptor
        target.tag(self.image("one").descriptor, "v1")
        assert target.resolve("v1") == self.image("one").descriptor

    def test_pushing_again_changes_nothing(self, target: Target) -> None:
        for _ in range(2):
            assert self.image().push(target, "v1") == target.resolve("v1")

    def test_an_index_keeps_its_children(self, target: Target, reopened: Target) -> None:
        images = self.image("one", "amd64"), self.image("two", "arm64")
        for one in images:
            one.push(target)
        both = index(*images)
        target.push(both.descriptor, both.raw, tag="multi")
        found = Index.parse(reopened.fetch(reopened.resolve("multi")))
        child = found.select(Platform.parse("linux/arm64"))
        assert Manifest.parse(reopened.fetch(child)) == images[1].manifest
        assert reopened.resolve(child.digest).media_type == child.media_type

    def test_referrers(self, target: Target, reopened: Target) -> None:
        one, other = self.image("one"), self.image("two")
        one.push(target, "v1")
        other.push(target, "v2")
        assert target.referrers(one.descriptor.digest) == ()
        evidence = [referrer(one.descriptor, word) for word in ("first", "second")]
        for each in evidence:
            each.push(target)
            each.push(target)  # once is enough, twice is the same
        found = reopened.referrers(one.descriptor.digest)
        assert {entry.digest for entry in found} == {each.descriptor.digest for each in evidence}
        assert {entry.artifact_type for entry in found} == {BUNDLE}
        assert {entry.annotations["word"] for entry in found} == {"first", "second"}
        for entry in found:
            assert Manifest.parse(reopened.fetch(entry)).subject == one.descriptor
        assert reopened.referrers(other.descriptor.digest) == ()
        assert reopened.resolve("v1") == one.descriptor

    def test_a_referrer_may_come_before_its_subject(self, target: Target) -> None:
        one = self.image()
        referrer(one.descriptor).push(target)
        one.push(target, "v1")
        assert [entry.digest for entry in target.referrers(one.descriptor.digest)] == [
            referrer(one.descriptor).descriptor.digest
        ]

    def test_a_referrer_cannot_name_itself(self, target: Target) -> None:
        """An annotation of a manifest is nobody's tag."""
        self.image("one").push(target, "v1")
        name = f"{target.repository}:v1"
        claim = Manifest.build(
            config=EMPTY,
            layers=[EMPTY],
            subject=self.image("one").descriptor,
            artifact_type=BUNDLE,
            annotations={"org.opencontainers.image.ref.name": name},
        )
        target.push(EMPTY, b"{}")
        target.push(claim.descriptor, claim.raw)
        assert target.resolve("v1") == self.image("one").descriptor
        assert len(target.referrers(self.image("one").descriptor.digest)) == 1

    def test_cosign_tags_are_tags(self, target: Target, reopened: Target) -> None:
        tag = self.image().descriptor.digest.tag + ".sig"
        with pytest.raises(NotFound):
            target.resolve(tag)
        legacy_signature("one").push(target, tag)
        assert Manifest.parse(reopened.fetch(reopened.resolve(tag))) == legacy_signature("one").manifest

    def test_the_lock_can_be_entered_again(self, target: Target) -> None:
        with target.lock(), target.lock():
            self.image().push(target, "v1")
        assert target.resolve("v1") == self.image().descriptor
