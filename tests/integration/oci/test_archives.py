"""Archives among their peers: an index, what others wrote and we add to, several images, signatures."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bpfimg import build
from bpfimg.image import BytecodeImage
from bpfimg.oci import Manifest, Memory, Platform, Repository, copy, places
from tests.support import peers
from tests.support.objects import example
from tests.support.targets import legacy_signature, referrer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.podman import Podman

REPOSITORY = Repository("registry.test", "acme/xdp_counter")
KINDS = {"oci-archive": False, "docker-archive": True}
kinds = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(scope="module")
def made() -> bytes:
    return example("xdp_counter", target="bpfel")


@pytest.fixture(scope="module")
def memory(made: bytes) -> Memory:
    """`one` for this machine with a referrer and cosign's signature, `both` an index."""
    platforms = Platform.host(), Platform("linux", "s390x" if Platform.host().architecture != "s390x" else "amd64")
    name = "xdp_counter.bpf.o"
    big = example("xdp_counter", target="bpfeb")
    objects = [big if each.architecture == "s390x" else made for each in platforms]
    images = [build.image(data, file_name=name, platform=each) for data, each in zip(objects, platforms, strict=True)]
    found = Memory(REPOSITORY)
    one = build.store(images[:1], found, "one")
    build.store(images, found, "both")
    referrer(one).push(found)
    legacy_signature("x").push(found, one.digest.tag + ".sig")
    return found


@pytest.fixture(scope="module")
def written(memory: Memory, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our archives: `KIND.tar` with all, `KIND-one.tar` with one image and nothing about it."""
    folder = tmp_path_factory.mktemp("archives")
    for kind, docker in KINDS.items():
        with places.Archive(str(folder / f"{kind}.tar"), REPOSITORY, docker=docker) as archive:
            copy(memory, "one", archive, "one")
            copy(memory, "both", archive, "both")
        with places.Archive(str(folder / f"{kind}-one.tar"), REPOSITORY, docker=docker) as archive:
            copy(memory, "one", archive, "one", referrers=False)
    return folder


@pytest.mark.parametrize("program", ["skopeo", "newer-skopeo"])
def test_an_index_goes_through_skopeo(program: str, written: Path, memory: Memory, tmp_path: Path) -> None:
    skopeo = peers.require(program, tmp_path)
    ours, theirs = f"oci-archive:{written}/oci-archive.tar:{REPOSITORY}:both", f"{tmp_path}/theirs.tar"
    assert skopeo.bytes("inspect", "--raw", ours) == memory.fetch(memory.resolve("both"))
    skopeo("copy", "--all", ours, f"oci-archive:{theirs}:x")
    archive, selector = places.Archive.named(f"{theirs}:x", docker=False)
    assert archive.resolve(selector) == memory.resolve("both")
    assert copy(archive, selector, Memory(REPOSITORY), "both") == memory.resolve("both")


@pytest.mark.parametrize("program", ["skopeo", "newer-skopeo"])
def test_docker_gets_one_image_of_an_index(program: str, written: Path, made: bytes, tmp_path: Path) -> None:
    skopeo = peers.require(program, tmp_path)
    theirs = f"{tmp_path}/theirs.tar"
    skopeo("copy", f"docker-archive:{written}/docker-archive.tar:{REPOSITORY}:both", f"docker-archive:{theirs}:x/y:z")
    archive, selector = places.Archive.named(theirs, docker=True)
    assert (archive.repository, selector) == (Repository.parse("x/y"), "z")
    assert BytecodeImage.fetch(archive, archive.resolve(selector), Platform.host()).bytecode == made


@kinds
def test_what_skopeo_wrote_is_added_to_and_read_by_it_again(
    kind: str, written: Path, memory: Memory, tmp_path: Path
) -> None:
    skopeo = peers.require("skopeo", tmp_path)
    path = tmp_path / "x.tar"
    skopeo("copy", f"{kind}:{written}/{kind}-one.tar", f"{kind}:{path}:{REPOSITORY}:theirs")
    with places.Archive(str(path), REPOSITORY, docker=KINDS[kind]) as archive:
        copy(memory, "one", archive, "ours")
    for tag in ("theirs", "ours"):
        config = skopeo.bytes("inspect", "--config", "--raw", f"{kind}:{path}:{REPOSITORY}:{tag}")
        manifest = Manifest.parse(memory.fetch(memory.resolve("one")))
        assert json.loads(config)["rootfs"] == json.loads(memory.fetch(manifest.config))["rootfs"]


def test_podman_loads_all_images_of_a_docker_archive(engine: Podman, written: Path, tmp_path: Path) -> None:
    said = engine.run("load", "-i", f"{written}/docker-archive.tar")
    names = [f"{REPOSITORY}:{tag}" for tag in ("one", "both")]
    assert all(name in said for name in names)
    engine.run("save", "-m", "-o", f"{tmp_path}/both.tar", *names)
    for name in names:
        archive, selector = places.Archive.named(f"{tmp_path}/both.tar:{name}", docker=True)
        assert BytecodeImage.fetch(archive, archive.resolve(selector), Platform.host()).file_name == "xdp_counter.bpf.o"
    engine.run("rmi", *names)


def test_signatures_travel_through_an_archive(memory: Memory, written: Path) -> None:
    for kind, docker in KINDS.items():
        archive = places.Archive(f"{written}/{kind}.tar", REPOSITORY, docker=docker)
        back = Memory(REPOSITORY)
        top = copy(archive, "one", back, "one")
        assert top == memory.resolve("one")
        assert back.referrers(top.digest) == memory.referrers(top.digest) != ()
        assert back.resolve(top.digest.tag + ".sig") == memory.resolve(top.digest.tag + ".sig")
