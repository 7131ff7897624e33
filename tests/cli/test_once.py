"""An object is read once on each path through a command: reading is most of what inspect, lint and build cost."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.objects import example

if TYPE_CHECKING:
    from pathlib import Path

# The real reader, wrapped before anybody has imported it.
_COUNTING = """
import sys
from bpfimg.bytecode import _parse
count, dissect = 0, _parse.dissect
def counting(data, **options):
    global count
    count += 1
    return dissect(data, **options)
_parse.dissect = counting
from bpfimg.cli._main import main
code = main(sys.argv[1:])
print(f"read {count} times, ended with {code}", file=sys.stderr)
"""
_TWO = ("--platform", "linux/amd64,linux/arm64")


def count(folder: Path, *words: str) -> int:
    """How often `bpfimg WORDS` reads an object."""
    command = [sys.executable, "-c", _COUNTING, "--store", str(folder / "store"), *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    said = done.stderr.splitlines()[-1].split()
    assert said[-1] == "0", done.stderr
    return int(said[1])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "xdp_counter.bpf.o").write_bytes(example("xdp_counter"))
    assert count(tmp_path, "build", "-t", "example.test/x:v1", *_TWO, "xdp_counter.bpf.o") == 1
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        ("inspect", "xdp_counter.bpf.o", "-o", "json"),
        ("inspect", "example.test/x:v1"),
        ("lint", "xdp_counter.bpf.o"),
        ("lint", "example.test/x:v1"),
    ],
)
def test_one_look(folder: Path, words: tuple[str, ...]) -> None:
    assert count(folder, *words) == 1


def test_one_look_at_each_side(folder: Path) -> None:
    assert count(folder, "diff", "example.test/x:v1", "example.test/x:v1") == 2
