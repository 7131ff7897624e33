"""`pipx install` of the wheel, on a Debian that has libbpf1, python3 and pipx from apt and nothing else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support import roots, wheels

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.roots import Root

OFFLINE = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/wheels"}


@pytest.fixture(scope="module", params=roots.RELEASES)
def machine(request: pytest.FixtureRequest, wheel: Path) -> Iterator[Root]:
    shown = {wheels.house(): "/wheels", wheel: f"/root/{wheel.name}"}
    with roots.root(request.param, roots.PIPX, shown=shown) as made:
        for tool in ("gcc", "clang", "git"):
            assert made.tries("sh", "-c", f"command -v {tool}").returncode, f"{tool} is there: this root is not empty"
        said = made.run("pipx", "install", f"./{wheel.name}", **OFFLINE)
        assert "installed package bpfimg 0.1.0" in said
        yield made


def test_the_command_answers(machine: Root) -> None:
    assert machine.run("/root/.local/bin/bpfimg", "--version") == "bpfimg 0.1.0\n"


def test_cryptography_works(machine: Root) -> None:
    said = machine.run("/root/.local/bin/bpfimg", "key", "generate", "release", COSIGN_PASSWORD="")
    assert said.splitlines() == ["release.key", "release.pub"]
    assert machine.path.joinpath("root/release.pub").read_text().startswith("-----BEGIN PUBLIC KEY-----\n")


def test_libbpf_is_found(machine: Root) -> None:
    said = json.loads(machine.run("/root/.local/bin/bpfimg", "features", "-o", "json"))
    assert {each["answer"] for each in said["features"]} >= {"yes"}
