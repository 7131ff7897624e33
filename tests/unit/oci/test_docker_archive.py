"""Archives of `docker save`: every shape that docker, podman, skopeo and crane give them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import NotFound, StoreError, UsageError
from bpfimg.oci import Descriptor, Digest, Manifest, Memory, Repository, copy, places
from tests.support.archives import LAYOUT, config, layer, listed, saved, write
from tests.support.targets import image, legacy_signature, referrer
from tests.support.tars import archive as archive_of
from tests.support.tars import entry, gzipped

if TYPE_CHECKING:
    from pathlib import Path

REPOSITORY = Repository("registry.test", "acme/xdp")
NAME = "registry.test/acme/xdp:v1"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar"
V2S2 = "application/vnd.docker.distribution.manifest.v2+json"


@pytest.mark.parametrize("form", ["docker", "podman", "crane"])
def test_a_manifest_is_made_and_people_are_told(form: str, tmp_path: Path) -> None:
    said: list[str] = []
    path = write(tmp_path / "x.tar", saved(NAME, form=form))
    archive = places.Archive(path, REPOSITORY, docker=True, warn=said.append)
    found = archive.resolve("v1")
    manifest = Manifest.parse(archive.fetch(found), found.media_type)
    one = layer()
    stored = gzipped(one) if form == "crane" else one
    kind = LAYER + ".gzip" if form == "crane" else LAYER
    assert found.media_type == V2S2
    assert manifest.config == Descriptor.of(config(one), CONFIG)
    assert manifest.layers == (Descriptor.of(stored, kind),)
    assert archive.fetch(manifest.layers[0]) == stored
    assert archive.fetch(manifest.config) == config(one)
    assert archive.resolve(found.digest) == found
    assert said == [
        f"{path} holds {NAME} without its manifest: one is made here ({found.digest}), which no signature in a "
        "registry is about"
    ]


def test_the_manifest_is_always_the_same(tmp_path: Path) -> None:
    digests = set()
    for number, form in enumerate(("docker", "podman", "docker")):
        path = write(tmp_path / f"{number}.tar", saved(NAME, "other:v2", form=form))
        digests.add(places.Archive(path, REPOSITORY, docker=True).resolve("v1").digest)
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("saved_as", "repository", "tag"),
    [
        ("busybox:latest", Repository("docker.io", "library/busybox"), "latest"),
        ("me/tool:v1", Repository("docker.io", "me/tool"), "v1"),
        ("docker.io/library/busybox:v2", Repository("docker.io", "library/busybox"), "v2"),
        ("localhost/x:latest", Repository("localhost", "x"), "latest"),
        ("127.0.0.1:5000/x/y:z", Repository("127.0.0.1:5000", "x/y"), "z"),
    ],
)
def test_names_are_docker_names(saved_as: str, repository: Repository, tag: str, tmp_path: Path) -> None:
    path = write(tmp_path / "x.tar", saved(saved_as))
    archive = places.Archive(path, repository, docker=True)
    assert archive.resolve(tag).media_type == V2S2
    with pytest.raises(NotFound):
        archive.resolve("other")
    with pytest.raises(NotFound):
        places.Archive(path, Repository("registry.test", "other"), docker=True).resolve(tag)


def test_several_images_and_only_the_one_that_is_asked_for_is_read(tmp_path: Path) -> None:
    one, two = layer("one"), layer("two")
    files = {
        "c1": config(one), "l1": one, "c2": config(two), "l2": b"not what the config says",
        "manifest.json": listed([
            {"Config": "c1", "RepoTags": [NAME, "acme/same:v9"], "Layers": ["l1"]},
            {"Config": "c2", "RepoTags": ["acme/two:v1"], "Layers": ["l2"]},
            {"Config": "gone", "RepoTags": None, "Layers": None},
        ]),
    }  # fmt: skip
    path = write(tmp_path / "x.tar", files)
    found = places.Archive(path, REPOSITORY, docker=True).resolve("v1")
    assert places.Archive(path, Repository.parse("acme/same"), docker=True).resolve("v9") == found


def test_a_layer_may_stand_twice_in_an_image(tmp_path: Path) -> None:
    one = layer()
    files = {
        "c": config(one, one),
        "l": one,
        "manifest.json": listed([{"Config": "c", "RepoTags": [NAME], "Layers": ["l", "l"]}]),
    }
    archive = places.Archive(write(tmp_path / "x.tar", files), REPOSITORY, docker=True)
    found = archive.resolve("v1")
    assert len(Manifest.parse(archive.fetch(found), found.media_type).layers) == 2
    memory = Memory(REPOSITORY)
    assert copy(archive, "v1", memory, "v1") == found


def test_a_config_may_stand_twice_in_an_archive(tmp_path: Path) -> None:
    """crane: two names of one image. Two files of one name that differ are refused."""
    one = layer()
    names = [{"Config": "c", "RepoTags": [name], "Layers": ["l"]} for name in (NAME, "acme/again:v1")]
    parts = entry("c", config(one)), entry("l", one), entry("manifest.json", listed(names))
    path = tmp_path / "x.tar"
    path.write_bytes(archive_of(*parts, parts[0]))
    found = places.Archive(str(path), REPOSITORY, docker=True).resolve("v1")
    assert places.Archive(str(path), Repository.parse("acme/again"), docker=True).resolve("v1") == found
    for second in (config(one).replace(b"amd64", b"arm64"), config(one) + b" "):
        path.write_bytes(archive_of(*parts, entry("c", second)))
        with pytest.raises(StoreError, match="two entries named 'c'"):
            places.Archive(str(path), REPOSITORY, docker=True).resolve("v1")
    path.write_bytes(archive_of(*parts, *parts[:1] * 9))
    limits = places.Limits(blob=9 * len(config(one)) - 1)
    with pytest.raises(StoreError, match="two entries named 'c'"):
        places.Archive(str(path), REPOSITORY, docker=True, limits=limits).resolve("v1")


def test_the_layout_decides_where_there_is_one(tmp_path: Path) -> None:
    """docker since 25: a layout whose entries have a bare tag and containerd's full name."""
    said: list[str] = []
    one = image()
    index = {
        "schemaVersion": 2,
        "manifests": [
            {
                **one.descriptor.to_dict(),
                "annotations": {
                    "io.containerd.image.name": "docker.io/library/tool:v1",
                    "org.opencontainers.image.ref.name": "v1",
                },
            }
        ],
    }
    blobs = {f"blobs/sha256/{descriptor.digest.hex}": content for descriptor, content in one.blobs}
    blobs[f"blobs/sha256/{one.descriptor.digest.hex}"] = one.manifest.raw
    paths = [f"blobs/sha256/{descriptor.digest.hex}" for descriptor, _ in one.blobs]
    tags = listed([{"Config": paths[0], "RepoTags": ["tool:v1"], "Layers": paths[1:]}])
    files = {"oci-layout": LAYOUT, "index.json": json.dumps(index).encode(), "manifest.json": tags, **blobs}
    path = write(tmp_path / "x.tar", files)
    archive = places.Archive(path, Repository.parse("tool"), docker=True, warn=said.append)
    assert archive.resolve("v1") == one.descriptor
    found, selector = places.Archive.named(f"{path}:tool:v1", docker=True)
    assert found.resolve(selector) == one.descriptor
    found, selector = places.Archive.named(path, docker=True)
    assert (found.repository, selector) == (Repository.parse("tool"), "v1")
    assert places.Archive(path, REPOSITORY).resolve("v1") == one.descriptor  # as an OCI archive: by its bare tag
    assert said == []
    with places.Archive(path, Repository.parse("tool"), docker=True) as archive:
        image("two").push(archive, "v1")
    found, selector = places.Archive.named(path, docker=True)  # the tag was replaced, there are no two of that name
    assert found.resolve(selector) == image("two").descriptor


