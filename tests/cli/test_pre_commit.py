"""The hooks for pre-commit: run by pre-commit itself, on files that are about to be committed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from bpfimg.cli import _recipes
from tests.support import layouts
from tests.support.objects import compile_source

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[2]
OFFERED = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
#: an object that lint has an error for: its maps are of the old kind
OLD = 'struct d { int t, k, v, m; }; struct d old SEC("maps") = { 1, 4, 8, 1 }; char L[] SEC("license") = "GPL";'


@pytest.fixture(scope="module")
def pre_commit() -> Path:
    """pre-commit in an environment of its own, below .cache."""
    folder = ROOT / ".cache" / "pre-commit"
    program = folder / "bin" / "pre-commit"
    if not program.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True, capture_output=True)
        words = [folder / "bin" / "pip", "install", "-q", "pre-commit==4.7.0"]
        if subprocess.run(words, capture_output=True, check=False).returncode:
            pytest.skip("needs pre-commit, which could not be installed")
    return program


def committed(folder: Path, files: Mapping[str, str | bytes], config: str) -> Path:
    """A checkout with those files staged."""
    layouts.written(folder, {**files, ".pre-commit-config.yaml": config})
    for words in (["init", "-q"], ["add", "-A"]):
        subprocess.run(["git", *words], cwd=folder, env=environ(folder), check=True)
    return folder


def environ(folder: Path) -> dict[str, str]:
    kept = {key: text for key, text in os.environ.items() if not key.startswith(("BPFIMG_", "GIT_", "PRE_COMMIT"))}
    path = f"{Path(sys.executable).parent}:{kept['PATH']}"
    return {
        **kept,
        "PATH": path,
        "HOME": str(folder),
        "PRE_COMMIT_HOME": str(folder / ".home"),
        "BPFIMG_STORE": str(folder / "s"),
    }


def run(program: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    words = [str(program), "run", "--all-files", "--color", "never"]
    return subprocess.run(words, cwd=folder, env=environ(folder), capture_output=True, text=True, check=False)


def local(hook: dict[str, Any]) -> dict[str, Any]:
    """What is offered, as a hook of the tree's own: with the bpfimg that is installed."""
    return {key: text for key, text in hook.items() if key != "description"} | {"language": "system"}


def test_the_recipe_says_what_the_repository_offers() -> None:
    (repo,) = yaml.safe_load(_recipes.text("pre-commit.yaml"))["repos"]
    assert repo["repo"] == "local"
    assert repo["hooks"] == [local(hook) for hook in OFFERED]


def test_sound_files_pass(pre_commit: Path, tmp_path: Path) -> None:
    files = {"src/minimal.bpf.c": layouts.MINIMAL, "src/minimal.h": '#define GREETING "%d"\n', "a.c": "int x;\n"}
    objects = {"gen/probe_x86_bpfel.o": layouts.probe_object("x86"), "host.o": b"no object of ours"}
    folder = committed(tmp_path / "tree", {**files, **objects}, _recipes.text("pre-commit.yaml"))
    done = run(pre_commit, folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("Passed") == 2


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("old_bpfel.o", compile_source(OLD), "BL029"),
        ("x.bpf.o", b"no object", "not an ELF file"),
        ("x.bpf.c", "int main( {\n", "clang refuses"),
    ],
)
def test_unsound_files_do_not(name: str, content: str | bytes, said: str, pre_commit: Path, tmp_path: Path) -> None:
    done = run(pre_commit, committed(tmp_path / "tree", {name: content}, _recipes.text("pre-commit.yaml")))
    assert done.returncode == 1
    assert said in done.stdout
    assert done.stdout.count("Failed") == 1


def test_headers_are_found_as_the_project_file_says(pre_commit: Path, tmp_path: Path) -> None:
    tree = layouts.plain_c(tmp_path / "tree")
    without = run(pre_commit, committed(tree, {}, _recipes.text("pre-commit.yaml")))
    assert "'most.h' file not found" in without.stdout
    project = 'inputs = ["src/xdp_counter.bpf.c"]\n[compile]\nincludes = ["include"]\n'
    done = run(pre_commit, committed(tree, {"bpfimg.toml": project}, _recipes.text("pre-commit.yaml")))
    assert done.returncode == 0, done.stdout + done.stderr
