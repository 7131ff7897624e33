"""Files that somebody named for whoever presses TAB beside them: bash reads each candidate as that name, and runs
nothing; nothing is waited for."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.shells import shell

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("$(touch pwned).o", "`touch pwned`.o", '"; touch pwned; ".o', "'; touch pwned; '.o", "a\\b.o", "a b.o")
NAMES += ("{a,b}.o", "*.o", "$HOME.o", "!!.o", "#x.o")
NAMES += ("~.o", "--to=x.o", "a\nb.o", "a\x1b[31mb.o", "é;x.o", "a>b.o", "a\\$HOME.o")
BREAKS = " \t\n\"'><=;|&(:"


def completed(folder: Path, line: str) -> list[str]:
    """What bash gets for that line."""
    done = subprocess.run(
        [sys.executable, "-m", "bpfimg", "complete", "bash", line, BREAKS],
        cwd=folder,
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert done.stderr == b""
    return done.stdout.decode().splitlines()


@pytest.mark.parametrize("quote", ["", '"', "'"])
def test_bash_reads_each_candidate_as_the_name_that_it_is_of(quote: str, tmp_path: Path) -> None:
    for name in NAMES:
        (tmp_path / name).write_text("")
    found = completed(tmp_path, f"bpfimg lint {quote}./")
    script = "\n".join(f"printf '%s\\0' {quote}{each.rstrip(' ') if not quote else each}{quote}" for each in found)
    # an interactive shell, which obeys `!`, too
    words = ["bash", "--norc", "--noprofile", "-i", "-c", f"set -H\n{script}"]
    said = subprocess.run(words, cwd=tmp_path, capture_output=True, timeout=60, check=True).stdout.decode()
    read = said.split("\0")[:-1]
    lost = {"": "", '"': "!", "'": "'"}[quote]
    assert set(read) == {f"./{name}" for name in NAMES if name.isprintable() and not (lost and lost in name)}
    assert not (tmp_path / "pwned").exists()


def test_a_file_that_is_called_as_an_option_is_offered_by_its_path_alone(tmp_path: Path) -> None:
    (tmp_path / "--to=x.o").write_text("")
    assert "--to=x.o " not in completed(tmp_path, "bpfimg report ")
    assert completed(tmp_path, "bpfimg report ./") == ["./--to=x.o "]


@pytest.mark.parametrize(
    "line",
    [
        "run ./pipe.o xdp --program ",
        "run oci-archive:pipe.o xdp --program ",
        "run oci:layout:x xdp --program ",
        "inspect oci:layout:",
        "attach uprobe pipe.o ",
        "hooks usdt ./pipe.o ",
    ],
)
def test_a_pipe_is_not_waited_for(line: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.o")
    (tmp_path / "layout").mkdir()
    (tmp_path / "layout/oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    os.mkfifo(tmp_path / "layout/index.json")
    # nothing is killed by the alarm clock either: that would raise here
    completed(tmp_path, f"bpfimg {line}")


EVIL = ("$(touch pwned)", "`touch pwned`", '"; touch pwned; "', "'; touch pwned; '", "\\$HOME", " x", "!!", "*")
EVIL += ("{a,b}", "%n", "~", "#x", "$'\\n'", "(touch pwned)", "; touch pwned", "&touch pwned", ":x", "=x", "[a]", "?")
EVIL += ("^x^y",)


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_each_shell_reads_back_what_it_wrote(name: str, tmp_path: Path) -> None:
    """What stands on the line behind TAB is one word, that name, and nothing of it runs."""
    names = {f"{chr(ord('a') + i)}{each}.o" for i, each in enumerate(EVIL)}
    for each in names:
        (tmp_path / each).write_text("")
    with shell(name, tmp_path, {"BPFIMG_STORE": str(tmp_path / "store")}) as typing:
        for quote in ("", '"', "'"):
            for each in sorted(names):
                line = typing.typed(f"bpfimg lint {quote}./{each[0]}\t")
                word = line.removeprefix("bpfimg lint ").rstrip(" ")
                if word == f"{quote}./{each[0]}":
                    continue  # it cannot be written within these quotes
                if quote and (len(word) == 1 or not word.endswith(quote)):
                    word += quote
                said = subprocess.run(
                    [name, "-c", f"printf '%s\\n' {word}"], cwd=tmp_path, capture_output=True, text=True, check=False
                )
                # zsh escapes the sign of its history, which only a shell that people type into takes away again
                read = said.stdout.replace("\\!", "!") if name == "zsh" else said.stdout
                assert read == f"./{each}\n", (quote, each, line, said.stderr)
    assert not (tmp_path / "pwned").exists()
