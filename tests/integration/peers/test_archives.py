"""Archives: what we write skopeo, crane, oras, podman and umoci's users can read, and what they write we read."""

from __future__ import annotations

import json
import subprocess
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from bpfimg.image import BytecodeImage
from bpfimg.oci import Index, Layout, Manifest, Repository
from tests.support.exchange import NAME, assert_same, blobs
from tests.support.peers import content, entries, require

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cli import Cli
    from tests.support.exchange import Made
    from tests.support.podman import Podman
    from tests.support.registry import Server

TAGS = ("image", "index", "artifact", "artifacts")
#: skopeo 1.9 does not carry `artifactType` of an index through
OLDER = {"skopeo": TAGS[:3]}


def arrived(folder: Path, name: str) -> Layout:
    """Our store, after hashing all of it, as seen from the repository `name`."""
    content(folder / "store")
    return Layout(str(folder / "store"), Repository.parse(name), short_names=False)


def assert_same_object(place: Layout, tag: str, image: BytecodeImage) -> None:
    """For media in which the manifest does not survive: the object and its labels do."""
    found = BytecodeImage.fetch(place, place.resolve(tag), image.platform)
    assert (found.bytecode, found.labels, found.created) == (image.bytecode, image.labels, image.created)


def config_of(place: Layout, tag: str) -> str:
    return str(Manifest.parse(place.fetch(place.resolve(tag))).config.digest)


# OCI archives: nothing changes on the way


@pytest.mark.parametrize("name", ["skopeo", "newer-skopeo", "oras"])
def test_they_read_our_oci_archive(folder: Path, cli: Cli, made: Made, name: str) -> None:
    peer = require(name, folder)
    for tag in OLDER.get(name, TAGS):
        row, top = made.tags[tag]
        reference, file = f"{NAME.repository}:{tag}", f"{folder}/{tag}.tar"
        assert cli("copy", "-q", f"store:{reference}", f"oci-archive:{file}").stdout.strip() == str(top.digest)
        theirs = folder / f"theirs-{tag}"
        if name == "oras":
            words = ["copy", "-r", "--no-tty", "--from-oci-layout-path", file, reference]
            peer(*words, "--to-oci-layout", f"{theirs}:v1")
        else:
            words = ["copy", "-q", "--all", "--preserve-digests"]
            peer(*words, f"oci-archive:{file}:{reference}", f"oci:{theirs}:v1")
        assert blobs(made.layout, top) <= set(content(theirs))
        assert entries(theirs)[0]["digest"] == str(top.digest)
        layout = Layout(str(theirs), NAME.repository)
        assert_same(layout, top, row)
        assert (str(made.evidence.digest) in content(theirs)) is (name == "oras" and tag in ("image", "index"))


@pytest.mark.parametrize("name", ["skopeo", "newer-skopeo"])
@pytest.mark.parametrize("given", ["v1", "registry.test/their/image:v1", ""])
def test_we_read_their_oci_archive(folder: Path, cli: Cli, made: Made, name: str, given: str) -> None:
    skopeo = require(name, folder)
    for tag in OLDER.get(name, TAGS):
        row, top = made.tags[tag]
        end = f":{given}" if given else ""
        file = f"oci-archive:{folder}/{tag}.tar"
        words = ["copy", "-q", "--all", "--preserve-digests"]
        skopeo(*words, f"oci:{folder}/store:{NAME.repository}:{tag}", file + end)
        for number, text in enumerate({file, file + end}):
            there = f"store:back/{tag}:{number}"
            assert cli("copy", "-q", text, there).stdout.strip() == str(top.digest)
            place = arrived(folder, f"back/{tag}")
            assert_same(place, place.resolve(str(number)), row)


def test_oras_backs_up_and_restores(folder: Path, cli: Cli, made: Made, server: Server) -> None:
    """With its referrers, from the registry into an archive that we read; and an archive of ours back into it."""
    oras = require("oras", folder)
    if oras.run("backup", "--help").returncode:
        pytest.skip("needs oras 1.3 for backup and restore")
    reference = f"{server.host}/backup/image:v1"
    cli("push", f"{NAME.repository}:image", reference)
    oras("backup", "--no-tty", "--plain-http", "--include-referrers", "--output", f"{folder}/theirs.tar", reference)
    top = made.tags["image"][1]
    said = cli("copy", "-q", f"oci-archive:{folder}/theirs.tar:v1", "store:oras/backup:v1").stdout.strip()
    assert said == str(top.digest)
    place = arrived(folder, "oras/backup")
    assert [each.digest for each in place.referrers(top.digest)] == [made.evidence.digest]
    cli("copy", f"store:{NAME.repository}:image", f"oci-archive:{folder}/ours.tar:v1")
    restored = f"{server.host}/restored/image:v1"
    oras("restore", "--no-tty", "--plain-http", "--input", f"{folder}/ours.tar", restored)
    other = {"BPFIMG_STORE": f"{folder}/other"}
    assert cli("pull", "-q", restored, **other).stdout.strip() == str(top.digest)
    assert len(json.loads(cli("referrers", restored, "-o", "json", **other).stdout)["referrers"]) == 1


