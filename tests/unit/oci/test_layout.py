"""The store on disk: whole or not there, for us and for whoever else writes to it."""

from __future__ import annotations

import calendar
import json
import os
import stat
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import DigestMismatch, ImageError, LockTimeout, NotFound, StoreError, UsageError
from bpfimg.oci import Descriptor, Layout, Manifest, Reference, Repository, places
from tests.support.targets import EMPTY, Image, image, index, legacy_signature, referrer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REPOSITORY = Repository("registry.test", "acme/xdp")
NAME = "org.opencontainers.image.ref.name"


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

    def test_all_may_read_and_its_owner_writes(self, layout: Layout, path: Path) -> None:
        image().push(layout, "v1")
        for folder, folders, files in os.walk(path):
            for name in folders:
                assert stat.S_IMODE(os.stat(f"{folder}/{name}").st_mode) == 0o755, name
            for name in files:
                wanted = 0o600 if name == ".lock" else 0o644  # whoever may read that could take the lock and keep it
                assert stat.S_IMODE(os.stat(f"{folder}/{name}").st_mode) == wanted, name

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

    def test_a_name_goes_and_with_the_last_what_is_about_it(self, layout: Layout, path: Path) -> None:
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

    def test_named_within_limits(self, layout: Layout, path: Path) -> None:
        image("one").push(layout, "v1")
        with pytest.raises(StoreError, match="has more than 10 bytes"):
            Layout.named(str(path), limits=places.Limits(layout=10))
        found, selector = Layout.named(f"{path}:registry.test/acme/xdp:v1", limits=places.Limits(document=10))
        with pytest.raises(ImageError, match="expected at most 10"):
            found.fetch(found.resolve(selector))

    def test_a_path_and_a_name_in_one_text(self, layout: Layout, path: Path) -> None:
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


class TestKept:
    """An image that was copied by digest has no tag: it is listed by its digest, and stays."""

    def test_it_is_listed_and_removed(self, layout: Layout, path: Path) -> None:
        one = image().push(layout)
        assert list(Layout.images(str(path))) == []
        layout.keep(one)
        layout.keep(one)
        reference = Reference.parse(f"registry.test/acme/xdp@{one.digest}")
        assert list(Layout.images(str(path))) == [(reference, one)]
        assert entries(path) == [{**one.to_dict(), "annotations": {"dev.bpfimg.repository": "registry.test/acme/xdp"}}]
        referrer(one).push(layout)
        assert layout.referrers(one.digest)
        assert layout.remove(one.digest) == one
        assert entries(path) == []

    def test_a_tag_beside_it(self, layout: Layout, path: Path) -> None:
        one = image().push(layout, "v1")
        layout.keep(one)
        referrer(one).push(layout)
        layout.remove(one.digest)
        assert layout.resolve("v1") == one
        assert layout.referrers(one.digest), "the tag is a name of it"
        with pytest.raises(NotFound, match="does not keep") as refused:
            layout.remove(one.digest)
        assert refused.value.hint == "what has that digest is called registry.test/acme/xdp:v1"

    def test_each_repository_keeps_its_own(self, layout: Layout, path: Path) -> None:
        other = Layout(str(path), Repository("other.test", "xdp"))
        for place in (layout, other):
            place.keep(image().push(place))
        other.remove(image().descriptor.digest)
        assert [str(name) for name, _ in Layout.images(str(path))] == [
            f"registry.test/acme/xdp@{image().descriptor.digest}"
        ]

    def test_what_is_not_there_is_not_kept(self, layout: Layout) -> None:
        with pytest.raises(NotFound):
            layout.keep(image().descriptor)


class TestRemoving:
    def test_evidence_that_another_image_needs_stays(self, layout: Layout, path: Path) -> None:
        """Two indexes share a child; its signature goes with the last of them."""
        shared, first, second = image("shared", "amd64"), image("first", "arm64"), image("second", "arm64")
        for one in (shared, first, second):
            one.push(layout)
            referrer(one.descriptor, str(one.descriptor.digest)).push(layout)
        for tag, both in (("v1", index(shared, first)), ("v2", index(shared, second))):
            layout.push(both.descriptor, both.raw, tag=tag)
        layout.tag(second.descriptor, "v2-arm64")
        layout.remove("v1")
        assert [bool(layout.referrers(one.descriptor.digest)) for one in (shared, first, second)] == [True, False, True]
        layout.remove("v2")
        assert [bool(layout.referrers(one.descriptor.digest)) for one in (shared, first, second)] == [
            False,
            False,
            True,
        ]
        layout.remove("v2-arm64")
        assert entries(path) == []

    def test_evidence_of_another_repository_stays(self, layout: Layout, path: Path) -> None:
        store, other = (
            Layout(str(path), Repository(host, "xdp"), short_names=False) for host in ("one.test", "other.test")
        )
        for place in (store, other):
            one = image().push(place, "v1")
            referrer(one).push(place)
            legacy_signature("x").push(place, one.digest.tag + ".sig")
        store.remove("v1")
        assert store.referrers(image().descriptor.digest) == ()
        assert other.referrers(image().descriptor.digest)
        assert other.resolve(image().descriptor.digest.tag + ".sig")
        assert len(entries(path)) == 3


