"""What nothing names goes; everything else stays, whoever is writing at the time."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import LockTimeout, NotFound, StoreError
from bpfimg.oci import Descriptor, Digest, Index, Layout, Manifest, Repository, places
from tests.support.targets import EMPTY, Image, image, index, legacy_signature, referrer

if TYPE_CHECKING:
    from pathlib import Path

REPOSITORY = Repository("registry.test", "acme/xdp")
NAME = "org.opencontainers.image.ref.name"


@pytest.fixture
def layout(path: Path) -> Layout:
    return Layout(str(path), REPOSITORY, short_names=False)


def age(path: Path) -> None:
    """Makes everything two hours old."""
    for folder, _, files in os.walk(path):
        for name in files:
            found = os.stat(f"{folder}/{name}", follow_symlinks=False)
            os.utime(f"{folder}/{name}", (found.st_atime - 7200, found.st_mtime - 7200), follow_symlinks=False)


def there(path: Path) -> set[str]:
    return {f"{folder.name}:{blob.name}" for folder in (path / "blobs").iterdir() for blob in folder.iterdir()}


def digests(*images: Image) -> set[str]:
    return {str(one.digest) for each in images for one in (each.descriptor, *(part for part, _ in each.blobs))}


def prune(path: Path, **more: object) -> places.stores.Pruned:
    return places.stores.prune(str(path), **more)  # type: ignore[arg-type]


def edit(path: Path, change: object) -> None:
    document = json.loads((path / "index.json").read_text())
    document["manifests"] = change(document["manifests"])  # type: ignore[operator]
    (path / "index.json").write_text(json.dumps(document))


class TestWhatGoes:
    def test_an_image_without_a_name(self, layout: Layout, path: Path) -> None:
        image("one").push(layout, "v1")
        image("two").push(layout, "v2")
        layout.remove("v2")
        age(path)
        done = prune(path)
        gone = digests(image("two")) - digests(image("one"))
        assert {str(digest) for digest, _ in done.removed} == gone
        assert there(path) == digests(image("one"))
        assert done.freed == sum(size for _, size in done.removed) > 0
        assert prune(path) == places.stores.Pruned()
        assert places.stores.fsck(str(path)).problems == ()

    def test_a_dry_run_removes_nothing(self, layout: Layout, path: Path) -> None:
        image("two").push(layout)
        (path / "ingest/17-00aa00aa00aa").write_bytes(b"half")
        age(path)
        before = there(path)
        done = prune(path, dry_run=True)
        assert {str(digest) for digest, _ in done.removed} == before
        assert done.drafts == (4,)
        assert there(path) == before
        assert prune(path) == done
        assert there(path) == set()

    def test_drafts_of_writers_that_died(self, layout: Layout, path: Path) -> None:
        image().push(layout, "v1")
        for name in ("17-00aa00aa00aa", "theirs"):
            (path / "ingest" / name).write_bytes(b"half")
        age(path)
        (path / "ingest/18-11bb11bb11bb").write_bytes(b"being written")
        assert prune(path, older=0.0).drafts == (4,)
        assert sorted(os.listdir(path / "ingest")) == ["18-11bb11bb11bb", "theirs"]

    def test_what_is_known_about_images_that_moved_on(self, layout: Layout, path: Path) -> None:
        """A tag that moves every day must not leave all of its signatures behind."""
        for word in ("old", "new"):
            one = image(word).push(layout, "v1")
            referrer(one, word).push(layout)
            referrer(referrer(one, word).descriptor, f"about {word}").push(layout)
            legacy_signature(word).push(layout, one.digest.tag + ".sig")
        age(path)
        done = prune(path)
        assert len(done.forgotten) == 3
        new = image("new")
        evidence = referrer(new.descriptor, "new")
        assert there(path) == digests(
            new, evidence, referrer(evidence.descriptor, "about new"), legacy_signature("new")
        )
        assert [one.annotations["word"] for one in layout.referrers(new.descriptor.digest)] == ["new"]
        assert len(json.loads((path / "index.json").read_text())["manifests"]) == 4

    def test_nothing_there(self, path: Path) -> None:
        assert prune(path) == places.stores.Pruned()
        assert not path.exists()


class TestWhatStays:
    def test_what_is_young(self, layout: Layout, path: Path) -> None:
        """A writer puts content there before it names it, and touches what it finds there."""
        image("one").push(layout)
        image("two").push(layout)
        age(path)
        layout.exists(image("one").blobs[1][0])
        done = prune(path)
        assert there(path) == {str(image("one").blobs[1][0].digest)}
        assert done.spared == (image("one").blobs[1][0].size,)
        assert prune(path, older=0.0).spared == ()
        assert there(path) == set()

    def test_what_is_about_something_that_is_on_its_way(self, layout: Layout, path: Path) -> None:
        """A copy brings signatures before the tag."""
        one = image().push(layout)
        referrer(one).push(layout)
        legacy_signature("x").push(layout, one.digest.tag + ".sig")
        prune(path)
        layout.tag(one, "v1")
        assert len(layout.referrers(one.digest)) == 1
        assert layout.resolve(one.digest.tag + ".sig")
        assert places.stores.fsck(str(path)).problems == ()

    def test_what_is_kept_by_its_digest(self, layout: Layout, path: Path) -> None:
        one = image().push(layout)
        layout.keep(one)
        referrer(one).push(layout)
        age(path)
        assert prune(path) == places.stores.Pruned()
        layout.remove(one.digest)
        assert len(prune(path).removed) == len(digests(image(), referrer(one)))

    def test_all_that_an_index_leads_to(self, layout: Layout, path: Path) -> None:
        images = image("one", "amd64"), image("two", "arm64"), image("never pulled", "s390x")
        for one in images[:2]:
            one.push(layout)
            referrer(one.descriptor, str(one.descriptor.digest)).push(layout)
        both = index(*images)
        layout.push(both.descriptor, both.raw)
        nested = Index.build([both.descriptor])
        layout.push(nested.descriptor, nested.raw, tag="multi")
        age(path)
        assert prune(path) == places.stores.Pruned()
        assert places.stores.fsck(str(path)).problems == ()

    def test_the_images_of_loaded_programs(self, layout: Layout, path: Path) -> None:
        one = image().push(layout, "v1")
        layout.remove("v1")
        age(path)
        assert prune(path, keep=[one.digest, Digest.of(b"not there")]) == places.stores.Pruned()
        assert there(path) == digests(image())

    def test_what_other_tools_put_there(self, layout: Layout, path: Path) -> None:
        """An image without a name, and a document of a kind that nobody here knows, with all that it speaks of."""
        nameless, blobs = image("nameless"), [b"artifact blob", b'{"more":"json"}']
        strange = json.dumps({"blobs": [{"digest": str(Digest.of(blob))} for blob in blobs]}).encode()
        kind = "application/vnd.oci.artifact.manifest.v1+json"
        nameless.push(layout)
        for blob in blobs:
            layout.push(Descriptor.of(blob, "application/x"), blob)
        layout.push(Descriptor.of(strange, kind), strange)
        theirs = [nameless.descriptor.to_dict(), Descriptor.of(strange, kind).to_dict()]
        edit(path, lambda entries: [*entries, *theirs])
        age(path)
        assert prune(path) == places.stores.Pruned()
        edit(path, lambda entries: [])
        assert len(prune(path).removed) == 3 + 3

    def test_a_referrer_that_another_tool_listed(self, layout: Layout, path: Path) -> None:
        one = image().push(layout, "v1")
        theirs = referrer(one, "theirs")
        theirs.push(layout)
        edit(path, lambda entries: [entries[0], {**theirs.descriptor.to_dict()}])
        age(path)
        assert prune(path) == places.stores.Pruned()
        layout.remove("v1")
        assert len(prune(path).forgotten) == 1
        assert there(path) == set()

    def test_files_that_are_not_the_stores(self, layout: Layout, path: Path) -> None:
        image().push(layout)
        age(path)
        (path / "blobs/sha256/README").write_text("mine")
        (path / "blobs/md5").mkdir()
        (path / "blobs/sha512").symlink_to("sha256")
        (path / "blobs/sha256" / ("a" * 64)).mkdir()
        (path / "blobs/sha256" / ("b" * 64)).symlink_to("/etc/passwd")
        os.mkfifo(path / "blobs/sha256" / ("c" * 64))
        age(path)
        done = prune(path)
        assert sorted(done.foreign) == [
            "blobs/md5",
            "blobs/sha256/README",
            *(f"blobs/sha256/{letter * 64}" for letter in "abc"),
            "blobs/sha512",
        ]
        assert len(done.removed) == 3


class TestNothingIsGuessed:
    """Where it is not known what belongs to an image, its parts look as if nobody needed them: nothing is removed."""

    @pytest.fixture
    def stray(self, layout: Layout, path: Path) -> Path:
        image("one").push(layout, "v1")
        image("stray").push(layout)
        age(path)
        return path / "blobs/sha256" / image("stray").blobs[1][0].digest.hex

    @pytest.mark.parametrize(
        "entry", ["strange", 7, {}, {"digest": "sha256:../../x"}, {"annotations": {NAME: "v2"}}, None]
    )
    def test_an_entry_that_cannot_be_understood(self, path: Path, stray: Path, entry: object) -> None:
        edit(path, lambda entries: [*entries, entry])
        with pytest.raises(StoreError, match="nothing is removed") as refused:
            prune(path)
        assert "index.json" in refused.value.hint
        assert stray.exists()

    @pytest.mark.parametrize("content", [b"altered", b"{}", None])
    def test_a_manifest_that_is_not_there_whole(
        self, layout: Layout, path: Path, stray: Path, content: bytes | None
    ) -> None:
        manifest = path / "blobs/sha256" / image("one").descriptor.digest.hex
        manifest.unlink()
        if content is not None:
            manifest.write_bytes(content)
        with pytest.raises(StoreError, match="is not known") as refused:
            prune(path)
        assert "bpfimg rm" in refused.value.hint
        assert stray.exists()
        layout.remove("v1")
        prune(path)
        assert not stray.exists()

    def test_a_subject_that_is_none(self, path: Path, stray: Path) -> None:
        edit(path, lambda entries: [*entries, {**EMPTY.to_dict(), "annotations": {"dev.bpfimg.subject": "x"}}])
        with pytest.raises(StoreError, match="is not a digest"):
            prune(path)
        assert stray.exists()

    def test_an_index_json_that_cannot_be_read(self, path: Path, stray: Path) -> None:
        (path / "index.json").write_text("{")
        with pytest.raises(StoreError, match="not valid JSON"):
            prune(path)
        assert stray.exists()

    def test_two_entries_in_one_line(self, path: Path, stray: Path) -> None:
        """The index is read by lines: two in one would be taken for something that cannot be."""
        index = path / "index.json"
        line = index.read_bytes().splitlines()[1]
        index.write_bytes(index.read_bytes().replace(line, b"%s,%s" % (line.rstrip(b","), line)))
        with pytest.raises(StoreError, match="not valid JSON"):
            prune(path)
        assert stray.exists()

    def test_more_than_the_limits(self, path: Path, stray: Path) -> None:
        with pytest.raises(StoreError, match="expected at most 100"):
            prune(path, limits=places.Limits(document=100))
        assert stray.exists()


class TestBesideWriters:
    def test_it_waits_for_them(self, layout: Layout, path: Path) -> None:
        image().push(layout)
        age(path)
        with layout.lock(), pytest.raises(LockTimeout):
            prune(path, lock_timeout=0.0)
        with layout.lock():
            assert prune(path, dry_run=True).removed, "looking waits for nobody"

    def test_content_that_is_found_while_it_goes(
        self, layout: Layout, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A pull finds an old blob, and relies on it, at the very moment before it is set aside."""
        one = image()
        one.push(layout)
        age(path)
        rename, found = os.rename, []

        def touched(*names: str, **folders: int) -> None:
            found.append(layout.exists(one.blobs[1][0]))
            rename(*names, **folders)
            found.append(layout.exists(one.blobs[0][0]))

        with monkeypatch.context() as patch:
            patch.setattr(os, "rename", touched)
            prune(path)
        for part, content in one.blobs:
            if not layout.exists(part):
                layout.push(part, content)
        layout.push(one.descriptor, one.manifest.raw, tag="v1")
        assert places.stores.fsck(str(path)).problems == ()
        assert Manifest.parse(layout.fetch(layout.resolve("v1"))) == one.manifest

    def test_a_name_is_not_given_to_what_has_gone(self, layout: Layout, path: Path) -> None:
        one = image().push(layout)
        prune(path, older=0.0)
        with pytest.raises(NotFound):
            layout.tag(one, "v1")
        with pytest.raises(NotFound):
            layout.keep(one)
        assert json.loads((path / "index.json").read_text())["manifests"] == []


@pytest.mark.parametrize("name", ["blobs", "blobs/sha256", "ingest"])
def test_a_link_does_not_lead_it_out_of_the_store(layout: Layout, path: Path, tmp_path: Path, name: str) -> None:
    image().push(layout)
    age(path)
    outside = tmp_path / "outside"
    (path / name).rename(outside)
    (path / name).symlink_to(outside)
    (outside / "17-00aa00aa00aa").write_text("kept")
    age(outside)
    before = sorted(outside.rglob("*"))
    if name == "blobs/sha256":
        assert prune(path).foreign == (name,)
    else:
        with pytest.raises(StoreError, match="Not a directory"):
            prune(path)
    assert sorted(outside.rglob("*")) == before
