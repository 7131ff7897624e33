"""Repositories of a team, a registry and a private Sigstore on loopback, for jobs that runners run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.objects import EXAMPLES
from tests.support.registry import Server, registry
from tests.support.sigstack import Stack, sigstack

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
PIPELINE = ROOT / "bpfimg" / "cli" / "_recipes" / "pipeline.sh"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with sigstack(tmp_path_factory.mktemp("sigstack") / "stack") as running:
        yield running


@pytest.fixture
def image(server: Server, request: pytest.FixtureRequest) -> str:
    """A name in the registry that is this test's own."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")
    return f"{server.host}/{name}/xdp_counter"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A repository with a program and its project file, committed."""
    folder = tmp_path / "source"
    (folder / "src").mkdir(parents=True)
    shutil.copy(EXAMPLES / "xdp_counter.bpf.c", folder / "src")
    (folder / "bpfimg.toml").write_text('inputs = ["src/xdp_counter.bpf.c"]\n')
    git(folder, "init", "-q", "-b", "main")
    commit(folder)
    return folder


def git(folder: Path, *words: str) -> str:
    """Runs git in a repository, with nothing of the user's."""
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder.parent),
        "GIT_CONFIG_NOSYSTEM": "1",
        **{f"GIT_{who}_{what}": "dev@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }
    done = subprocess.run(["git", *words], cwd=folder, env=environ, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(folder: Path) -> str:
    """Commits all that is there; returns the commit."""
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", "x")
    return git(folder, "rev-parse", "HEAD")


@dataclass(frozen=True, slots=True)
class Shell:
    """The plain recipe at a prompt, with a key; and a look at the registry."""

    source: Path
    server: Server

    def run(self, folder: Path, **environ: str) -> Any:
        """Runs the script in the repository, with reports in `folder`."""
        from tests.ci.test_recipes import Ran, read_all

        done = self.start(folder, **environ)
        reports = read_all(folder / "reports")
        lines = reports.get("bpfimg.env", b"").decode().splitlines()
        outputs = {
            name.removeprefix("BPFIMG_").lower(): text for name, _, text in (line.partition("=") for line in lines)
        }
        summary = reports.get("summary.md", b"").decode()
        return Ran(done.returncode != 0, done.stdout, summary, reports, outputs, [])

    def start(self, folder: Path, *, shell: str = "dash", **environ: str) -> subprocess.CompletedProcess[str]:
        """The same, and how it ended."""
        secret = "correct horse battery"
        path = f"{Path(sys.executable).parent}:/usr/sbin:/usr/bin:/sbin:/bin"
        own = {"PATH": path, "HOME": str(folder), "COSIGN_PASSWORD": secret, "TMPDIR": str(folder)}
        if not (self.source / "ci.key").exists():
            command = [sys.executable, "-m", "bpfimg", "key", "generate", "ci"]
            subprocess.run(command, cwd=self.source, env=own, capture_output=True, check=True)
        given = {"BPFIMG_CI_KEY": "ci.key", "BPFIMG_CI_REPORTS": str(folder / "reports"), **environ}
        done = subprocess.run(
            [shell, str(PIPELINE)],
            cwd=self.source,
            env={**own, **given},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        assert secret not in done.stdout
        assert [each.name for each in folder.iterdir() if each.name.startswith("bpfimg-ci.")] == [], "left behind"
        return done

    def tags(self, image: str) -> list[str]:
        """The tags of an image in the registry, without those of signatures."""
        folder = self.server.storage / "docker/registry/v2/repositories" / image.partition("/")[2] / "_manifests/tags"
        return sorted(each.name for each in folder.glob("*") if not each.name.startswith("sha256-"))


@pytest.fixture
def shell(source: Path, server: Server) -> Shell:
    return Shell(source, server)
