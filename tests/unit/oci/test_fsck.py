"""Every byte is hashed, every name is followed to the end."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import StoreError
from bpfimg.oci import Descriptor, Index, Layout, Manifest, Repository, places
from tests.support.targets import CONFIG, EMPTY, image, index, referrer

if TYPE_CHECKING:
    from pathlib import Path

REPOSITORY = Repository("registry.test", "acme/xdp")
V1 = "registry.test/acme/xdp:v1"
NAME = "org.opencontainers.image.ref.name"


@pytest.fixture
def layout(path: Path) -> Layout:
    return Layout(str(path), REPOSITORY, short_names=False)


def blob(path: Path, descriptor: Descriptor) -> Path:
    return path / "blobs/sha256" / descriptor.digest.hex


def problems(path: Path, *, repair: bool = False) -> list[tuple[str, str, tuple[str, ...]]]:
    found = places.stores.fsck(str(path), repair=repair).problems
    return [(each.kind, str(each.digest or ""), each.names) for each in found]


def test_a_sound_store(layout: Layout, path: Path) -> None:
    images = image("one", "amd64"), image("two", "arm64"), image("never pulled", "s390x")
    for one in images[:2]:
        one.push(layout)
    both = index(*images)
    layout.push(both.descriptor, both.raw, tag="multi")
    layout.keep(images[0].descriptor)
    referrer(images[0].descriptor).push(layout)
    referrer(Descriptor.of(b"gone", CONFIG)).push(layout)  # what it is about need not be there
    image("nameless").push(layout)
    done = places.stores.fsck(str(path))
    assert done.problems == ()
    assert done.sound
    assert done.blobs == len(os.listdir(path / "blobs/sha256"))
    assert done.bytes == sum(each.stat().st_size for each in (path / "blobs/sha256").iterdir())
    assert done.entries == 4


def test_nothing_there_is_sound(path: Path) -> None:
    assert places.stores.fsck(str(path)) == places.stores.Checked(0, 0, 0, ())
    assert not path.exists()


@pytest.mark.parametrize("part", ["config", "layer", "manifest"])
@pytest.mark.parametrize("damage", ["flip", "cut", "grow", "empty"])
def test_damage_is_found_and_mended_by_the_next_pull(layout: Layout, path: Path, part: str, damage: str) -> None:
    one = image()
    one.push(layout, "v1")
    descriptor = {"config": one.blobs[0][0], "layer": one.blobs[1][0], "manifest": one.descriptor}[part]
    content = blob(path, descriptor).read_bytes()
    flipped = content[:3] + bytes([content[3] ^ 1]) + content[4:]
    blob(path, descriptor).write_bytes(
        {"flip": flipped, "cut": content[:-1], "grow": content + b" ", "empty": b""}[damage]
    )
    expected = [("damaged", str(descriptor.digest), (V1,))]
    assert problems(path) == expected
    assert problems(path, repair=True) == expected
    assert problems(path) == [("missing", str(descriptor.digest), (V1,))]
    one.push(layout, "v1")
    assert problems(path) == []


def test_damaged_content_that_nothing_names(layout: Layout, path: Path) -> None:
    one = image()
    one.push(layout)
    blob(path, one.blobs[0][0]).write_bytes(b"x")
    assert problems(path) == [("damaged", str(one.blobs[0][0].digest), ())]
    assert not places.stores.fsck(str(path)).sound
    assert places.stores.fsck(str(path), repair=True).sound
    assert problems(path) == []
    assert os.listdir(path / "ingest") == []


@pytest.mark.parametrize("part", ["config", "layer", "manifest"])
def test_what_is_missing(layout: Layout, path: Path, part: str) -> None:
    one = image()
    one.push(layout, "v1")
    layout.tag(one.descriptor, "v2")
    descriptor = {"config": one.blobs[0][0], "layer": one.blobs[1][0], "manifest": one.descriptor}[part]
    blob(path, descriptor).unlink()
    assert problems(path) == [("missing", str(descriptor.digest), (V1, "registry.test/acme/xdp:v2"))]


def test_what_is_no_file(layout: Layout, path: Path) -> None:
    one = image()
    one.push(layout, "v1")
    for kind in ("fifo", "directory"):
        blob(path, one.descriptor).unlink()
        os.mkfifo(blob(path, one.descriptor)) if kind == "fifo" else blob(path, one.descriptor).mkdir()
        assert problems(path) == [("missing", str(one.descriptor.digest), (V1,))]
        if kind == "fifo":
            one.push(layout, "v1")
            assert problems(path) == [], "what is no file is replaced like damaged content"


def test_an_index_needs_one_child_and_that_whole(layout: Layout, path: Path) -> None:
    images = image("one", "amd64"), image("two", "arm64")
    images[0].push(layout)
    both = index(*images)
    layout.push(both.descriptor, both.raw, tag="v1")
    assert problems(path) == []
    blob(path, images[0].blobs[1][0]).unlink()
    assert problems(path) == [("missing", str(images[0].blobs[1][0].digest), (V1,))]
    blob(path, images[0].descriptor).unlink()
    assert problems(path) == [("missing", str(both.descriptor.digest), (V1,))]


def test_indexes_that_nest_for_ever(layout: Layout, path: Path) -> None:
    image().push(layout)
    inner = image().descriptor
    for _ in range(50):
        outer = Index.build([inner])
        layout.push(outer.descriptor, outer.raw)
        inner = outer.descriptor
    layout.tag(inner, "v1")
    assert [kind for kind, _, _ in problems(path)] == ["unreadable"]


def test_documents_and_entries_that_are_none(layout: Layout, path: Path) -> None:
    image().push(layout, "v1")
    junk = b'{"schemaVersion":2,"layers":7}'
    blob(path, Descriptor.of(junk, "")).write_bytes(junk)
    document = json.loads((path / "index.json").read_text())
    kind = image().manifest.media_type
    document["manifests"] += [
        {**Descriptor.of(junk, kind).to_dict(), "annotations": {NAME: "junk"}},
        {**image().descriptor.to_dict(), "size": 1, "annotations": {NAME: "small"}},
        {"annotations": {NAME: "nothing"}},
        "strange",
        document["manifests"][0],
    ]
    (path / "index.json").write_text(json.dumps(document))
    found = problems(path)
    assert sorted((kind, names) for kind, _, names in found) == [
        ("duplicate", (V1,)),
        ("unreadable", ("entry 5 of index.json",)),
        ("unreadable", ("junk",)),
        ("unreadable", ("nothing",)),
        ("unreadable", ("small",)),
    ]


def test_a_referrer_is_named_by_what_it_is_about(layout: Layout, path: Path) -> None:
    one = image().push(layout, "v1")
    evidence = referrer(one)
    evidence.push(layout)
    blob(path, evidence.blobs[1][0]).write_bytes(b"x")
    ((_, _, names),) = problems(path)
    assert names == (f"the referrer {evidence.descriptor.digest} of registry.test/acme/xdp@{one.digest}",)


def test_a_writer_that_mends_it_meanwhile(layout: Layout, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is removed as damaged is looked at again once nobody else can reach it."""
    one = image()
    one.push(layout, "v1")
    blob(path, one.blobs[1][0]).write_bytes(b"x")
    rename = os.rename

    def mended(*names: str, **folders: int) -> None:
        layout.push(*one.blobs[1])
        rename(*names, **folders)

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", mended)
        places.stores.fsck(str(path), repair=True)
    assert problems(path) == []
    assert Manifest.parse(layout.fetch(layout.resolve("v1"))) == one.manifest


def test_a_name_that_comes_while_it_looks(layout: Layout, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bpfimg.oci._store import _fsck

    image("one").push(layout, "v1")
    load, calls = _fsck.load, []

    def late(*words: object) -> object:
        calls.append(1)
        if len(calls) == 2:
            image("two").push(layout, "v2")
        return load(*words)  # type: ignore[arg-type]

    monkeypatch.setattr(_fsck, "load", late)
    assert problems(path) == []


def test_what_is_no_layout(path: Path) -> None:
    path.mkdir()
    (path / "index.json").write_text("{}")
    with pytest.raises(StoreError, match="no oci-layout"):
        places.stores.fsck(str(path))
    (path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    with pytest.raises(StoreError, match="no list of manifests"):
        places.stores.fsck(str(path))


def test_an_empty_image_is_whole(layout: Layout, path: Path) -> None:
    nothing = Manifest.build(config=EMPTY, layers=[EMPTY], artifact_type="application/x")
    layout.push(EMPTY, b"{}")
    layout.push(nothing.descriptor, nothing.raw, tag="v1")
    assert problems(path) == []
