"""The artifact variant among its peers: Debian's registry stores it, oras pulls and pushes it, skopeo copies it."""

from __future__ import annotations

import shutil
import subprocess
from itertools import count
from typing import TYPE_CHECKING

import pytest

from bpfimg import build
from bpfimg.image import BytecodeImage
from bpfimg.oci import Layout, Platform, Registry, Repository, copy
from tests.support.debian import find
from tests.support.objects import example
from tests.support.strangers import AMD64

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.registry import Server

ARM64 = Platform("linux", "arm64")
TYPES = "application/vnd.bpfimg.bytecode."
_names = count(1)


@pytest.fixture
def remote(server: Server) -> Iterator[Registry]:
    with Registry(Repository(server.host, f"bytecode/test{next(_names)}")) as opened:
        yield opened


@pytest.fixture
def oras() -> str:
    program = find("oras")
    if program is None:
        pytest.skip("needs oras, from `python -m tests.support.debian oras`")
    return program


def artifacts(*platforms: Platform) -> list[BytecodeImage]:
    data = example("xdp_counter", target="bpfel")
    return [build.image(data, file_name="xdp_counter.bpf.o", platform=each, variant="artifact") for each in platforms]


def run(*words: str, cwd: Path) -> str:
    environ = {"HOME": str(cwd), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(words, cwd=cwd, env=environ, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("empty", [False, True])
def test_a_registry_stores_it(empty: bool, remote: Registry) -> None:
    both = artifacts(AMD64, ARM64)
    top = build.store(both, remote, "v1", empty_config=empty)
    for made in both:
        found = BytecodeImage.fetch(remote, remote.resolve("v1"), made.platform)
        assert (found.bytecode, found.labels, found.description) == (made.bytecode, made.labels, made.description)
        assert found.check() == ()
    assert remote.resolve("v1").digest == top.digest


@pytest.mark.parametrize("empty", [False, True])
def test_oras_pulls_the_object_under_its_name(empty: bool, remote: Registry, oras: str, tmp_path: Path) -> None:
    (made,) = artifacts(AMD64)
    build.store([made], remote, "v1", empty_config=empty)
    run(oras, "pull", "--plain-http", f"{remote.repository}:v1", cwd=tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir() if path.is_file())
    assert names == ["xdp_counter.bpf.o"]
    assert (tmp_path / "xdp_counter.bpf.o").read_bytes() == made.bytecode


def test_oras_finds_the_child_for_a_platform(remote: Registry, oras: str, tmp_path: Path) -> None:
    build.store(artifacts(AMD64, ARM64), remote, "v1")
    run(oras, "pull", "--plain-http", "--platform", "linux/arm64", f"{remote.repository}:v1", cwd=tmp_path)
    assert (tmp_path / "xdp_counter.bpf.o").exists()


def test_what_oras_pushes_is_read(remote: Registry, oras: str, tmp_path: Path) -> None:
    (made,) = artifacts(AMD64)
    config, layer = (content for _, content in made.pack().blobs)
    (tmp_path / "config.json").write_bytes(config)
    (tmp_path / "xdp_counter.bpf.o").write_bytes(layer)
    words = ["--plain-http", "--artifact-type", f"{TYPES}v1", "--config", f"config.json:{TYPES}config.v1+json"]
    run(oras, "push", *words, f"{remote.repository}:v1", f"xdp_counter.bpf.o:{TYPES}object.v1", cwd=tmp_path)
    found = BytecodeImage.fetch(remote, remote.resolve("v1"), AMD64)
    assert (found.bytecode, found.file_name, found.description) == (layer, made.file_name, made.description)
    assert {finding.rule for finding in found.check()} == {"BI-23", "BI-22"}, "the two annotations were not pushed"


def test_skopeo_copies_it_unchanged(tmp_path: Path) -> None:
    if shutil.which("skopeo") is None:
        pytest.skip("needs skopeo")
    repository = Repository("registry.example", "bytecode/xdp_counter")
    layout = Layout(str(tmp_path / "store"), repository)
    top = build.store(artifacts(AMD64), layout, "v1")
    words = ["-q", f"oci:{tmp_path}/store:{repository}:v1", f"oci:{tmp_path}/back:v1"]
    run("skopeo", "copy", *words, cwd=tmp_path)
    back = Layout(str(tmp_path / "back"), repository)
    assert back.resolve("v1").digest == top.digest
    assert BytecodeImage.fetch(back, back.resolve("v1"), AMD64).bytecode == artifacts(AMD64)[0].bytecode


def test_copy_takes_it_from_registry_to_layout(remote: Registry, tmp_path: Path) -> None:
    top = build.store(artifacts(AMD64, ARM64), remote, "v1")
    layout = Layout(str(tmp_path), remote.repository)
    assert copy(remote, "v1", layout, "v1").digest == top.digest
    assert BytecodeImage.fetch(layout, layout.resolve("v1"), ARM64).variant == "artifact"
