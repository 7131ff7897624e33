"""Reading ahead changes when a source is asked, not what a copy does."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import DigestMismatch, NotFound
from bpfimg.oci import Memory, Reference, copy
from bpfimg.oci._copying._ahead import Ahead
from bpfimg.oci._copying._crew import Crew
from tests.support.targets import image, legacy_signature, referrer

if TYPE_CHECKING:
    from bpfimg.oci import Descriptor, Digest

HERE = Reference.parse("localhost/x:v1").repository


class Slow(Memory):
    """A source that is worth asking for several things at once; counts how many it is asked for at a time."""

    at_once = 8

    def __init__(self) -> None:
        super().__init__(HERE)
        self.asked: list[str] = []
        self.together = 0
        self._now = 0
        self._lock = threading.Condition()

    def _wait(self, what: str) -> None:
        with self._lock:
            self.asked.append(what)
            self._now += 1
            self.together = max(self.together, self._now)
            self._lock.notify_all()
            self._lock.wait_for(lambda: self.together > 1, timeout=0.2)
            self._now -= 1

    def fetch(self, descriptor: Descriptor, *, limit: int = 1 << 26) -> bytes:
        self._wait(str(descriptor.digest))
        return super().fetch(descriptor, limit=limit)

    def referrers(self, digest: Digest) -> tuple[Descriptor, ...]:
        self._wait(f"referrers {digest}")
        return super().referrers(digest)


def filled() -> Slow:
    source = Slow()
    image().push(source, "v1")
    referrer(image().descriptor).push(source)
    legacy_signature("one").push(source, image().descriptor.digest.tag + ".sig")
    source.asked.clear()
    return source


def test_ctrl_c_does_not_wait_for_a_registry_that_hangs() -> None:
    asked, answer = threading.Event(), threading.Event()

    class Hanging(Memory):
        at_once = 8

        def fetch(self, descriptor: Descriptor, *, limit: int = 1 << 26) -> bytes:
            asked.set()
            answer.wait(60.0)
            return super().fetch(descriptor, limit=limit)

    source = Hanging(HERE)
    source.push(image().blobs[1][0], image().blobs[1][1])
    with pytest.raises(KeyboardInterrupt), Crew(8) as crew:  # noqa: PT012
        Ahead(source, crew).fetch_soon([image().blobs[1][0]])
        asked.wait(60.0)
        raise KeyboardInterrupt
    assert not answer.is_set()
    assert crew._pool is not None
    assert any(thread.is_alive() for thread in crew._pool._threads)  # still in its request: nobody waited
    answer.set()


def test_a_copy_asks_for_content_once_and_several_at_a_time() -> None:
    source, target = filled(), Memory(HERE)
    copy(source, "v1", target, "v1")
    content = [str(part.digest) for part, _ in image().blobs]
    assert sorted(what for what in source.asked if what in content) == sorted(content)
    assert source.asked.count(f"referrers {image().descriptor.digest}") == 1
    assert source.together > 1
    assert target.resolve("v1") == image().descriptor
    assert len(target.referrers(image().descriptor.digest)) == 1
    assert target.resolve(image().descriptor.digest.tag + ".sig")


def test_an_error_shows_where_the_content_is_needed() -> None:
    source = filled()
    whole = source.fetch

    def damaged(descriptor: Descriptor, *, limit: int = 1 << 26) -> bytes:
        data = whole(descriptor, limit=limit)
        if descriptor.digest == image().blobs[1][0].digest:
            raise DigestMismatch("flipped", want="a", got="b")
        return data

    source.fetch = damaged  # type: ignore[method-assign]
    target = Memory(HERE)
    with pytest.raises(DigestMismatch):
        copy(source, "v1", target, "v1")
    with pytest.raises(NotFound):
        target.resolve("v1")
    assert not [thread for thread in threading.enumerate() if "ThreadPool" in thread.name]


def test_what_nobody_asks_for_does_no_harm() -> None:
    source = Slow()
    with Crew(8) as crew:
        ahead = Ahead(source, crew)
        ahead.look_soon(image().descriptor.digest, ["no-such-tag"])
        ahead.fetch_soon([image().descriptor])
    with Crew(8) as crew:
        ahead = Ahead(Memory(HERE), crew)
        ahead.fetch_soon([image().descriptor])
        with pytest.raises(NotFound):
            ahead.fetch(image().descriptor)
