"""Writing from several threads changes how long a copy takes, not what it leaves behind when it is cut short."""

from __future__ import annotations

import threading
import tracemalloc
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import DigestMismatch, Error, ImageError, NotFound
from bpfimg.oci import Descriptor, Index, Layout, Manifest, Memory, Platform, Repository, copy, places
from tests.support.targets import CONFIG, EMPTY, LAYER, Image, image, index, legacy_signature, referrer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bpfimg.oci import Digest, Source

HERE = Repository("registry.test", "acme/xdp")
THERE = Repository("mirror.test", "acme/xdp")
LARGE = 5 << 20


class Strict(Memory):
    """A target for several threads that is as strict about order as the strictest registry: an index comes after its
    children, a referrer after its subject. Writes down what it is given, and how many give at once."""

    at_once = 8

    def __init__(self, fail: int = -1) -> None:
        super().__init__(THERE)
        self.given: list[Descriptor] = []
        self.streamed: list[Descriptor] = []
        self.together = 0
        self._now = 0
        self._left = fail
        self._mutex = threading.Condition()

    def push(self, descriptor: Descriptor, data: bytes, *, tag: str | None = None) -> None:
        with self._mutex:
            self._now += 1
            self.together = max(self.together, self._now)
            self._mutex.notify_all()
            # let others come, should there be any
            self._mutex.wait_for(lambda: self.together > 1, timeout=0.05)
            try:
                self._check(descriptor, data)
                super().push(descriptor, data, tag=tag)
                self.given.append(descriptor)
            finally:
                self._now -= 1

    def push_stream(self, descriptor: Descriptor, content: Callable[[], Iterator[bytes]]) -> None:
        self.streamed.append(descriptor)
        super().push_stream(descriptor, content)

    def _check(self, descriptor: Descriptor, data: bytes) -> None:
        if self._left == 0:
            raise Error("full")
        self._left -= 1
        if not descriptor.is_document:
            return
        document = read(data, descriptor)
        if isinstance(document, Index):
            assert all(self.exists(child) for child in document.manifests), "an index before its children"
        if document.subject is not None:
            assert document.subject.digest in self._documents, "a referrer before its subject"


def read(data: bytes, descriptor: Descriptor) -> Manifest | Index:
    from bpfimg.oci import parse_document

    return parse_document(data, descriptor.media_type)


def suite(source: Memory) -> Index:
    """An index in an index, shared layers, signatures of everything, and an SBOM with a signature of its own."""
    images = [image(word, name) for word, name in (("one", "amd64"), ("two", "arm64"), ("one", "s390x"))]
    for each in images:
        each.push(source)
    inner = index(*images)
    source.push(inner.descriptor, inner.raw)
    outer = Index.build([inner.descriptor, *inner.manifests])
    source.push(outer.descriptor, outer.raw, tag="suite")
    for number, subject in enumerate((outer.descriptor, inner.descriptor, *(each.descriptor for each in images))):
        sbom = referrer(subject, f"packages {number}", "application/spdx+json")
        sbom.push(source)
        referrer(sbom.descriptor, f"signature {number}").push(source)
        legacy_signature(f"signature {number}").push(source, subject.digest.tag + ".sig")
    return outer


def test_everything_arrives_in_order_from_several_threads() -> None:
    source, target = Memory(HERE), Strict()
    outer = suite(source)
    assert copy(source, "suite", target, "suite") == outer.descriptor == target.resolve("suite")
    assert target.together > 1
    for digest in list(source._documents):
        assert {each.digest for each in target.referrers(digest)} == {each.digest for each in source.referrers(digest)}
    assert target._content == source._content
    assert target.resolve(outer.descriptor.digest.tag + ".sig")
    blobs = [each.digest for each in target.given if not each.is_document]
    assert len(blobs) == len(set(blobs))  # each once


def test_cut_short_anywhere_it_has_no_name() -> None:
    source = Memory(HERE)
    suite(source)
    for pushes in range(100):
        target = Strict(fail=pushes)
        try:
            copy(source, "suite", target, "suite")
        except Error:
            with pytest.raises(NotFound):
                target.resolve("suite")
        else:
            break
    assert 30 < pushes < 99
    assert not [thread for thread in threading.enumerate() if "ThreadPool" in thread.name]


