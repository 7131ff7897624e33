"""`build.store`: in which order, as what, under which name."""

from __future__ import annotations

import pytest

from bpfimg import build
from bpfimg.errors import NotFound, UsageError
from bpfimg.image import BytecodeImage
from bpfimg.oci import Descriptor, Index, Memory, Platform, parse_document
from tests.support.strangers import OBJECT, repository


class Watched(Memory):
    """A memory that notes what is pushed and tagged, and may fail at a step."""

    def __init__(self, fail_at: int | None = None) -> None:
        super().__init__(repository())
        self.log: list[str] = []
        self.fail_at = fail_at

    def _step(self, word: str) -> None:
        if len(self.log) == self.fail_at:
            raise NotFound("the wire was cut")
        self.log.append(word)

    def push(self, descriptor: Descriptor, data: bytes, *, tag: str | None = None) -> None:
        self._step(
            descriptor.media_type.split(".")[-1].split("+")[0]
            + ("" if "image.index" not in descriptor.media_type else " index")
        )
        super().push(descriptor, data, tag=tag)

    def tag(self, descriptor: Descriptor, tag: str) -> None:
        self._step(f"tag {tag}")
        super().tag(descriptor, tag)


def images(*architectures: str) -> list[BytecodeImage]:
    return [build.image(OBJECT, file_name="a.o", platform=Platform("linux", name)) for name in architectures]


def test_one_image_is_a_manifest() -> None:
    target = Memory(repository())
    (image,) = images("amd64")
    top = build.store(image, target, "v1")
    assert top == image.pack().manifest.descriptor == target.resolve("v1")
    assert build.store([image], target, "v2") == top
    assert build.store([image], target) == top


def test_several_are_an_index_sorted_by_platform() -> None:
    target = Memory(repository())
    top = build.store(images("riscv64", "arm64", "amd64"), target, "v1", annotations={"b": "1", "a": "2"})
    assert target.resolve("v1") == top
    index = parse_document(target.fetch(top), top.media_type)
    assert isinstance(index, Index)
    assert [str(entry.platform) for entry in index.manifests] == ["linux/amd64", "linux/arm64", "linux/riscv64"]
    assert list(index.annotations) == ["a", "b"]
    for name in ("amd64", "arm64", "riscv64"):
        platform = Platform("linux", name)
        assert BytecodeImage.fetch(target, top, platform).platform == platform
    assert build.store(images("amd64", "riscv64", "arm64"), target, annotations={"a": "2", "b": "1"}) == top


def test_two_for_one_platform_and_none() -> None:
    with pytest.raises(UsageError, match="two inputs are for linux/amd64"):
        build.store(images("amd64", "arm64", "amd64"), Memory(repository()))
    with pytest.raises(UsageError, match="no image to store"):
        build.store([], Memory(repository()))


def test_nothing_is_named_before_it_is_whole() -> None:
    target = Watched()
    build.store(images("amd64", "arm64"), target, "v1")
    # the layer of both is one and the same, so it goes once
    assert len(target.log) == 7
    assert target.log[-1] == "tag v1"
    assert target.log[-2].endswith("index")
    for step in range(len(target.log)):
        cut = Watched(fail_at=step)
        with pytest.raises(NotFound, match="the wire was cut"):
            build.store(images("amd64", "arm64"), cut, "v1")
        with pytest.raises(NotFound, match="v1"):
            cut.resolve("v1")
