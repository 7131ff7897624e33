"""Copies side by side: a blob that their images have in common goes to a repository once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from bpfimg.errors import Error
from bpfimg.oci import Descriptor, Memory, Repository, copy, places
from tests.support.targets import image

HERE = Repository("registry.test", "acme/xdp")
THERE = Repository("mirror.test", "acme/xdp")


class Careful(Memory):
    """A registry that does not take a blob twice, and none while another upload of it is under way."""

    at_once = 8

    def __init__(self, fail: int = 0) -> None:
        super().__init__(THERE)
        self.uploads: list[Descriptor] = []
        self._under_way: set[object] = set()
        self._fail = fail
        self._mutex = threading.Lock()

    def push(self, descriptor: Descriptor, data: bytes, *, tag: str | None = None) -> None:
        if descriptor.is_document:
            with self._mutex:
                super().push(descriptor, data, tag=tag)
            return
        with self._mutex:
            assert descriptor.digest not in self._under_way, "uploaded twice at the same time"
            assert descriptor.digest not in self._content, "uploaded again"
            self._under_way.add(descriptor.digest)
            self._fail -= 1
            failed = self._fail >= 0
        if not failed:
            super().push(descriptor, data)
        with self._mutex:
            self._under_way.discard(descriptor.digest)
            self.uploads.append(descriptor)
        if failed:
            raise Error("not now")


def filled(count: int) -> Memory:
    source = Memory(HERE)
    for number in range(count):
        image(str(number)).push(source, f"v{number}")
    return source


def test_forty_images_with_one_config() -> None:
    source, target, together = filled(40), Careful(), places.Together()
    with ThreadPoolExecutor(8) as pool:
        for each in [
            pool.submit(copy, source, f"v{number}", target, f"v{number}", at_once=1, together=together)
            for number in range(40)
        ]:
            each.result(timeout=60)
    assert len(target.uploads) == 41
    assert all(target.resolve(f"v{number}") for number in range(40))


def test_where_the_first_one_fails_the_next_does_it() -> None:
    source, target, together = filled(8), Careful(fail=2), places.Together()
    failed = 0
    with ThreadPoolExecutor(8) as pool:
        for each in [
            pool.submit(copy, source, f"v{number}", target, f"v{number}", at_once=1, together=together)
            for number in range(8)
        ]:
            failed += isinstance(each.exception(timeout=60), Error)
    assert failed == 2
    assert len(target._tags) == 6


def test_what_is_there_is_asked_for_once() -> None:
    class Asked(Careful):
        asked = 0

        def exists(self, descriptor: Descriptor) -> bool:
            self.asked += 1
            return super().exists(descriptor)

    source, target, together = filled(2), Asked(), places.Together()
    for number in (0, 1, 0, 1):
        copy(source, f"v{number}", target, f"v{number}", together=together)
    assert target.asked == 3


@pytest.mark.parametrize("other", [Repository("mirror.test", "acme/other"), Repository("other.test", "acme/xdp")])
def test_another_repository_is_another_matter(other: Repository) -> None:
    source, together = filled(1), places.Together()
    first, second = Careful(), Careful()
    second.repository = other
    for target in (first, second):
        copy(source, "v0", target, "v0", together=together)
    assert len(first.uploads) == len(second.uploads) == 2
