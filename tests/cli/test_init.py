"""`bpfimg init` on trees as each ecosystem makes them: what it writes builds, and its pipeline passes unchanged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.support import layouts
from tests.support.cli import check
from tests.support.runners.forges import Ref, on_github, on_gitlab
from tests.support.sigstack import sigstack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.cli import Cli
    from tests.support.registry import Server
    from tests.support.sigstack import Stack

ROOT = Path(__file__).resolve().parents[2]

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


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with sigstack(tmp_path_factory.mktemp("sigstack") / "stack") as running:
        yield running


FORGES = {"github": (".github/workflows/bpfimg.yml", "github-workflows"), "gitlab": (".gitlab-ci.yml", "gitlab-ci")}


def workflow(cli: Cli, tree: Path, forge: str, image: str) -> Path:
    """The file that init writes for a forge, after the forge's schema has taken it."""
    cli("init", str(tree), "--ci", forge, "--image", image)
    name, schema = FORGES[forge]
    words = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", str(tree / name)]
    subprocess.run(words, check=True, capture_output=True)
    return tree / name


@dataclass(frozen=True, slots=True)
class Forges:
    """Both forges, with a registry and a Sigstore of their own; each job runs in a folder of its own."""

    cli: Cli
    tools: dict[str, str]
    stack: Stack
    server: Server

    def passes(self, path: Path, tree: Path, forge: str, ref: Ref, **more: str) -> str:
        """Runs the file as the forge would, unchanged; fails unless it passes. Returns its log."""
        trust = {"TRUST_CONFIG": self.stack.trust_config, "TRUSTED_ROOT": self.stack.trusted_root}
        environ = {**self.tools, **{f"BPFIMG_CI_{name}": str(file) for name, file in trust.items()}, **more}
        folder = self.cli.folder / f"runner{len(os.listdir(self.cli.folder))}"
        if forge == "github":
            job = on_github(folder, tree, self.stack, ref, **environ).workflow(path)
            assert not job.failed, job.log
            return job.log
        done = on_gitlab(folder, tree, self.stack, ref, **environ).run(path)
        assert done is not None
        assert not done.failed, done.log
        return done.log


@pytest.fixture
def forges(cli: Cli, tools: dict[str, str], stack: Stack, server: Server) -> Forges:
    return Forges(cli, tools, stack, server)


@pytest.mark.parametrize(
    ("layout", "forge", "kind"),
    [
        ("c", "github", "tag"),
        ("c", "gitlab", "pull"),
        ("bpf2go", "gitlab", "tag"),
        ("bpf2go-generated", "github", "pull"),
        ("libbpf-make", "github", "tag"),
        ("libbpf-cmake", "gitlab", "pull"),
        ("aya", "gitlab", "tag"),
        ("aya", "github", "pull"),
    ],
)
def test_both_forges_pass_what_it_writes_unchanged(layout: str, forge: str, kind: str, forges: Forges) -> None:
    """A tag ends with a signed image in the registry, which the pipeline's last step has verified."""
    if lacking := layouts.has(*{"libbpf-make": ("make",), "libbpf-cmake": ("cmake",)}.get(layout, ())):
        pytest.skip(f"needs {lacking}")
    tree = LAYOUTS[layout](forges.cli.folder / layout)
    image = f"{forges.server.host}/{kind}/{forge}-{layout}"
    path = workflow(forges.cli, tree, forge, image)
    forges.passes(path, tree, forge, Ref(kind, "v1.0.0" if kind == "tag" else "7/merge"))
    if kind == "tag":
        tags = forges.cli.json("tags", "images", f"registry:{image}")["tags"]
        assert "v1.0.0" in [each["id"] for each in tags]


def jobs(path: Path) -> list[tuple[str, dict[str, str]]]:
    """The jobs of a file with a matrix: the text of each one's workflow, and the variables that it gets besides."""
    text = path.read_text()
    document = yaml.safe_load(text)
    if "jobs" not in document:
        return [(text, row) for row in document["bpfimg"]["parallel"]["matrix"]]
    found = []
    for row in document["jobs"]["bpfimg"]["strategy"]["matrix"]["include"]:
        made = text
        for name, word in row.items():
            made = made.replace(f"${{{{ matrix.{name} }}}}", word)
        found.append((made, {}))
    return found


@pytest.mark.parametrize("forge", FORGES)
def test_each_of_several_programs_has_its_job(forge: str, forges: Forges) -> None:
    tree = layouts.mixed(forges.cli.folder / "mixed")
    image = f"{forges.server.host}/several"
    found = jobs(workflow(forges.cli, tree, forge, image))
    assert len(found) == 3
    for name, (text, more) in zip(("filter", "probe"), found, strict=False):
        path = layouts.written(forges.cli.folder / name, {"job.yml": text}) / "job.yml"
        log = forges.passes(path, tree, forge, Ref("pull", "7/merge"), **more)
        assert f"build {image}/{name}:" in log


