"""The store on disk: whole or not there, for us and for whoever else writes to it."""

from __future__ import annotations

import json
import os
import stat
import time
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import DigestMismatch, ImageError, LockTimeout, NotFound, StoreError, UsageError
from bpfimg.oci import Descriptor, Layout, Manifest, Reference, Repository
from tests.support.targets import EMPTY, Image, image, index, legacy_signature, referrer

if TYPE_CHECKING:
    from pathlib import Path

REPOSITORY = Repository("registry.test", "acme/xdp")
NAME = "org.opencontainers.image.ref.name"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def layout(path: Path) -> Layout:
    return Layout(str(path), REPOSITORY)


def entries(path: Path) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads((path / "index.json").read_text())["manifests"]
    return found


def blob(path: Path, descriptor: Descriptor) -> Path:
    return path / "blobs/sha256" / descriptor.digest.hex


def foreign(path: Path, one: Image, name: str | None, **more: object) -> None:
    """Adds an entry as another tool does: no lock, its own annotations."""
    for descriptor, content in one.blobs:
        blob(path, descriptor).write_bytes(content)
    blob(path, one.descriptor).write_bytes(one.manifest.raw)
    document = json.loads((path / "index.json").read_text())
    annotations = {} if name is None else {"annotations": {NAME: name}}
    document["manifests"].append({**one.descriptor.to_dict(), **annotations, **more})
    document["annotations"] = {"theirs": "kept"}
    (path / "index.json").write_text(json.dumps(document))


