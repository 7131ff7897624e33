"""Archives of images: what is in the file, when, and what is no longer."""

from __future__ import annotations

import itertools
import json
import os
import stat
from typing import TYPE_CHECKING, Any

import pytest

from bpfimg.errors import LockTimeout, NotFound, StoreError
from bpfimg.oci import Descriptor, Digest, Memory, Repository, copy, places
from tests.support.targets import LAYER, Image, image, index, legacy_signature, referrer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

REPOSITORY = Repository("registry.test", "acme/xdp")
OTHER = Repository("registry.test", "acme/tc")


@pytest.fixture(params=[False, True], ids=["oci-archive", "docker-archive"])
def docker(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "images.tar"


@pytest.fixture
def opened(path: Path, docker: bool) -> Callable[..., places.Archive]:
    def make(repository: Repository = REPOSITORY, **options: object) -> places.Archive:
        return places.Archive(str(path), repository, docker=docker, **options)  # type: ignore[arg-type]

    return make


def blobs(path: Path) -> set[str]:
    """The hex of the digests of all content in the file."""
    import tarfile

    with tarfile.open(path) as tar:
        return {name.rpartition("/")[2] for name in tar.getnames() if name.startswith("blobs/")}


def content(one: Image) -> set[str]:
    return {one.descriptor.digest.hex, *(descriptor.digest.hex for descriptor, _ in one.blobs)}


def test_the_file_appears_when_it_is_published(opened: Callable[..., places.Archive], path: Path) -> None:
    archive = opened()
    image().push(archive, "v1")
    assert os.listdir(path.parent) == []
    archive.publish()
    assert os.listdir(path.parent) == [path.name]
    assert opened().resolve("v1") == image().descriptor


def test_the_end_of_the_block_publishes(opened: Callable[..., places.Archive]) -> None:
    with opened() as archive:
        image().push(archive, "v1")
    assert opened().resolve("v1") == image().descriptor


def test_an_error_in_the_block_leaves_what_was_there(opened: Callable[..., places.Archive], path: Path) -> None:
    class Stop(Exception):  # noqa: N818
        pass

    def break_off() -> None:
        with opened() as archive:
            image("two").push(archive, "v1")
            raise Stop

    with pytest.raises(Stop):
        break_off()
    assert os.listdir(path.parent) == []
    with opened() as archive:
        image("one").push(archive, "v1")
    before = path.read_bytes()
    with pytest.raises(Stop):
        break_off()
    assert os.listdir(path.parent) == [path.name]
    assert path.read_bytes() == before


def test_what_was_discarded_is_gone(opened: Callable[..., places.Archive], path: Path) -> None:
    archive = opened()
    image().push(archive, "v1")
    archive.discard()
    with pytest.raises(NotFound):
        archive.resolve("v1")
    archive.close()
    assert os.listdir(path.parent) == []


def test_content_that_nothing_names_makes_no_file(opened: Callable[..., places.Archive], path: Path) -> None:
    with opened() as archive:
        image().push(archive)
    assert os.listdir(path.parent) == []


def test_reading_writes_nothing(opened: Callable[..., places.Archive], path: Path) -> None:
    with opened() as archive:
        image().push(archive, "v1")
    before = path.stat()
    with opened() as archive:
        assert archive.exists(image().descriptor)
        image().push(archive, "v1")  # the same again
    assert path.stat() == before or path.stat().st_mtime_ns == before.st_mtime_ns


def test_images_that_it_holds_stay(opened: Callable[..., places.Archive]) -> None:
    for repository, tag in itertools.product((REPOSITORY, OTHER), ("v1", "v2")):
        with opened(repository) as archive:
            image(f"{repository} {tag}").push(archive, tag)
    for repository, tag in itertools.product((REPOSITORY, OTHER), ("v1", "v2")):
        archive = opened(repository)
        assert archive.fetch(archive.resolve(tag)) == image(f"{repository} {tag}").manifest.raw


def test_what_a_tag_no_longer_names_goes(opened: Callable[..., places.Archive], path: Path) -> None:
    old, new = image("one"), image("two")
    with opened() as archive:
        old.push(archive, "v1")
        referrer(old.descriptor).push(archive)
        legacy_signature("old").push(archive, old.descriptor.digest.tag + ".sig")
    assert blobs(path) == content(old) | content(referrer(old.descriptor)) | content(legacy_signature("old"))
    with opened() as archive:
        new.push(archive, "v1")
    assert blobs(path) == content(new)
    assert opened().referrers(old.descriptor.digest) == ()
    with pytest.raises(NotFound):
        opened().resolve(old.descriptor.digest.tag + ".sig")


def test_evidence_about_what_stays_stays(opened: Callable[..., places.Archive]) -> None:
    both = image("one"), image("two", "arm64")
    with opened() as archive:
        for one in both:
            one.push(archive)
        archive.push(index(*both).descriptor, index(*both).raw, tag="multi")
        for one in both:
            referrer(one.descriptor).push(archive)  # of children that only the index names
            referrer(referrer(one.descriptor).descriptor, "deeper").push(archive)
        legacy_signature("x").push(archive, both[1].descriptor.digest.tag + ".sig")
        referrer(Descriptor.of(b"elsewhere", LAYER)).push(archive)  # its subject is not here
    with opened() as archive:
        image("three").push(archive, "v3")
    archive = opened()
    for one in both:
        assert len(archive.referrers(one.descriptor.digest)) == 1
        assert len(archive.referrers(referrer(one.descriptor).descriptor.digest)) == 1
    assert archive.resolve(both[1].descriptor.digest.tag + ".sig")
    assert len(archive.referrers(Digest.of(b"elsewhere"))) == 1


def test_what_is_kept_by_its_digest_stays(opened: Callable[..., places.Archive]) -> None:
    with opened() as archive:
        image().push(archive)
        archive.keep(image().descriptor)
    with opened() as archive:
        image("two").push(archive, "v2")
    assert opened().resolve(image().descriptor.digest) == image().descriptor


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_same_content_gives_the_same_bytes(
    order: tuple[int, ...], opened: Callable[..., places.Archive], path: Path, tmp_path: Path, docker: bool
) -> None:
    words = "one", "two", "three"
    with places.Archive(str(tmp_path / "first.tar"), REPOSITORY, docker=docker) as archive:
        for word in words:
            image(word).push(archive, word)
            referrer(image(word).descriptor).push(archive)
    with opened() as archive:
        image("passing").push(archive, "two")  # replaced below
        for number in order[:2]:
            image(words[number]).push(archive, words[number])
            referrer(image(words[number]).descriptor).push(archive)
    with opened() as archive:
        referrer(image(words[order[2]]).descriptor).push(archive)
        image(words[order[2]]).push(archive, words[order[2]])
        image("two").push(archive, "two")
    assert path.read_bytes() == (tmp_path / "first.tar").read_bytes()


def test_several_repositories_are_published_together(opened: Callable[..., places.Archive], path: Path) -> None:
    with opened() as archive:
        for number in range(5):
            image(str(number)).push(archive.beside(Repository("registry.test", f"acme/n{number}")), "v1")
        assert os.listdir(path.parent) == []
    for number in range(5):
        found = opened(Repository("registry.test", f"acme/n{number}")).resolve("v1")
        assert found == image(str(number)).descriptor


def test_two_writers_lose_nothing(opened: Callable[..., places.Archive]) -> None:
    with opened() as archive:
        image("old").push(archive, "v0")
    one, two = opened(), opened()
    image("one").push(one, "v1")
    image("two").push(two, "v2")
    image("one").push(one, "both")
    image("two").push(two, "both")
    one.close()
    two.close()
    found = opened()
    assert [found.resolve(tag) for tag in ("v0", "v1", "v2")] == [image(w).descriptor for w in ("old", "one", "two")]
    assert found.resolve("both") == image("two").descriptor


def test_content_that_another_writer_took_away_is_written_again(opened: Callable[..., places.Archive]) -> None:
    with opened() as archive:
        image("shared").push(archive, "v1")
    writer = opened()
    assert writer.exists(image("shared").descriptor)  # so it is not pushed
    writer.tag(image("shared").descriptor, "v2")
    with opened() as other:
        image("new").push(other, "v1")
        other.tag(image("new").descriptor, "v3")
    writer.close()
    found = opened()
    assert found.fetch(found.resolve("v2")) == image("shared").manifest.raw
    for descriptor, raw in image("shared").blobs:
        assert found.fetch(descriptor) == raw


def test_an_open_archive_is_a_snapshot(opened: Callable[..., places.Archive]) -> None:
    with opened() as archive:
        image("one").push(archive, "v1")
    reader = opened()
    assert reader.resolve("v1") == image("one").descriptor
    with opened() as archive:
        image("two").push(archive, "v1")
    assert reader.fetch(reader.resolve("v1")) == image("one").manifest.raw
    assert opened().resolve("v1") == image("two").descriptor


def test_what_was_published_can_be_read_and_added_to(opened: Callable[..., places.Archive]) -> None:
    archive = opened()
    for word in ("one", "two"):
        image(word).push(archive, word)
        archive.publish()
        assert archive.fetch(archive.resolve(word)) == image(word).manifest.raw
    archive.close()
    archive.close()
    assert archive.resolve("one") == image("one").descriptor


def test_a_link_to_the_file_stays_a_link(tmp_path: Path, docker: bool) -> None:
    (tmp_path / "there").mkdir()
    link, real = tmp_path / "link.tar", tmp_path / "there" / "images.tar"
    link.symlink_to(real)
    for word in ("one", "two"):
        with places.Archive(str(link), REPOSITORY, docker=docker) as archive:
            image(word).push(archive, word)
    assert link.is_symlink()
    assert os.listdir(real.parent) == ["images.tar"]


def test_the_file_keeps_its_mode(opened: Callable[..., places.Archive], path: Path) -> None:
    with opened() as archive:
        image("one").push(archive, "v1")
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644 & ~mask
    path.chmod(0o600)
    with opened() as archive:
        image("two").push(archive, "v2")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_killed_writers_draft_is_the_next_ones(opened: Callable[..., places.Archive], path: Path) -> None:
    (path.parent / f".{path.name}.bpfimg-draft").write_bytes(b"half an archive" * 100_000)
    with opened() as archive:
        image().push(archive, "v1")
    assert os.listdir(path.parent) == [path.name]
    assert opened().resolve("v1") == image().descriptor


@pytest.mark.parametrize("what", ["link", "folder", "hard link", "fifo"])
def test_a_draft_that_is_not_ours_is_not_written_to(
    what: str, opened: Callable[..., places.Archive], path: Path
) -> None:
    draft, precious = path.parent / f".{path.name}.bpfimg-draft", path.parent / "precious"
    precious.write_bytes(b"precious")
    if what == "link":
        draft.symlink_to(precious)
    elif what == "folder":
        draft.mkdir()
    elif what == "fifo":
        os.mkfifo(draft)
    else:
        draft.hardlink_to(precious)
    archive = opened()
    image().push(archive, "v1")
    with pytest.raises(StoreError):
        archive.publish()
    assert precious.read_bytes() == b"precious"
    assert not path.exists()


def test_a_writer_waits_for_the_other(opened: Callable[..., places.Archive], path: Path) -> None:
    import fcntl

    archive = opened(lock_timeout=0.05)
    image().push(archive, "v1")
    with (path.parent / f".{path.name}.bpfimg-draft").open("w") as draft:
        fcntl.flock(draft, fcntl.LOCK_EX)
        with pytest.raises(LockTimeout, match="locked by another writer"):
            archive.publish()
    archive.publish()  # nothing was forgotten
    assert opened().resolve("v1") == image().descriptor


@pytest.mark.parametrize("content", [b"", b"some text\n", b"x" * 4096, bytes(4096)])
def test_a_file_that_is_no_archive_is_not_written_to(
    content: bytes, opened: Callable[..., places.Archive], path: Path
) -> None:
    path.write_bytes(content)
    archive = opened()
    with pytest.raises(StoreError, match=r"images\.tar"):
        image().push(archive, "v1")
    archive.close()
    assert path.read_bytes() == content
    assert os.listdir(path.parent) == [path.name]


def test_a_missing_folder_is_named(tmp_path: Path, docker: bool) -> None:
    archive = places.Archive(str(tmp_path / "no" / "images.tar"), REPOSITORY, docker=docker)
    with pytest.raises(StoreError, match=r"cannot write .*/no/images\.tar: No such file") as caught:
        image().push(archive, "v1")
    assert caught.value.hint == "make the directory first"


def test_a_missing_file_holds_nothing(opened: Callable[..., places.Archive]) -> None:
    archive = opened()
    with pytest.raises(NotFound, match=r"the archive .* has no registry\.test/acme/xdp:v1"):
        archive.resolve("v1")
    assert archive.referrers(image().descriptor.digest) == ()


def test_one_kind_of_archive_says_so_when_the_other_is_asked_for(tmp_path: Path) -> None:
    oci, saved = str(tmp_path / "oci.tar"), str(tmp_path / "docker.tar")
    with places.Archive(oci, REPOSITORY) as archive:
        referrer(image().descriptor).push(archive, "v1")  # nothing in it that docker loads
    with pytest.raises(StoreError, match=r"holds no manifest\.json") as caught:
        places.Archive(oci, REPOSITORY, docker=True).resolve("v1")
    assert caught.value.hint == f"it is an OCI archive: oci-archive:{oci}"
    with places.Archive(saved, REPOSITORY, docker=True) as archive:
        image().push(archive, "v1")
    assert places.Archive(saved, REPOSITORY).resolve("v1") == image().descriptor  # it holds a layout, too


def test_bare_tags_are_found_beside_full_names(tmp_path: Path) -> None:
    path = str(tmp_path / "oci.tar")
    with places.Archive(path, REPOSITORY) as archive:
        image("full").push(archive, "v1")
    for word in ("one", "two"):
        with places.Archive(path, REPOSITORY, bare=True) as archive:
            image(word).push(archive, "v1")
            assert archive.resolve("v1") == image(word).descriptor
    assert places.Archive(path, REPOSITORY).resolve("v1") == image("full").descriptor
    archive, selector = places.Archive.named(f"{path}:v1", docker=False)
    assert archive.resolve(selector) == image("two").descriptor
    assert {tuple(each["RepoTags"] or ()) for each in docker_list(path)} == {(), (f"{REPOSITORY}:v1",)}


def test_copy_brings_signatures_and_children(opened: Callable[..., places.Archive]) -> None:
    memory = Memory(REPOSITORY)
    both = image("one"), image("two", "arm64")
    for one in both:
        one.push(memory)
        referrer(one.descriptor).push(memory)
    memory.push(index(*both).descriptor, index(*both).raw, tag="v1")
    legacy_signature("x").push(memory, both[0].descriptor.digest.tag + ".sig")
    with opened() as archive:
        copy(memory, "v1", archive, "v1")
    back = Memory(REPOSITORY)
    assert copy(opened(), "v1", back, "v1") == index(*both).descriptor
    for one in both:
        assert [each.digest for each in back.referrers(one.descriptor.digest)] == [
            referrer(one.descriptor).descriptor.digest
        ]
    assert back.resolve(both[0].descriptor.digest.tag + ".sig") == legacy_signature("x").descriptor


def docker_list(path: str) -> list[dict[str, Any]]:
    import tarfile

    with tarfile.open(path) as tar:
        member = tar.extractfile("manifest.json")
        assert member
        found: list[dict[str, Any]] = json.load(member)
        return found


def test_docker_is_told_what_it_can_load(opened: Callable[..., places.Archive], docker: bool, path: Path) -> None:
    said: list[str] = []
    both = image("one"), image("two", "arm64")
    with opened(warn=said.append) as archive:
        for one in both:
            one.push(archive)
        archive.push(index(*both).descriptor, index(*both).raw, tag="multi")
        image("one").push(archive, "same")
        image("three").push(archive, "v3")
        referrer(image("three").descriptor).push(archive)
        legacy_signature("x").push(archive, image("three").descriptor.digest.tag + ".sig")
        referrer(image("three").descriptor).push(archive, "artifact")
    listed = docker_list(str(path))
    tags = [each["RepoTags"] for each in listed]
    assert sorted(tag for names in tags for tag in names) == [f"{REPOSITORY}:{tag}" for tag in ("multi", "same", "v3")]
    (three,) = [each for each in listed if each["RepoTags"] == [f"{REPOSITORY}:v3"]]
    config, layer = (descriptor.digest.hex for descriptor, _ in image("three").blobs)
    assert three == {
        "Config": f"blobs/sha256/{config}",
        "RepoTags": [f"{REPOSITORY}:v3"],
        "Layers": [f"blobs/sha256/{layer}"],
    }
    assert said == docker * [
        f"{path} holds {REPOSITORY}:artifact for other tools alone: docker and podman load images with layers of "
        "files, not artifacts"
    ]
