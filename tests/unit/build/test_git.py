"""The commit and its origin from the files of a checkout, as git itself says; credentials never come along."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from bpfimg.build import _git as git
from bpfimg.errors import Error

if TYPE_CHECKING:
    from pathlib import Path

REVISION, SOURCE = "org.opencontainers.image.revision", "org.opencontainers.image.source"


def run(folder: Path, *words: str) -> str:
    if shutil.which("git") is None:
        pytest.skip("needs git to make checkouts")
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    identity = [
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@b",
        "-c",
        "init.defaultBranch=main",
        "-c",
        "protocol.file.allow=always",
    ]
    done = subprocess.run(
        ["git", *identity, *words], cwd=folder, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "r"
    (folder / "src").mkdir(parents=True)
    run(folder, "init", "-q")
    (folder / "src" / "a.c").write_text("int a;\n")
    run(folder, "add", ".")
    run(folder, "commit", "-qm", "one")
    return folder


def head(folder: Path) -> str:
    return run(folder, "rev-parse", "HEAD")


def test_the_commit_that_is_checked_out(checkout: Path) -> None:
    want = {REVISION: head(checkout)}
    assert git.stated(str(checkout / "src" / "a.c")) == want
    assert git.stated(str(checkout)) == want
    run(checkout, "remote", "add", "origin", "https://me:secret@forge.example/team/prog.git")
    assert git.stated(str(checkout)) == {**want, SOURCE: "https://forge.example/team/prog.git"}


def test_packed_detached_and_other_branches(checkout: Path) -> None:
    run(checkout, "pack-refs", "--all")
    assert not (checkout / ".git/refs/heads/main").exists()
    assert git.stated(str(checkout))[REVISION] == head(checkout)
    run(checkout, "checkout", "-q", "-b", "feature/x")
    run(checkout, "commit", "-q", "--allow-empty", "-m", "two")
    assert git.stated(str(checkout))[REVISION] == head(checkout)
    run(checkout, "checkout", "-q", "--detach", "main")
    assert git.stated(str(checkout))[REVISION] == head(checkout)


def test_worktree_and_submodule(checkout: Path, tmp_path: Path) -> None:
    run(checkout, "remote", "add", "origin", "git@github.com:team/prog.git")
    run(checkout, "worktree", "add", "-q", "-b", "side", str(tmp_path / "w"))
    run(tmp_path / "w", "commit", "-q", "--allow-empty", "-m", "on the side")
    assert git.stated(str(tmp_path / "w" / "src")) == {
        REVISION: head(tmp_path / "w"),
        SOURCE: "https://github.com/team/prog",
    }
    outer = tmp_path / "outer"
    outer.mkdir()
    run(outer, "init", "-q")
    run(outer, "submodule", "--quiet", "add", str(checkout), "inner")
    assert git.stated(str(outer / "inner")) == {REVISION: head(checkout)}


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://github.com/team/prog.git", "https://github.com/team/prog"),
        ("https://token@github.com/team/prog", "https://github.com/team/prog"),
        ("https://user:pa%40ss@Forge.example:8443/t/p.git?x=1#y", "https://forge.example:8443/t/p.git"),
        ("https://user:12/34@forge.example/t/p", ""),
        ("https://user:12/34?@forge.example/t/p", ""),
        ("https://user:pw?x@forge.example/t/p", "https://forge.example/t/p"),
        ("https://user:pass", ""),
        ("https://user:p@ss@forge.example/t/p", "https://forge.example/t/p"),
        ("ssh://git@gitlab.com:22/t/p.git/", "https://gitlab.com/t/p"),
        ("git@forge.example:t/p.git", "ssh://forge.example/t/p.git"),
        ("ssh://me@forge.example:2222/t/p", "ssh://forge.example:2222/t/p"),
        ("git://forge.example/p", "git://forge.example/p"),
        ("/srv/git/p.git", ""),
        ("../p.git", ""),
        ("file:///srv/p.git", ""),
        ("C:/p", ""),
        ("https://forge.example", ""),
        ("https:///x", ""),
        ("https://forge.example/a b", ""),
        ("https://forge.example/\x1b[2J", ""),
        ("ext::sh -c evil", ""),
        ("", ""),
    ],
)
def test_what_is_published_of_a_remote(url: str, said: str) -> None:
    assert git._public(url) == said


def test_which_remote(checkout: Path) -> None:
    run(checkout, "remote", "add", "up", "https://a.example/p")
    assert git.stated(str(checkout))[SOURCE] == "https://a.example/p"
    run(checkout, "remote", "add", "other", "https://b.example/p")
    assert SOURCE not in git.stated(str(checkout))
    run(checkout, "remote", "add", "origin", "https://c.example/p")
    assert git.stated(str(checkout))[SOURCE] == "https://c.example/p"


def test_no_checkout_and_no_commit(tmp_path: Path) -> None:
    with pytest.raises(Error, match="is in no git checkout") as caught:
        git.stated(str(tmp_path))
    assert "--annotation" in caught.value.hint
    run(tmp_path, "init", "-q")
    with pytest.raises(Error, match="names no commit"):
        git.stated(str(tmp_path))


@pytest.mark.parametrize(
    "said",
    [
        "ref: ../../../etc/passwd",
        "ref: refs/../../x",
        "ref: refs//x",
        "ref: refs/heads/\x1b",
        "nonsense",
        "",
        "0" * 39,
        "G" * 40,
    ],
)
def test_a_head_that_names_nothing(checkout: Path, said: str) -> None:
    (checkout / ".git" / "HEAD").write_text(said)
    with pytest.raises(Error) as caught:
        git.stated(str(checkout))
    assert str(caught.value).isprintable()


def test_hostile_folders(checkout: Path, tmp_path: Path) -> None:
    """Loops of refs, pipes that nobody writes to, files without end."""
    (checkout / ".git/refs/heads/main").write_text("ref: refs/heads/main\n")
    with pytest.raises(Error, match="a name of a name"):
        git.stated(str(checkout))
    os.remove(checkout / ".git/HEAD")
    os.mkfifo(checkout / ".git/HEAD")
    with pytest.raises(Error, match="no readable HEAD"):
        git.stated(str(checkout))
    other = tmp_path / "other"
    other.mkdir()
    (other / ".git").write_text("gitdir: /dev\n")
    with pytest.raises(Error, match="no readable HEAD"):
        git.stated(str(other))
    (other / ".git").write_text("x" * 100_000)
    with pytest.raises(Error, match="more than 65536 bytes"):
        git.stated(str(other))
    (other / ".git").write_text("gitdir: a\0b")
    with pytest.raises(Error, match="is no git file"):
        git.stated(str(other))