class TestTheLocalStore:
    """What is written beside a name there, for lists."""

    @pytest.fixture
    def store(self, path: Path) -> Layout:
        return Layout(str(path), REPOSITORY, short_names=False)

    def test_size_platforms_and_age(self, store: Layout, path: Path) -> None:
        images = image("one", "amd64"), image("two", "arm64"), image("never pulled", "s390x")
        for one in images[:2]:
            one.push(store)
        both = index(*images)
        store.push(both.descriptor, both.raw, tag="multi")
        images[0].push(store, "v1")
        store.keep(images[1].descriptor)
        sizes = [one.descriptor.size + sum(part.size for part, _ in one.blobs) for one in images[:2]]
        assert [
            (each.name.removeprefix("registry.test/acme/xdp"), each.size, each.platforms) for each in listed(path)
        ] == [
            (":multi", both.descriptor.size + sum(sizes), ("linux/amd64", "linux/arm64")),
            (":v1", sizes[0], ("linux/amd64",)),
            (f"@{images[1].descriptor.digest}", sizes[1], ("linux/arm64",)),
        ]
        for each in listed(path):
            assert abs(time.time() - calendar.timegm(time.strptime(each.since, "%Y-%m-%dT%H:%M:%SZ"))) < 3600
            assert places.stores.measure(store, each.descriptor) == (each.size, each.platforms)

    def test_age_is_that_of_the_name(self, store: Layout, path: Path) -> None:
        image("one").push(store, "v1")
        raw = (path / "index.json").read_text().replace('since":"2', 'since":"1')
        (path / "index.json").write_text(raw)
        image("one").push(store, "v1")
        assert (path / "index.json").read_text() == raw, "the same again is no change"
        image("two").push(store, "v1")
        assert listed(path)[0].since.startswith("2")

    def test_what_others_wrote_there_has_none(self, store: Layout, path: Path) -> None:
        image("one").push(store, "v1")
        foreign(path, image("two"), "v2", annotations={NAME: "v2", "dev.bpfimg.size": "x"})
        assert [(each.size, each.platforms, each.since) for each in listed(path)][1:] == [(None, None, "")]

    def test_junk_in_a_config_is_no_platform(self, store: Layout, path: Path) -> None:
        for number, junk in enumerate((b'{"os":"a,b","architecture":"x"}', b'{"os":["linux"]}', b"[]", b"\xff")):
            config, layer = Descriptor.of(junk, "application/vnd.oci.image.config.v1+json"), image().blobs[1]
            manifest = Manifest.build(config=config, layers=[layer[0]])
            store.push(config, junk)
            store.push(*layer)
            store.push(manifest.descriptor, manifest.raw, tag=f"v{number}")
        assert [each.platforms for each in listed(path)] == [()] * 4

    def test_a_layout_that_is_handed_round_says_nothing_of_here(self, layout: Layout, path: Path) -> None:
        image("one").push(layout, "v1")
        assert list(entries(path)[0]["annotations"]) == [NAME]  # type: ignore[call-overload]


def listed(path: Path) -> list[places.stores.Stored]:
    return places.stores.listing(str(path))


class TestBareTags:
    """`oci:DIR:v1`: no repository is spoken of."""

    def test_they_are_written_as_they_stand(self, path: Path) -> None:
        bare = Layout(str(path), Repository("localhost", "store"), bare=True)
        one = image("one").push(bare, "v1")
        legacy_signature("x").push(bare, one.digest.tag + ".sig")
        names = [each["annotations"][NAME] for each in entries(path)]  # type: ignore[index]
        assert names == ["v1", one.digest.tag + ".sig"]
        assert [name for name, _ in Layout.images(str(path))] == ["v1"]
        found, selector = Layout.named(f"{path}:v1")
        assert found.resolve(selector) == one
        found.remove("v1")
        assert entries(path) == []

    def test_they_are_found_before_full_names(self, path: Path) -> None:
        image("full").push(Layout(str(path), Repository("localhost", "store")), "v1")
        image("bare").push(Layout(str(path), Repository("localhost", "store"), bare=True), "v1")
        found, selector = Layout.named(f"{path}:v1")
        assert found.resolve(selector) == image("bare").descriptor
        found.remove("v1")
        assert found.resolve("v1") == image("full").descriptor


