"""A second name in the store: the same image, with what is known about it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import NotFound
from bpfimg.oci import Layout, Manifest, Repository, places
from tests.support.targets import image, index, legacy_signature, referrer

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def here(path: Path) -> Layout:
    return Layout(str(path), Repository("registry.test", "acme/xdp"), short_names=False)


@pytest.fixture
def there(path: Path) -> Layout:
    return Layout(str(path), Repository("other.test", "xdp"), short_names=False)


def words(layout: Layout, tag: str) -> list[str]:
    document = Manifest.parse(layout.fetch(layout.resolve(tag)))
    return [layout.fetch(layer).decode() for layer in document.layers]


def test_in_the_same_repository(here: Layout, path: Path) -> None:
    one = image().push(here, "v1")
    assert places.stores.retag(here, "v1", here, "stable") == one
    assert places.stores.retag(here, one.digest, here, "newest") == one
    assert here.resolve("v1") == here.resolve("stable") == here.resolve("newest") == one
    assert len(json.loads((path / "index.json").read_text())["manifests"]) == 3


def test_evidence_counts_in_the_other_repository(here: Layout, there: Layout) -> None:
    images = image("one", "amd64"), image("two", "arm64")
    images[0].push(here)  # pulled for one platform
    both = index(*images)
    here.push(both.descriptor, both.raw, tag="v1")
    for subject in (both.descriptor, images[0].descriptor):
        referrer(subject, str(subject.digest)).push(here)
        legacy_signature("ours").push(here, subject.digest.tag + ".sig")
    legacy_signature("theirs").push(there, both.descriptor.digest.tag + ".sig")
    assert places.stores.retag(here, "v1", there, "v2") == both.descriptor
    assert there.resolve("v2") == both.descriptor
    for subject in (both.descriptor, images[0].descriptor):
        assert len(there.referrers(subject.digest)) == 1
    assert words(there, both.descriptor.digest.tag + ".sig") == ["theirs", "ours"]
    assert words(there, images[0].descriptor.digest.tag + ".sig") == ["ours"]
    assert words(here, both.descriptor.digest.tag + ".sig") == ["ours"], "signatures of the other stay there"
    here.remove("v1")
    assert len(there.referrers(both.descriptor.digest)) == 1
    assert words(there, images[0].descriptor.digest.tag + ".sig") == ["ours"]


def test_what_is_not_there(here: Layout, there: Layout, path: Path) -> None:
    with pytest.raises(NotFound):
        places.stores.retag(here, "v1", there, "v2")
    one = image()
    one.push(here, "v1")
    (path / "blobs/sha256" / one.blobs[1][0].digest.hex).unlink()
    with pytest.raises(NotFound, match="that the manifest names"):
        places.stores.retag(here, "v1", there, "v2")