@pytest.mark.parametrize("form", ["docker", "podman", "crane"])
def test_images_of_docker_save_stay_when_one_is_added(form: str, tmp_path: Path) -> None:
    said: list[str] = []
    path = write(tmp_path / "x.tar", saved(NAME, form=form))
    before = places.Archive(path, REPOSITORY, docker=True).resolve("v1")
    with places.Archive(path, REPOSITORY, docker=True, warn=said.append) as archive:
        image("two").push(archive, "v2")
    assert len(said) == 1
    archive = places.Archive(path, REPOSITORY, docker=True, warn=said.append)
    assert archive.resolve("v1") == before
    assert copy(archive, "v1", Memory(REPOSITORY), "v1") == before
    assert archive.resolve("v2") == image("two").descriptor
    assert len(said) == 1  # from now on it has its manifest


def test_files_of_others_are_not_lost(tmp_path: Path) -> None:
    path = write(tmp_path / "x.tar", {**saved(NAME), "diary.txt": b"dear"})
    before = (tmp_path / "x.tar").read_bytes()
    archive = places.Archive(path, REPOSITORY, docker=True)
    assert archive.resolve("v1")
    with pytest.raises(StoreError, match=r"holds 'diary\.txt', which is no part of an archive of images"):
        image().push(archive, "v2")
    archive.close()
    assert (tmp_path / "x.tar").read_bytes() == before