class TestForm:
    def test_it_is_an_image_layout(self, layout: Layout, path: Path) -> None:
        image().push(layout, "v1")
        assert json.loads((path / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
        document = json.loads((path / "index.json").read_text())
        assert (document["schemaVersion"], document["mediaType"]) == (2, "application/vnd.oci.image.index.v1+json")
        assert document["manifests"] == [
            {**image().descriptor.to_dict(), "annotations": {NAME: "registry.test/acme/xdp:v1"}}
        ]
        assert sorted(os.listdir(path)) == [".lock", "blobs", "index.json", "ingest", "oci-layout"]
        assert os.listdir(path / "ingest") == []
        assert all(len(name) == 64 for name in os.listdir(path / "blobs/sha256"))

    def test_modes(self, layout: Layout, path: Path) -> None:
        image().push(layout, "v1")
        for folder, folders, files in os.walk(path):
            for name in folders:
                assert stat.S_IMODE(os.stat(f"{folder}/{name}").st_mode) == 0o755, name
            for name in files:
                assert stat.S_IMODE(os.stat(f"{folder}/{name}").st_mode) == 0o644, name

    def test_several_repositories_share_it(self, layout: Layout, path: Path) -> None:
        other = Layout(str(path), Repository("registry.test", "acme/tc"))
        image("one").push(layout, "v1")
        image("two").push(other, "v1")
        assert layout.resolve("v1") != other.resolve("v1")
        assert len(entries(path)) == 2

    def test_a_directory_of_something_else_is_left_alone(self, layout: Layout, path: Path) -> None:
        path.mkdir()
        (path / "thesis.tex").write_text("draft")
        with pytest.raises(StoreError, match=r"holds 'thesis.tex' and no oci-layout"):
            image().push(layout, "v1")
        assert os.listdir(path) == ["thesis.tex"]

    def test_an_unknown_version(self, layout: Layout, path: Path) -> None:
        image().push(layout, "v1")
        (path / "oci-layout").write_text('{"imageLayoutVersion":"2.0.0"}')
        with pytest.raises(StoreError, match="unknown version"):
            Layout(str(path), REPOSITORY).resolve("v1")

    def test_nothing_there_is_an_empty_store(self, layout: Layout, path: Path) -> None:
        with pytest.raises(NotFound, match=r"has no registry\.test/acme/xdp:v1"):
            layout.resolve("v1")
        with pytest.raises(NotFound):
            layout.resolve(image().descriptor.digest)
        assert layout.referrers(image().descriptor.digest) == ()
        assert list(Layout.images(str(path))) == []
        assert not path.exists(), "readers make nothing"

    @pytest.mark.parametrize("junk", [b"", b"{", b"[]", b'{"manifests":{}}', b"\xff"])
    def test_an_index_that_cannot_be_read(self, layout: Layout, path: Path, junk: bytes) -> None:
        image().push(layout, "v1")
        (path / "index.json").write_bytes(junk)
        with pytest.raises(StoreError, match=r"index\.json"):
            Layout(str(path), REPOSITORY).resolve("v1")
        with pytest.raises(StoreError):
            image("two").push(layout, "v2")
        assert (path / "index.json").read_bytes() == junk


class TestContent:
    @pytest.mark.parametrize("part", ["config", "layer", "manifest"])
    @pytest.mark.parametrize("damage", ["flip", "cut", "grow", "empty"])
    def test_damage_is_seen_and_mended(self, layout: Layout, path: Path, part: str, damage: str) -> None:
        one = image()
        one.push(layout, "v1")
        descriptor = {"config": one.blobs[0][0], "layer": one.blobs[1][0], "manifest": one.descriptor}[part]
        file = blob(path, descriptor)
        content = file.read_bytes()
        flipped = content[:3] + bytes([content[3] ^ 1]) + content[4:]
        file.write_bytes({"flip": flipped, "cut": content[:-1], "grow": content + b" ", "empty": b""}[damage])
        with pytest.raises(DigestMismatch):
            layout.fetch(descriptor)
        assert not layout.exists(descriptor)
        one.push(layout, "v1")
        assert layout.fetch(descriptor) == content

    def test_a_blob_that_is_gone(self, layout: Layout, path: Path) -> None:
        one = image()
        one.push(layout, "v1")
        blob(path, one.blobs[1][0]).unlink()
        with pytest.raises(NotFound):
            layout.fetch(one.blobs[1][0])
        with pytest.raises(NotFound, match="that the manifest names"):
            layout.tag(one.descriptor, "v2")

    def test_a_fifo_does_not_hang_the_reader(self, layout: Layout, path: Path) -> None:
        one = image()
        one.push(layout, "v1")
        blob(path, one.descriptor).unlink()
        os.mkfifo(blob(path, one.descriptor))
        with pytest.raises(StoreError, match="not a regular file"):
            layout.fetch(one.descriptor)

    def test_a_manifest_only_by_digest(self, layout: Layout) -> None:
        one = image()
        one.push(layout)
        assert layout.resolve(one.descriptor.digest) == one.descriptor
        with pytest.raises(ImageError):
            layout.resolve(one.blobs[1][0].digest)

    def test_old_leavings_are_swept(self, layout: Layout, path: Path) -> None:
        image().push(layout, "v1")
        for name, age in (("17-00aa00aa00aa", 7200), ("17-11bb11bb11bb", 60), ("theirs", 7200)):
            (path / "ingest" / name).write_bytes(b"half")
            os.utime(path / "ingest" / name, (time.time() - age,) * 2)
        (path / "ingest/17-22cc22cc22cc").mkdir()
        os.utime(path / "ingest/17-22cc22cc22cc", (1, 1))
        image("two").push(layout, "v2")
        assert sorted(os.listdir(path / "ingest")) == ["17-11bb11bb11bb", "17-22cc22cc22cc", "theirs"]

    def test_content_that_is_used_again_looks_young(self, layout: Layout, path: Path) -> None:
        one = image()
        one.push(layout, "v1")
        os.utime(blob(path, one.blobs[1][0]), (1, 1))
        one.push(layout, "v1")
        assert blob(path, one.blobs[1][0]).stat().st_mtime > 1


class TestForeignEntries:
    def test_they_are_kept(self, layout: Layout, path: Path) -> None:
        image("one").push(layout, "v1")
        foreign(path, image("two"), "v2", urls=["https://kept.test/"])
        document = json.loads((path / "index.json").read_text())
        document["manifests"] += ["strange", {"digest": 7}, {"annotations": [1]}, {"annotations": {NAME: ["x"]}}]
        (path / "index.json").write_text(json.dumps(document))
        before = entries(path)[1:]
        image("three").push(layout, "v1")
        layout.remove("v1")
        assert entries(path) == before
        assert json.loads((path / "index.json").read_text())["annotations"] == {"theirs": "kept"}

    def test_short_names_are_found_after_full_ones(self, layout: Layout, path: Path) -> None:
        image("one").push(layout, "v1")
        foreign(path, image("two"), "v1")
        foreign(path, image("three"), "v3")
        fresh = Layout(str(path), REPOSITORY)
        assert fresh.resolve("v1") == image("one").descriptor
        assert fresh.resolve("v3") == image("three").descriptor
        with pytest.raises(NotFound):
            Layout(str(path), REPOSITORY, short_names=False).resolve("v3")

    def test_an_entry_that_lies(self, layout: Layout, path: Path) -> None:
        image("one").push(layout, "v1")
        document = json.loads((path / "index.json").read_text())
        document["manifests"][0]["digest"] = "sha256:../../../etc/passwd"
        (path / "index.json").write_text(json.dumps(document))
        with pytest.raises(ImageError, match="is not a digest"):
            Layout(str(path), REPOSITORY).resolve("v1")

    def test_referrers_of_other_tools(self, layout: Layout, path: Path) -> None:
        image().push(layout, "v1")
        foreign(path, referrer(image().descriptor, "theirs"), None)
        foreign(path, referrer(image("two").descriptor, "of another image"), None)
        gone = referrer(image().descriptor, "gone")
        foreign(path, gone, None)
        blob(path, gone.descriptor).unlink()
        referrer(image().descriptor, "ours").push(layout)
        found = Layout(str(path), REPOSITORY).referrers(image().descriptor.digest)
        assert {each.annotations["word"] for each in found} == {"theirs", "ours"}

    def test_a_broken_referrer_of_ours_is_an_error(self, layout: Layout, path: Path) -> None:
        image().push(layout, "v1")
        evidence = referrer(image().descriptor)
        evidence.push(layout)
        blob(path, evidence.descriptor).write_bytes(b"junk")
        with pytest.raises(DigestMismatch):
            layout.referrers(image().descriptor.digest)

    def test_our_annotation_is_only_a_hint(self, layout: Layout, path: Path) -> None:
        image("one").push(layout, "v1")
        other = referrer(image("two").descriptor)
        other.push(layout)
        document = json.loads((path / "index.json").read_text())
        document["manifests"][1]["annotations"] = {"dev.bpfimg.subject": str(image("one").descriptor.digest)}
        (path / "index.json").write_text(json.dumps(document))
        assert Layout(str(path), REPOSITORY).referrers(image("one").descriptor.digest) == ()

    def test_changes_of_others_are_seen(self, layout: Layout, path: Path) -> None:
        image("one").push(layout, "v1")
        os.utime(path / "index.json", (1, 1))  # old enough to be remembered
        assert layout.resolve("v1") == image("one").descriptor
        image("two").push(Layout(str(path), REPOSITORY), "v1")
        assert layout.resolve("v1") == image("two").descriptor

    def test_an_index_as_young_as_its_stamp_is_read_again(self, layout: Layout, path: Path) -> None:
        """Two writes within one tick of the file system's clock look the same: same inode, size and time."""
        image("one").push(layout, "v1")
        image("two").push(layout)
        index = path / "index.json"
        tick = time.time_ns() + 60_000_000_000
        os.utime(index, ns=(tick, tick))
        assert layout.resolve("v1") == image("one").descriptor
        swapped = index.read_text().replace(image("one").descriptor.digest.hex, image("two").descriptor.digest.hex)
        index.write_text(swapped)
        os.utime(index, ns=(tick, tick))
        assert layout.resolve("v1") == image("two").descriptor


class TestImages:
    def test_listing(self, layout: Layout, path: Path) -> None:
        one = image("one").push(layout, "v1")
        image("two").push(layout, "v2")
        referrer(one).push(layout)
        legacy_signature("x").push(layout, one.digest.tag + ".sig")
        foreign(path, image("three"), "v3")
        assert [(str(name), descriptor) for name, descriptor in Layout.images(str(path))] == [
            ("registry.test/acme/xdp:v1", one),
            ("registry.test/acme/xdp:v2", image("two").descriptor),
            ("v3", image("three").descriptor),
        ]
        kinds = [type(name) for name, _ in Layout.images(str(path))]
        assert kinds == [Reference, Reference, str]

    def test_removing(self, layout: Layout, path: Path) -> None:
        images = image("one", "amd64"), image("two", "arm64")
        for one in images:
            one.push(layout)
        both = index(*images)
        layout.push(both.descriptor, both.raw, tag="multi")
        layout.tag(both.descriptor, "again")
        for subject in (both.descriptor, images[0].descriptor):
            referrer(subject, str(subject.digest)).push(layout)
            legacy_signature(str(subject.digest)).push(layout, subject.digest.tag + ".sig")
        image("other").push(layout, "other")
        referrer(image("other").descriptor, "stays").push(layout)
        assert layout.remove("multi") == both.descriptor
        assert len(layout.referrers(both.descriptor.digest)) == 1, "another tag still names it"
        layout.remove("again")
        assert len(entries(path)) == 2
        assert layout.referrers(images[0].descriptor.digest) == ()
        assert len(layout.referrers(image("other").descriptor.digest)) == 1
        with pytest.raises(NotFound):
            layout.remove("multi")

    def test_removing_an_image_whose_manifest_is_damaged(self, layout: Layout, path: Path) -> None:
        image().push(layout, "v1")
        blob(path, image().descriptor).write_bytes(b"junk")
        layout.remove("v1")
        assert entries(path) == []

    def test_named(self, layout: Layout, path: Path) -> None:
        one = image("one").push(layout, "v1")
        for text in (str(path), f"{path}:registry.test/acme/xdp:v1", f"{path}:registry.test/acme/xdp@{one.digest}"):
            found, selector = Layout.named(text)
            assert found.resolve(selector) == one
            assert found.repository == REPOSITORY
        foreign(path, image("two"), "v2")
        found, selector = Layout.named(f"{path}:v2")
        assert found.resolve(selector) == image("two").descriptor
        assert str(found.repository) == "localhost/store"
        with pytest.raises(NotFound, match="holds 2 named images"):
            Layout.named(str(path))
        with pytest.raises(UsageError):
            Layout.named(f"{path}:no tag")

    def test_named_with_a_single_foreign_image(self, layout: Layout, path: Path) -> None:
        image("one").push(layout, "v1")
        layout.remove("v1")
        foreign(path, image("two"), "latest")
        found, selector = Layout.named(str(path))
        assert found.resolve(selector) == image("two").descriptor


class TestLock:
    def test_a_second_writer_waits_and_then_says_so(self, layout: Layout, path: Path) -> None:
        impatient = Layout(str(path), REPOSITORY, lock_timeout=0.0)
        with layout.lock():
            with pytest.raises(LockTimeout, match="locked by another writer") as refused:
                image().push(impatient, "v1")
            assert "--lock-timeout" in refused.value.hint
        image().push(impatient, "v1")

    def test_readers_do_not_wait(self, layout: Layout, path: Path) -> None:
        image().push(layout, "v1")
        with layout.lock():
            assert Layout(str(path), REPOSITORY, lock_timeout=0.0).resolve("v1") == image().descriptor

    def test_an_error_inside_lets_go(self, layout: Layout, path: Path) -> None:
        with pytest.raises(ZeroDivisionError), layout.lock():
            _ = 1 / 0
        image().push(Layout(str(path), REPOSITORY, lock_timeout=0.0), "v1")


def test_one_registry_does_not_speak_for_another(path: Path) -> None:
    """Else whoever copies an image can fill the store with junk about it, until its signatures are not found."""
    good, evil = (Layout(str(path), Repository(host, "x"), short_names=False) for host in ("good.test", "evil.test"))
    subject = image().push(good, "v1")
    real = referrer(subject, "real").push(good)
    image().push(evil, "v1")
    for number in range(70):
        referrer(subject, f"junk {number}").push(evil)
    assert [one.digest for one in good.referrers(subject.digest)] == [real.digest]
    referrer(subject, "real").push(good)  # again: one entry
    with pytest.raises(ImageError, match="70 referrers"):
        evil.referrers(subject.digest)
    referrer(subject, "junk 1").push(good)  # the same manifest may be about it in two places
    assert len(good.referrers(subject.digest)) == 2
    assert len(entries(path)) == 2 + 70 + 2
    handed_round = Layout(str(path), Repository("localhost", "store"))
    with pytest.raises(ImageError, match="71 referrers"):
        handed_round.referrers(subject.digest)


def test_ten_thousand_entries(layout: Layout, path: Path) -> None:
    """Correct, that is; how fast is for the bench."""
    image().push(layout, "v1")
    document = json.loads((path / "index.json").read_text())
    document["manifests"] = [
        {**EMPTY.to_dict(), "annotations": {NAME: f"registry.test/acme/xdp:n{number}"}} for number in range(10_000)
    ] + document["manifests"]
    (path / "index.json").write_text(json.dumps(document))
    assert layout.resolve("v1") == image().descriptor
    image("two").push(layout, "v2")
    assert len(entries(path)) == 10_002
    assert Manifest.parse(layout.fetch(layout.resolve("v2"))) == image("two").manifest