def test_at_once_is_a_bound() -> None:
    source, target = Memory(HERE), Strict()
    suite(source)
    copy(source, "suite", target, "suite", at_once=1)
    assert target.together == 1


def large(word: bytes = b"x") -> Image:
    config = b'{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[]}}'
    layer = word * LARGE
    blobs = (Descriptor.of(config, CONFIG), config), (Descriptor.of(layer, LAYER), layer)
    return Image(Manifest.build(config=blobs[0][0], layers=[blobs[1][0]]), blobs)


class Streaming(Memory):
    """A source that gives large blobs in pieces only."""

    at_once = 8

    def fetch(self, descriptor: Descriptor, *, limit: int = 1 << 26) -> bytes:
        assert descriptor.size < LARGE, "a large blob as a whole"
        return super().fetch(descriptor, limit=limit)

    def stream(self, descriptor: Descriptor) -> Iterator[bytes]:
        content = memoryview(self._content[descriptor.digest])
        for at in range(0, len(content), 1 << 16):
            yield bytes(content[at : at + (1 << 16)])


@pytest.mark.parametrize("threads", [1, 8])
def test_what_is_large_is_never_in_memory(threads: int, tmp_path: Path) -> None:
    source = Streaming(HERE)
    source.at_once = threads
    large().push(source, "v1")
    target = Layout(str(tmp_path / "store"), THERE)
    tracemalloc.start()
    try:
        copy(source, "v1", target, "v1")
        assert tracemalloc.get_traced_memory()[1] < LARGE // 2
    finally:
        tracemalloc.stop()
    assert target.resolve("v1") == large().descriptor


class Watcher:
    """A progress that keeps books."""

    def __init__(self) -> None:
        self.expected: dict[Digest, int] = {}
        self.moves: dict[Digest, int] = {}
        self.how: dict[Digest, str] = {}
        self.negative = 0

    def expect(self, descriptor: Descriptor) -> None:
        assert descriptor.digest not in self.expected
        self.expected[descriptor.digest] = descriptor.size

    def moved(self, descriptor: Descriptor, count: int) -> None:
        self.negative += count < 0
        self.moves[descriptor.digest] = self.moves.get(descriptor.digest, 0) + count

    def done(self, descriptor: Descriptor, how: str) -> None:
        self.how[descriptor.digest] = how


def test_a_watcher_hears_of_every_blob(tmp_path: Path) -> None:
    source = Memory(HERE)
    large().push(source, "v1")
    referrer(large().descriptor).push(source)
    for place, how in ((Strict(), "copied"), (Layout(str(tmp_path / "a"), THERE), "copied")):
        watcher = Watcher()
        copy(source, "v1", place, "v1", progress=watcher)
        assert watcher.expected == watcher.moves
        assert set(watcher.how.values()) == {how}
        again = Watcher()
        copy(source, "v1", place, "v1", progress=again)
        assert again.moves == {}
        assert again.how.keys() == again.expected.keys() == watcher.expected.keys()
        assert set(again.how.values()) == {"there"}


class Doubtful(Strict):
    """A target that wants large content twice, as a registry whose session was lost."""

    def push_stream(self, descriptor: Descriptor, content: Callable[[], Iterator[bytes]]) -> None:
        for _ in zip(range(3), content(), strict=False):
            pass
        super().push_stream(descriptor, content)


def test_an_upload_that_begins_anew_is_counted_once() -> None:
    source, watcher = Memory(HERE), Watcher()
    large().push(source, "v1")
    copy(source, "v1", Doubtful(), "v1", progress=watcher)
    assert watcher.negative == 1
    assert watcher.expected == watcher.moves


class Adopting(Strict):
    """A target that takes over what it is told to."""

    def adopt(self, descriptor: Descriptor, source: Source) -> bool:
        with suppress(NotFound):
            super().push(descriptor, b"".join(source.stream(descriptor)))
            return True
        return False