# Docker archives: the object and its labels, and the config's digest, survive


@pytest.mark.parametrize("name", ["skopeo", "newer-skopeo"])
def test_skopeo_reads_our_docker_archive(folder: Path, cli: Cli, made: Made, name: str) -> None:
    skopeo = require(name, folder)
    row, _ = made.tags["image"]
    cli("copy", f"store:{NAME.repository}:image", f"docker-archive:{folder}/ours.tar")
    seen = skopeo.json("inspect", f"docker-archive:{folder}/ours.tar:{NAME.repository}:image")
    assert seen["Labels"].items() >= row[0].labels.to_dict().items()
    skopeo("copy", "-q", f"docker-archive:{folder}/ours.tar:{NAME.repository}:image", f"oci:{folder}/theirs:v1")
    content(folder / "theirs")
    assert_same_object(Layout(f"{folder}/theirs", NAME.repository), "v1", row[0])


@pytest.mark.parametrize("name", ["skopeo", "newer-skopeo"])
def test_we_read_skopeos_docker_archive(folder: Path, cli: Cli, made: Made, name: str) -> None:
    skopeo = require(name, folder)
    row, _ = made.tags["image"]
    source = f"oci:{folder}/store:{NAME.repository}:image"
    skopeo("copy", "-q", source, f"docker-archive:{folder}/theirs.tar:registry.test/their/image:v1")
    for number, end in enumerate(("", ":registry.test/their/image:v1")):
        said = cli("copy", f"docker-archive:{folder}/theirs.tar{end}", f"store:back/skopeo:{number}")
        assert "without its manifest" in said.stderr
        assert_same_object(arrived(folder, "back/skopeo"), str(number), row[0])


def test_crane_reads_our_docker_archive(folder: Path, cli: Cli, made: Made, server: Server) -> None:
    crane = require("crane", folder)
    row, _ = made.tags["image"]
    cli("copy", f"store:{NAME.repository}:image", f"docker-archive:{folder}/ours.tar")
    crane("validate", "--tarball", f"{folder}/ours.tar")
    reference = f"{server.host}/crane/tarball:v1"
    crane("push", f"{folder}/ours.tar", reference)
    cli("pull", reference)
    place = arrived(folder, f"{server.host}/crane/tarball")
    assert_same_object(place, "v1", row[0])
    assert config_of(place, "v1") == config_of(made.layout, "image")


@pytest.mark.parametrize("form", ["tarball", "legacy"])
def test_we_read_cranes_tarball(folder: Path, cli: Cli, made: Made, server: Server, form: str) -> None:
    crane = require("crane", folder)
    row, _ = made.tags["image"]
    reference = f"{server.host}/crane/pulled:v1"
    cli("push", f"{NAME.repository}:image", reference)
    crane("pull", f"--format={form}", reference, f"{folder}/theirs.tar")
    for number, end in enumerate(("", f":{reference}")):
        cli("copy", f"docker-archive:{folder}/theirs.tar{end}", f"store:back/crane:{number}")
        assert_same_object(arrived(folder, "back/crane"), str(number), row[0])


def test_two_images_in_one_tarball_of_crane(folder: Path, cli: Cli, made: Made, server: Server) -> None:
    crane = require("crane", folder)
    row, top = made.tags["index"]
    repository = f"{server.host}/crane/two"
    cli("push", f"{NAME.repository}:index", f"{repository}:both")
    children = Index.parse(made.layout.fetch(top)).manifests
    names = [f"{repository}:{child.platform.architecture}" for child in children if child.platform]
    for name, child in zip(names, children, strict=True):
        crane("copy", f"{repository}@{child.digest}", name)
    crane("pull", *names, f"{folder}/theirs.tar")
    error = cli.error("copy", f"docker-archive:{folder}/theirs.tar", "store:back/two:v1", expect=1)
    assert all(name in error["message"] for name in names)
    for name, image in zip(names, row, strict=True):
        cli("copy", f"docker-archive:{folder}/theirs.tar:{name}", "store:back/two:v1")
        assert_same_object(arrived(folder, "back/two"), "v1", image)