def test_an_object_of_aya_loads(host: Cli) -> None:
    """libbpf takes no maps of section "maps": that it loads is what declaring them is for."""
    tree = layouts.aya(host.folder / "aya", checked_in=True)
    host("init", str(tree), "--image", "registry.example/team/filter")
    done = host("build", "--project", str(tree / "bpfimg.toml"))
    assert "declared BLOCKLIST in '.maps'" in done.stderr
    host("key", "generate", "k")
    host("sign", "--key", "k.key", "registry.example/team/filter:latest")
    host("load", "--key", "k.pub", "--pull", "never", "registry.example/team/filter:latest")
    (found,) = host.json("programs", "list")["programs"]
    assert found["name"] == "filter"
    host("unload", str(found["id"]))


def test_a_preview_writes_nothing(cli: Cli) -> None:
    tree = layouts.plain_c(cli.folder / "c")
    done = cli("init", str(tree), "--dry-run")
    assert '+inputs = ["src/xdp_counter.bpf.c"]\n' in done.stdout
    assert sorted(path.name for path in tree.iterdir()) == ["include", "src"]
    said = cli.json("init", "init", str(tree), "--dry-run")
    assert [(each["state"], each["written"]) for each in said["files"]] == [("new", False)] * 2


def test_what_is_there_stays_unless_force_is_said(cli: Cli) -> None:
    tree = layouts.plain_c(cli.folder / "c")
    cli("init", str(tree))
    again = cli.json("init", "init", str(tree))
    assert [each["state"] for each in again["files"]] == ["unchanged"] * 2
    (tree / "bpfimg.toml").write_text("mine")
    error = cli.error("init", str(tree), expect=2)
    assert error["message"] == "bpfimg.toml exists with other content, expected a free name"
    assert "--force" in error["hint"]
    assert (tree / "bpfimg.toml").read_text() == "mine"
    assert "-mine" in cli("init", str(tree), "--dry-run").stdout
    cli("init", str(tree), "--force")
    assert "xdp_counter" in (tree / "bpfimg.toml").read_text()
    assert [path.name for path in tree.iterdir() if path.name.startswith(".")] == []


def test_all_is_written_or_nothing(cli: Cli) -> None:
    tree = layouts.plain_c(cli.folder / "c")
    (tree / "ci").write_text("a file where the folder should be")
    error = cli.error("init", str(tree), expect=2)
    assert "ci/bpfimg.sh' cannot be read" in error["message"]
    assert sorted(path.name for path in tree.iterdir()) == ["ci", "include", "src"]


@pytest.mark.parametrize(
    ("url", "file", "image"),
    [
        ("git@github.com:Team/Probe.git", ".github/workflows/bpfimg.yml", "ghcr.io/team/probe"),
        ("https://token@gitlab.com/group/sub/probe.git", ".gitlab-ci.yml", "registry.gitlab.com/group/sub/probe"),
        ("ssh://git@gitlab.example/team/probe", ".gitlab-ci.yml", "registry.example/probe"),
        ("https://git.example/team/probe", "ci/bpfimg.sh", "registry.example/probe"),
    ],
)
def test_the_remote_says_where_to(url: str, file: str, image: str, cli: Cli) -> None:
    tree = layouts.remote(layouts.plain_c(cli.folder / "c"), url)
    done = cli("init", str(tree))
    assert (tree / file).exists()
    assert f'tags = ["{image}:latest"]' in (tree / "bpfimg.toml").read_text()
    assert ("placeholder" in done.stderr) is (file == "ci/bpfimg.sh")
    assert "token" not in done.stdout + done.stderr + (tree / "bpfimg.toml").read_text()


def test_a_pipeline_that_is_there_is_not_touched(cli: Cli) -> None:
    tree = layouts.written(layouts.plain_c(cli.folder / "c"), {".gitlab-ci.yml": "test:\n  script: make test\n"})
    done = cli("init", str(tree))
    assert (tree / ".gitlab-ci.yml").read_text() == "test:\n  script: make test\n"
    assert "bpfimg:" in (tree / ".gitlab/bpfimg.yml").read_text()
    assert "include:" in done.stderr


def test_submodules_are_checked_out(cli: Cli) -> None:
    tree = layouts.written(layouts.plain_c(cli.folder / "c"), {".gitmodules": '[submodule "libbpf"]\n'})
    cli("init", str(tree), "--ci", "github")
    assert "          submodules: recursive\n" in (tree / ".github/workflows/bpfimg.yml").read_text()
    cli("init", str(tree), "--ci", "gitlab")
    assert "    GIT_SUBMODULE_STRATEGY: recursive\n" in (tree / ".gitlab-ci.yml").read_text()


def test_recipes_are_printed(cli: Cli) -> None:
    printed = cli("init", "--print", "pipeline.sh").stdout
    assert printed == (ROOT / "bpfimg/cli/_recipes/pipeline.sh").read_text()
