"""Source trees that somebody made for whoever runs `bpfimg init` in them: nothing of theirs gets into scripts, nothing
is written elsewhere, and nothing waits."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.support import layouts
from tests.support.cli import Cli

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = 'SEC("xdp") int pass(void *ctx) { return 2; }\n'
EVIL = ("$(touch pwned)", "`touch pwned`", "x\ntouch pwned\n#", 'x"; touch pwned; "', "${{ github.token }}", "\udcff")


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path, {"BPFIMG_STORE": str(tmp_path / "store"), "HOME": str(tmp_path)})


def tree_of(cli: Cli, files: dict[str, str]) -> Path:
    top = cli.folder / "tree"
    for path, text in files.items():
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_bytes(os.fsencode(text))
    return top


def written(top: Path, names: list[str]) -> None:
    """What was written has nothing of EVIL, and is well-formed."""
    for name in names:
        text = (top / name).read_text()
        if name.endswith(".toml"):
            found = tomllib.loads(text)
            assert set(found) <= {"schema", "tags", "inputs", "platforms", "compile"}
            assert "pwned" not in str(found)
        else:
            assert "pwned" not in text
            assert "github.token }}/" not in text
        if name.endswith(".yml"):
            yaml.safe_load(text)


@pytest.mark.parametrize("ci", ["github", "gitlab", "shell"])
@pytest.mark.parametrize("evil", EVIL)
def test_names_in_a_tree_get_into_no_script(evil: str, ci: str, cli: Cli) -> None:
    target = evil.partition("\n")[0].replace(" ", "${IFS}")
    line = "//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -output-dir {} drop drop.c\n"
    top = tree_of(
        cli,
        {
            "plain.bpf.c": f'#include "shared.h"\n{SOURCE}',
            "sub/deeper/plain.bpf.c": f'#include "shared.h"\n{SOURCE}',
            "aa/shared.h": "",
            f"sub/{evil}/shared.h": "",
            f"{evil}/go.mod": "module x\n",
            f"{evil}/drop.go": line.format("../safe"),
            f"{evil}/lone.c": SOURCE,
            f"{evil}/Cargo.toml": '[package]\nname = "x"\n[dependencies]\naya-ebpf = "1"\n',
            "safe/.keep": "",
            "made/made.bpf.c": SOURCE,
            "made/Makefile": f"{target}/../made.bpf.o: made.bpf.c\n\tcc\n",
        },
    )
    layouts.remote(top, f"https://github.com/team/{evil.replace(' ', '${IFS}')}".replace("\udcff", "\xff"))
    cli("init", str(top), "--ci", ci)
    names = [
        os.path.relpath(os.path.join(at, name), top)
        for at, _, files in os.walk(top)
        for name in files
        if name.endswith((".toml", ".sh", ".yml")) and name != "Cargo.toml"
    ]
    assert len(names) >= 3
    written(top, names)


@pytest.mark.parametrize(
    "url", ["https://github.com/team/$(id)", "https://github.com/team/x';id;'", "git@github.com:a/`id`"]
)
def test_a_remote_that_names_no_image_is_not_taken(url: str, cli: Cli) -> None:
    top = layouts.remote(tree_of(cli, {"drop.bpf.c": SOURCE}), url)
    done = cli("init", str(top), "--ci", "shell")
    assert "is a placeholder" in done.stderr
    assert 'BPFIMG_CI_IMAGE:-registry.example/tree}"' in (top / "ci/bpfimg.sh").read_text()


@pytest.mark.parametrize("name", [".github", ".github/workflows", ".github/workflows/bpfimg.yml", "bpfimg.toml"])
@pytest.mark.parametrize("words", [(), ("--force",), ("--dry-run",)])
def test_links_out_of_the_tree_are_not_followed(name: str, words: tuple[str, ...], cli: Cli) -> None:
    top = tree_of(cli, {"drop.bpf.c": SOURCE})
    outside = cli.folder / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (top / name).parent.mkdir(parents=True, exist_ok=True)
    (top / name).symlink_to(outside if "." not in name[1:] else outside / "secret")
    error = cli.error("init", str(top), "--ci", "github", *words, expect=2)
    assert error["message"].endswith("is a symbolic link, expected a file or folder of the tree, or a free name")
    assert [path.name for path in outside.iterdir()] == ["secret"]
    assert (outside / "secret").read_text() == "secret"


def test_a_pipe_in_place_of_a_file_is_not_waited_for(cli: Cli) -> None:
    top = tree_of(cli, {"drop.bpf.c": SOURCE})
    os.mkfifo(top / "bpfimg.toml")
    error = cli.error("init", str(top), "--force", expect=2)
    assert "is no file, expected one, or a free name" in error["message"]


def test_a_file_that_cannot_be_read_is_passed_over(cli: Cli) -> None:
    """As of a disk that fails, or a share that is gone."""
    if shutil.which("strace") is None:
        pytest.skip("needs strace")
    top = tree_of(cli, {"drop.bpf.c": SOURCE, "notes.go": "package x\n"})
    inject = ["strace", "-qq", "-o", "/dev/null", "-P", str(top / "notes.go"), "-e", "inject=read:error=EPERM"]
    words = [*inject, sys.executable, "-m", "bpfimg", "-q", "init", str(top), "--dry-run"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