def test_one_image_under_two_names_in_a_tarball_of_crane(folder: Path, cli: Cli, made: Made, server: Server) -> None:
    """Which writes its config twice."""
    crane = require("crane", folder)
    names = [f"{server.host}/crane/twice:{tag}" for tag in ("one", "two")]
    for name in names:
        cli("push", f"{NAME.repository}:image", name)
    crane("pull", *names, f"{folder}/theirs.tar")
    for name in names:
        cli("copy", f"docker-archive:{folder}/theirs.tar:{name}", "store:back/twice:v1")
        assert_same_object(arrived(folder, "back/twice"), "v1", made.tags["image"][0][0])


# podman, which has a store of its own


def seen_by(engine: Podman, name: str) -> dict[str, Any]:
    (found,) = json.loads(engine.run("image", "inspect", name))
    return dict(found)


@pytest.mark.parametrize("transport", ["oci-archive", "docker-archive"])
def test_podman_loads_our_archive(folder: Path, cli: Cli, made: Made, engine: Podman, transport: str) -> None:
    """Under the name that it has."""
    row, _ = made.tags["image"]
    name = f"{NAME.repository}:image"
    cli("copy", f"store:{name}", f"{transport}:{folder}/ours.tar")
    assert name in engine.run("load", "-q", "-i", f"{folder}/ours.tar")
    seen = seen_by(engine, name)
    assert seen["Labels"].items() >= row[0].labels.to_dict().items()
    assert f"sha256:{seen['Id']}" == config_of(made.layout, "image")
    engine.run("rmi", "-f", name)


def test_podman_pulls_our_archive(folder: Path, cli: Cli, made: Made, engine: Podman) -> None:
    """With its digest, as no layer is packed anew."""
    name = f"{NAME.repository}:image"
    cli("copy", f"store:{name}", f"oci-archive:{folder}/ours.tar")
    image = engine.run("pull", "-q", f"oci-archive:{folder}/ours.tar:{name}").strip()
    assert seen_by(engine, image)["Digest"] == str(made.tags["image"][1].digest)
    engine.run("rmi", "-f", image)


@pytest.mark.parametrize("form", ["oci-archive", "docker-archive"])
def test_we_read_what_podman_saved(folder: Path, cli: Cli, made: Made, engine: Podman, form: str) -> None:
    row, _ = made.tags["image"]
    name = "registry.test/saved/image:v1"
    image = engine.run("pull", "-q", f"oci:{folder}/store:{NAME.repository}:image").strip()
    engine.run("tag", image, name)
    engine.run("save", "-q", "--format", form, "-o", f"{folder}/saved.tar", name)
    for number, end in enumerate(("", f":{name}")):
        cli("copy", f"{form}:{folder}/saved.tar{end}", f"store:back/saved:{number}")
        place = arrived(folder, "back/saved")
        assert_same_object(place, str(number), row[0])
        assert config_of(place, str(number)) == config_of(made.layout, "image")
    engine.run("rmi", "-f", image)


def test_through_podmans_socket(folder: Path, cli: Cli, made: Made, engine: Podman) -> None:
    """`docker-daemon:`, as skopeo and docker's users know it."""
    row, _ = made.tags["image"]
    host = {"DOCKER_HOST": f"unix://{engine.socket}"}
    name = "registry.test/daemon/image:v1"
    cli("copy", f"store:{NAME.repository}:image", f"docker-daemon:{name}", **host)
    assert seen_by(engine, name)["Labels"].items() >= row[0].labels.to_dict().items()
    cli("copy", f"docker-daemon:{name}", "store:back/daemon:v1", **host)
    place = arrived(folder, "back/daemon")
    assert_same_object(place, "v1", row[0])
    assert config_of(place, "v1") == config_of(made.layout, "image")
    engine.run("rmi", "-f", name)


# what an archive is for others


def test_our_archive_is_a_plain_tar(folder: Path, cli: Cli, made: Made) -> None:
    """Unpacked by tar it is a layout; packed by tar, a layout is an archive that we read."""
    name = f"{NAME.repository}:index"
    cli("copy", f"store:{name}", f"oci-archive:{folder}/ours.tar")
    (folder / "unpacked").mkdir()
    subprocess.run(["tar", "-xf", folder / "ours.tar", "-C", folder / "unpacked"], check=True)
    assert blobs(made.layout, made.tags["index"][1]) <= set(content(folder / "unpacked"))
    skopeo = require("skopeo", folder)
    skopeo("inspect", "--raw", f"oci:{folder}/unpacked:{name}")
    for mode in ("w", "w:gz"):
        with tarfile.open(folder / "packed.tar", mode) as tar:  # type: ignore[call-overload]
            tar.add(folder / "unpacked", ".")
        said = cli("copy", "-q", f"oci-archive:{folder}/packed.tar:{name}", f"store:back/packed:{mode[1:].strip(':')}v")
        assert said.stdout.strip() == str(made.tags["index"][1].digest)