def test_what_is_taken_over_does_not_move() -> None:
    class Silent(Memory):
        def fetch(self, descriptor: Descriptor, *, limit: int = 1 << 26) -> bytes:
            assert descriptor.is_document, "content was read"
            return super().fetch(descriptor, limit=limit)

        def stream(self, descriptor: Descriptor) -> Iterator[bytes]:
            yield super().fetch(descriptor)

    source, watcher = Silent(HERE), Watcher()
    large().push(source, "v1")
    copy(source, "v1", Adopting(), "v1", progress=watcher)
    assert set(watcher.how.values()) == {"mounted"}
    assert watcher.moves == {}


def test_documents_that_are_there_are_not_fetched(tmp_path: Path) -> None:
    class Counting(Memory):
        asked: tuple[str, ...] = ()

        def fetch(self, descriptor: Descriptor, *, limit: int = 1 << 26) -> bytes:
            self.asked += (descriptor.media_type,)
            return super().fetch(descriptor, limit=limit)

    source, target = Counting(HERE), Layout(str(tmp_path / "store"), THERE)
    outer = suite(source)
    copy(source, "suite", target, "suite")
    source.asked = ()
    copy(source, outer.descriptor, target, "again")
    assert source.asked == ()
    assert target.resolve("again") == outer.descriptor


def test_several_platforms(tmp_path: Path) -> None:
    source, target = Memory(HERE), Layout(str(tmp_path / "store"), THERE)
    images = [image(word, name) for word, name in (("one", "amd64"), ("two", "arm64"), ("three", "s390x"))]
    for each in images:
        each.push(source)
    every = index(*images)
    source.push(every.descriptor, every.raw, tag="v1")
    wanted = [Platform.parse("linux/amd64"), Platform.parse("linux/s390x")]
    assert copy(source, "v1", target, "v1", platform=wanted) == every.descriptor
    assert [target.exists(each.descriptor) for each in images] == [True, False, True]
    copy(source, "v1", target, "v1", platform=())
    assert target.exists(images[1].descriptor)


def lying(content: bytes) -> Memory:
    """A source with an image and a referrer whose one large layer cannot be had, or is another."""
    source = Memory(HERE)
    image().push(source, "v1")
    layer = Descriptor.of(b"y" * LARGE, "application/spdx+json")
    source.push(EMPTY, b"{}")
    source._content[layer.digest] = b"y" * LARGE
    listing = Manifest.build(config=EMPTY, layers=[layer], subject=image().descriptor)
    source.push(listing.descriptor, listing.raw)
    del source._content[layer.digest]
    if content:
        source._content[layer.digest] = content
    return source


@pytest.mark.parametrize("target", [Strict(), Memory(THERE)], ids=["threads", "one"])
def test_a_referrer_that_is_not_whole_is_passed_over(target: Memory) -> None:
    copy(lying(b""), "v1", target, "v1")
    assert target.referrers(image().descriptor.digest) == ()


def test_a_target_that_refuses_is_no_junk_at_the_source() -> None:
    class Refusing(Strict):
        def push_stream(self, descriptor: Descriptor, content: Callable[[], Iterator[bytes]]) -> None:
            raise ImageError("this registry takes no such thing")

    source = lying(b"y" * LARGE)
    with pytest.raises(ImageError, match="takes no such thing"):
        copy(source, "v1", Refusing(), "v1")


def test_altered_evidence_is_no_junk() -> None:
    with pytest.raises(DigestMismatch):
        copy(lying(b"z" * LARGE), "v1", Strict(), "v1")


def test_manifests_in_manifests_end_somewhere() -> None:
    """Layers that say that they are manifests: a chain of them costs no stack."""
    source = Memory(HERE)
    top = image().push(source)
    for _ in range(50):
        deeper = Manifest.build(config=image().blobs[0][0], layers=[top])
        source._content[deeper.descriptor.digest] = deeper.raw
        source._documents[deeper.descriptor.digest] = top = deeper.descriptor
    source._tags["deep"] = top.digest
    with pytest.raises(ImageError, match="nested deeper than 2"):
        copy(source, "deep", Memory(THERE), "deep")


def test_all_manifests_together_have_a_bound() -> None:
    source = Memory(HERE)
    suite(source)
    with pytest.raises(ImageError, match=r"manifests .* over 2000 bytes"):
        copy(source, "suite", Memory(THERE), "suite", limits=places.Limits(blob=2000))
