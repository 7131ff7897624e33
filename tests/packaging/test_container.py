"""The container image: built of an empty Debian, run as somebody who is not root, for what pipelines do."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support import roots, wheels
from tests.support.cli import Cli
from tests.support.containers import containers
from tests.support.objects import example
from tests.support.registry import registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.containers import Containers
    from tests.support.registry import Server

EMPTY, IMAGE = "localhost/debian:empty", "localhost/bpfimg"


@pytest.fixture(scope="module")
def podman() -> Iterator[Containers]:
    """A podman that has the image."""
    try:
        empty, packages = roots.tree("bookworm"), roots.tree("bookworm", (), roots.CONTAINER)
    except LookupError as error:
        pytest.skip(f"needs an empty Debian root (bookworm): {error}")
    with containers() as made:
        made.take(empty, EMPTY)
        (made.folder / "pip.conf").write_text("[global]\nno-index = true\nfind-links = /wheels\n")
        shown = (
            # what apt would fetch, in each step anew
            f"{packages}/var/cache/apt/archives:/var/cache/apt/archives:O",
            f"{packages}/var/lib/apt/lists:/var/lib/apt/lists:O",
            f"{wheels.house()}:/wheels:ro",
            f"{made.folder}/pip.conf:/etc/pip.conf:ro",
        )
        volumes = [word for each in shown for word in ("--volume", each)]
        made.build(wheels.ROOT, IMAGE, "--build-arg", f"BASE={EMPTY}", *volumes)
        yield made


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A folder with an object file, of somebody who is not root."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "xdp_counter.bpf.o").write_bytes(example("xdp_counter"))
    for path in (folder, *folder.iterdir()):
        os.chown(path, 1000, 0)
    return folder


def test_it_is_small(podman: Containers) -> None:
    sizes = json.loads(podman.does("images", "--format", "json"))
    empty, image = (next(each["Size"] for each in sizes if name in str(each.get("Names"))) for name in (EMPTY, IMAGE))
    print(f"{image / 1e6:.0f} MB, of which {empty / 1e6:.0f} MB are Debian")
    assert image - empty < 100_000_000


def test_it_says_its_version_without_a_network(podman: Containers) -> None:
    assert podman.run(IMAGE, "--version") == "bpfimg 0.1.0\n"


def test_it_is_nobody_of_importance(podman: Containers) -> None:
    assert podman.run(IMAGE, "-c", "id -u; id -g", options=("--entrypoint", "sh")) == "1000\n0\n"
    # any other user will do
    assert podman.run(IMAGE, "images", "-q", options=("--user", "12345:0")) == ""
    # and nothing of its own can be changed
    script = "find / -xdev -writable -not -type l 2>/dev/null | sort"
    writable = podman.run(IMAGE, "-c", script, options=("--entrypoint", "sh")).splitlines()
    theirs = ("/home/bpfimg", "/tmp", "/var/tmp", "/src", "/run", "/var/lock", "/proc/", "/sys/", "/dev/")
    assert [path for path in writable if not path.startswith(theirs)] == []


def test_it_judges_builds_signs_and_pushes(podman: Containers, server: Server, work: Path) -> None:
    name = f"{server.host}/team/xdp_counter:v1"

    def bpfimg(*words: str) -> str:
        options = ("--volume", f"{work}:/src", "--env", "COSIGN_PASSWORD=x", "--env", "BPFIMG_STORE=/src/store")
        return podman.run(IMAGE, *words, options=options, network="host")

    assert bpfimg("lint", "xdp_counter.bpf.o") == ""
    digest = bpfimg("build", "-q", "-t", name, "xdp_counter.bpf.o").strip()
    assert bpfimg("key", "generate", "release").splitlines() == ["release.key", "release.pub"]
    bpfimg("sign", "-q", "--key", "release.key", name)
    assert bpfimg("push", "-q", name).strip() == digest
    assert {path.stat().st_uid for path in work.rglob("*")} == {1000}
    # who is elsewhere and has the key believes it
    elsewhere = Cli(work.parent, {"BPFIMG_STORE": str(work.parent / "elsewhere")})
    said = elsewhere("verify", "-q", "--key", str(work / "release.pub"), name).stdout
    assert said.strip() == digest


def test_nothing_of_the_checkout_is_in_it(podman: Containers) -> None:
    script = "ls -A /src /home/bpfimg; find /usr -xdev -name tests -path '*bpfimg*'"
    said = podman.run(IMAGE, "-c", script, options=("--entrypoint", "sh"))
    names = {line for line in said.splitlines() if line and not line.endswith(":")}
    assert names <= {".bash_logout", ".bashrc", ".profile"}


def test_no_mount_and_no_group_is_left(podman: Containers) -> None:
    """podman works in a mount namespace of its own, and makes no control group."""
    mounts = subprocess.run(["cat", "/proc/self/mounts"], capture_output=True, text=True, check=True).stdout
    assert str(podman.folder) not in mounts
    found = subprocess.run(["find", "/sys/fs/cgroup", "-name", "libpod*"], capture_output=True, text=True, check=False)
    assert found.stdout == ""