class TestLargeContent:
    SIZE = 48 << 20

    def pieces(self) -> Iterator[bytes]:
        for number in range(self.SIZE >> 20):
            yield bytes([number]) * (1 << 20)

    def test_it_never_is_in_memory_as_a_whole(self, layout: Layout, path: Path) -> None:
        import hashlib
        import tracemalloc

        from bpfimg.oci import Digest

        hashed = hashlib.sha256()
        for piece in self.pieces():
            hashed.update(piece)
        layer = Descriptor("application/x", Digest("sha256", hashed.hexdigest()), self.SIZE)
        image().push(layout)
        tracemalloc.start()
        try:
            layout.push_stream(layer, self.pieces)
            assert sum(len(piece) for piece in layout.stream(layer)) == self.SIZE
            assert layout.exists(layer)
            layout.push_stream(layer, self.pieces)
            assert layout.adopt(layer, Layout(f"{path}/../store", Repository("x.test", "y")))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 8 << 20
        with pytest.raises(ImageError, match="at most"):
            layout.fetch(layer, limit=1 << 20)

    def test_a_source_that_breaks_leaves_nothing(self, layout: Layout, path: Path) -> None:
        layer = Descriptor.of(b"right", "application/x")

        def breaks() -> Iterator[bytes]:
            yield b"ri"
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            layout.push_stream(layer, breaks)
        assert os.listdir(path / "ingest") == []
        assert os.listdir(path / "blobs/sha256") == []

    def test_it_is_not_read_on_when_it_is_too_long(self, layout: Layout) -> None:
        def endless() -> Iterator[bytes]:
            while True:
                yield b"more"

        with pytest.raises(DigestMismatch, match="more bytes"):
            layout.push_stream(Descriptor.of(b"right", "application/x"), endless)


def test_content_is_shared_within_a_directory(layout: Layout, path: Path, tmp_path: Path) -> None:
    one = image()
    one.push(layout)
    other = Layout(str(path), Repository("other.test", "xdp"))
    elsewhere = Layout(str(tmp_path / "elsewhere"), REPOSITORY)
    assert other.adopt(one.blobs[1][0], layout)
    assert not elsewhere.adopt(one.blobs[1][0], layout)
    assert not layout.adopt(one.blobs[1][0], elsewhere)
    assert not other.adopt(Descriptor.of(b"not there", "application/x"), layout)
    blob(path, one.blobs[1][0]).write_bytes(b"altered")
    assert not other.adopt(one.blobs[1][0], layout)


def test_limits_are_those_of_the_caller(layout: Layout, path: Path) -> None:
    one = image().push(layout, "v1")
    for word in ("first", "second"):
        referrer(one, word).push(layout)
    strict = Layout(str(path), REPOSITORY, limits=places.Limits(document=100, blob=4, referrers=1, manifest_layers=0))
    with pytest.raises(ImageError, match="at most 100"):
        strict.fetch(one, limit=1000)
    with pytest.raises(ImageError, match="at most 4"):
        strict.fetch(image().blobs[1][0])
    assert strict.fetch(image().blobs[1][0], limit=100)
    few = Layout(str(path), REPOSITORY, limits=places.Limits(referrers=1))
    with pytest.raises(ImageError, match="2 referrers, expected at most 1"):
        few.referrers(one.digest)
    with pytest.raises(ImageError, match="expected at most 0"):
        image("two").push(Layout(str(path), REPOSITORY, limits=places.Limits(manifest_layers=0)))
    with pytest.raises(StoreError, match="would have"):
        image("two").push(Layout(str(path), REPOSITORY, limits=places.Limits(layout=1000)), "x" * 100)
    assert len(entries(path)) == 3


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

    def test_a_lock_that_was_removed_is_none(self, layout: Layout, path: Path) -> None:
        """Whoever waited for the old file must not think that it keeps out those who lock the new one."""
        image().push(layout, "v1")
        waiting = Layout(str(path), REPOSITORY, lock_timeout=30.0)
        inside = threading.Event()

        def wait() -> None:
            with waiting.lock():
                inside.set()
                with pytest.raises(LockTimeout):
                    image("two").push(Layout(str(path), REPOSITORY, lock_timeout=0.0), "v2")

        with layout.lock():
            waiter = threading.Thread(target=wait)
            waiter.start()
            while not lock_is_open_twice(path):
                time.sleep(0.001)
            (path / ".lock").unlink()
        waiter.join()
        assert inside.is_set()

    def test_an_error_inside_lets_go(self, layout: Layout, path: Path) -> None:
        with pytest.raises(ZeroDivisionError), layout.lock():
            _ = 1 / 0
        image().push(Layout(str(path), REPOSITORY, lock_timeout=0.0), "v1")


def lock_is_open_twice(path: Path) -> bool:
    names = []
    for name in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # the one that listed them
            names.append(os.readlink(f"/proc/self/fd/{name}"))
    return names.count(f"{path}/.lock") == 2


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
