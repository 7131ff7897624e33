"""A name is given to what is there with all that belongs to it, or not at all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import NotFound
from bpfimg.oci import Descriptor, Digest, Layout, Repository
from tests.support.targets import image, index

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def layout(folder: Path) -> Layout:
    return Layout(str(folder), Repository("registry.test", "acme/xdp"), short_names=False)


def take(folder: Path, digest: Digest) -> None:
    """Removes content as what prunes the store beside a writer does."""
    (folder / "blobs" / digest.algorithm / digest.hex).unlink()


@pytest.mark.parametrize("part", [0, 1], ids=["config", "layer"])
@pytest.mark.parametrize("how", ["push", "tag", "keep"])
def test_an_index_is_not_named_when_an_image_of_it_lost_a_part(
    layout: Layout, folder: Path, part: int, how: str
) -> None:
    images = image("one"), image("two", "arm64")
    both = index(*images)
    for one in images:
        one.push(layout)
    if how != "push":
        layout.push(both.descriptor, both.raw)
    lost = images[1].blobs[part][0].digest
    take(folder, lost)
    with pytest.raises(NotFound, match=f"no content {lost} that the manifest names"):
        name(layout, both.descriptor, both.raw, how)
    assert json.loads((folder / "index.json").read_text())["manifests"] == []


@pytest.mark.parametrize("how", ["push", "tag", "keep"])
def test_an_index_is_not_named_when_all_its_images_have_gone(layout: Layout, folder: Path, how: str) -> None:
    images = image("one"), image("two", "arm64")
    both = index(*images)
    for one in images:
        one.push(layout)
    if how != "push":
        layout.push(both.descriptor, both.raw)
    for one in images:
        take(folder, one.descriptor.digest)
    with pytest.raises(NotFound, match=f"no content {images[0].descriptor.digest} that the manifest names"):
        name(layout, both.descriptor, both.raw, how)
    assert json.loads((folder / "index.json").read_text())["manifests"] == []


@pytest.mark.parametrize("how", ["push", "tag", "keep"])
def test_an_index_is_named_without_the_images_that_nobody_wanted(layout: Layout, how: str) -> None:
    both = index(image("one"), image("two", "arm64"))
    image("one").push(layout)
    if how != "push":
        layout.push(both.descriptor, both.raw)
    name(layout, both.descriptor, both.raw, how)
    assert layout.resolve(both.descriptor.digest) == both.descriptor


def name(layout: Layout, top: Descriptor, raw: bytes, how: str) -> None:
    if how == "push":
        layout.push(top, raw, tag="v1")
    elif how == "tag":
        layout.tag(top, "v1")
    else:
        layout.keep(top)