def test_older_than_manifests(tmp_path: Path) -> None:
    path = write(tmp_path / "x.tar", {"repositories": b'{"tool":{"v1":"abc"}}', "abc/layer.tar": layer()})
    with pytest.raises(StoreError, match=r"holds no manifest\.json, expected an archive of docker save"):
        places.Archive(path, REPOSITORY, docker=True).resolve("v1")
    with pytest.raises(StoreError, match="holds no oci-layout"):
        places.Archive(path, REPOSITORY).resolve("v1")


# names


def test_the_only_image_needs_no_name(tmp_path: Path) -> None:
    path = write(tmp_path / "x.tar", saved(NAME, "registry.test/acme/xdp:again"))
    archive, selector = places.Archive.named(path, docker=True)
    assert (archive.repository, selector) == (REPOSITORY, "v1")
    bare = write(tmp_path / "Bare Image.tar", saved())
    archive, selector = places.Archive.named(bare, docker=True)
    assert archive.repository == Repository("localhost", "bare-image-tar")
    assert isinstance(selector, Digest)
    assert archive.resolve(selector).media_type == V2S2


def test_several_images_are_named(tmp_path: Path) -> None:
    path = str(tmp_path / "x.tar")
    for docker in (False, True):
        with places.Archive(path, REPOSITORY, docker=docker) as archive:
            image("one").push(archive, "v1")
            image("two").push(archive, "v2")
        with pytest.raises(NotFound, match=r"holds 2 named images .*acme/xdp:v1, registry\.test/acme/xdp:v2"):
            places.Archive.named(path, docker=docker)
        found, selector = places.Archive.named(f"{path}:{REPOSITORY}:v2", docker=docker)
        assert found.resolve(selector) == image("two").descriptor
        found, selector = places.Archive.named(f"{path}:{REPOSITORY}@{image('one').descriptor.digest}", docker=docker)
        assert found.resolve(selector) == image("one").descriptor
        (tmp_path / "x.tar").unlink()


def test_signatures_are_no_images(tmp_path: Path) -> None:
    path = str(tmp_path / "x.tar")
    with places.Archive(path, REPOSITORY) as archive:
        one = image().push(archive, "v1")
        referrer(one).push(archive)
        legacy_signature("x").push(archive, one.digest.tag + ".sig")
    archive, selector = places.Archive.named(path, docker=False)
    assert (archive.repository, selector) == (REPOSITORY, "v1")


def test_short_names_and_none(tmp_path: Path) -> None:
    one = image()
    blobs = {f"blobs/sha256/{descriptor.digest.hex}": content for descriptor, content in one.blobs}
    blobs[f"blobs/sha256/{one.descriptor.digest.hex}"] = one.manifest.raw
    for names in ({}, {"org.opencontainers.image.ref.name": "v1"}):
        index = {"schemaVersion": 2, "manifests": [{**one.descriptor.to_dict(), "annotations": names}]}
        files = {"./oci-layout": LAYOUT, "./index.json": json.dumps(index).encode()}
        path = write(tmp_path / "x.tar", {**files, **blobs})
        archive, selector = places.Archive.named(path, docker=False)
        assert archive.resolve(selector) == one.descriptor
        assert archive.repository == Repository("localhost", "x-tar")
    archive, selector = places.Archive.named(f"{path}:v1", docker=False)
    assert archive.resolve(selector) == one.descriptor


def test_paths_may_have_colons(tmp_path: Path) -> None:
    path = write(tmp_path / "a:b:c.tar", saved(NAME))
    for text, tag in ((path, "v1"), (f"{path}:{NAME}", "v1")):
        archive, selector = places.Archive.named(text, docker=True)
        assert (archive.path, selector) == (path, tag)


def test_what_is_no_name(tmp_path: Path) -> None:
    path = write(tmp_path / "x.tar", saved(NAME))
    for docker, name in ((True, "UPPER"), (True, "a b"), (False, "-x"), (False, "x y")):
        with pytest.raises(UsageError):
            places.Archive.named(f"{path}:{name}", docker=docker)
    with pytest.raises(NotFound, match="there is no file"):
        places.Archive.named(str(tmp_path / "none.tar"), docker=True)
