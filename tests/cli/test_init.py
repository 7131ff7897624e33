"""`bpfimg init` on trees as each ecosystem makes them: what it writes builds, and its pipeline passes unchanged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING

import pytest

from tests.support import layouts
from tests.support.cli import check

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.cli import Cli

LAYOUTS: dict[str, Callable[[Path], Path]] = {
    "c": layouts.plain_c,
    "bpf2go": layouts.bpf2go,
    "bpf2go-generated": lambda folder: layouts.bpf2go(folder, checked_in=False),
    "libbpf-make": layouts.libbpf,
    "libbpf-cmake": layouts.cmake,
    "aya": layouts.aya,
    "aya-built": lambda folder: layouts.aya(folder, checked_in=True),
    "mixed": layouts.mixed,
}
PLATFORMS = {"bpf2go": 2, "bpf2go-generated": 2, "c": 2, "aya": 2, "aya-built": 2}


@pytest.fixture(params=LAYOUTS)
def tree(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if lacking := layouts.has("make" if request.param == "libbpf-make" else "cmake"):
        pytest.skip(f"needs {lacking}")
    return LAYOUTS[request.param](tmp_path / request.param)


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables with which go, cargo and bpfimg itself are found."""
    folder = tmp_path_factory.mktemp("tools")
    found = layouts.standins(folder)
    layouts.written(folder, {"bin/bpfimg": f'#!/bin/sh\nexec {sys.executable} -m bpfimg "$@"\n'})
    return found


def built(cli: Cli, tree: Path, tools: dict[str, str]) -> None:
    """Runs the commands that init names, then builds each project file; fails unless there is an image of each."""
    said = json.loads(cli("init", str(tree), "-o", "json").stdout)
    check("init", said)
    for program in said["programs"]:
        for command in program["commands"]:
            subprocess.run(
                ["sh", "-ec", command], cwd=tree, env={**os.environ, **tools}, check=True, capture_output=True
            )
        project = tree / program["project"]
        assert tomllib.loads(project.read_text())["inputs"] == program["inputs"]
        image = cli("build", "--project", str(project), "-q").stdout.strip()
        assert image.startswith("sha256:")
        (found,) = [each for each in cli.json("images", "images")["images"] if each["digest"] == image]
        assert len(found["platforms"]) == PLATFORMS.get(tree.name, len(found["platforms"]))


def test_what_it_writes_builds(tree: Path, cli: Cli, tools: dict[str, str]) -> None:
    built(cli, tree, tools)


def test_the_pipeline_passes_unchanged(tree: Path, cli: Cli, tools: dict[str, str]) -> None:
    done = cli("init", str(tree), "--ci", "shell", "--image", "registry.example/team/tree")
    assert f"{tree}/ci/bpfimg.sh\n" in done.stdout
    environ = {key: text for key, text in os.environ.items() if not key.startswith("BPFIMG_")}
    ran = subprocess.run(
        [tree / "ci/bpfimg.sh"],
        cwd=cli.folder,
        env={**environ, **cli.environ, **tools, "BPFIMG_CI_PREVIOUS": "none"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    digests = [path.read_text() for path in tree.glob("bpfimg-reports/**/digest")]
    assert len(digests) == (3 if tree.name == "mixed" else 1)
    assert all(text.startswith("sha256:") for text in digests)
