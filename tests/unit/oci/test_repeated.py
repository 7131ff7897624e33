"""Indexes that name the same few documents again and again: what is read once takes no hour and no gigabyte."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from bpfimg._value import replace
from bpfimg.oci import Descriptor, Index, Layout, Manifest, Memory, Platform, Repository, copy
from bpfimg.oci._archives._docker_index import docker_index
from bpfimg.oci._copying._whole import is_whole
from bpfimg.oci._store._stored import measure
from tests.support.targets import EMPTY, image

if TYPE_CHECKING:
    from pathlib import Path

    from bpfimg.oci import Digest

REPOSITORY = Repository("registry.test", "acme/xdp")
ARTIFACT = Manifest.build(config=EMPTY, layers=[EMPTY], artifact_type="text/plain", annotations={"x": "y" * 100_000})


def many(descriptor: Descriptor) -> list[Descriptor]:
    return [replace(descriptor, platform=Platform("linux", f"a{number}")) for number in range(256)]


INNER = Index.build(many(ARTIFACT.descriptor))
OUTER = Index.build(many(INNER.descriptor), subject=image().descriptor)
DOCUMENTS = {each.descriptor.digest: each.raw for each in (ARTIFACT, INNER, OUTER)}


class Counted(Layout):
    """Says what is read of it."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), REPOSITORY, short_names=False)
        self.read_of: Counter[Digest] = Counter()

    def fetch(self, descriptor: Descriptor, *, limit: int | None = None) -> bytes:
        self.read_of[descriptor.digest] += 1
        return super().fetch(descriptor, limit=limit)


@pytest.fixture
def layout(tmp_path: Path) -> Counted:
    """Holds an image, about which somebody has said 65,536 times the same."""
    memory = Memory(REPOSITORY)
    image().push(memory, "v1")
    memory.push(EMPTY, b"{}")
    for document in (ARTIFACT, INNER, OUTER):
        memory.push(document.descriptor, document.raw)
    found = Counted(tmp_path / "store")
    copy(memory, "v1", found, "v1")
    found.read_of.clear()
    return found


def test_an_image_is_whole(layout: Counted) -> None:
    assert is_whole(layout, layout.resolve("v1"))
    assert layout.read_of[ARTIFACT.descriptor.digest] <= 2
    assert is_whole(layout, OUTER.descriptor)
    assert layout.read_of[ARTIFACT.descriptor.digest] <= 4


def test_an_index_is_measured(layout: Counted) -> None:
    size, platforms = measure(layout, OUTER.descriptor)
    assert size == sum(map(len, DOCUMENTS.values())) + 2
    assert len(platforms) == 256
    assert layout.read_of[ARTIFACT.descriptor.digest] == 1


def test_an_archive_is_written() -> None:
    reads: Counter[Digest] = Counter()

    def read(digest: Digest) -> bytes | None:
        reads[digest] += 1
        return DOCUMENTS.get(digest)

    raw, left = docker_index([("a.test/x:v1", OUTER.descriptor)], read, Platform("linux", "amd64"))
    assert (raw, left) == (b"[]", ["a.test/x:v1"])
    assert reads.total() <= 5
