"""Long work on a terminal says what it is at, and leaves nothing on the screen."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.objects import example

if TYPE_CHECKING:
    from tests.support.cli import Cli

VMLINUX = Path("/sys/kernel/btf/vmlinux")


def on_terminal(cli: Cli, *words: str, **environ: str) -> tuple[int, str, str]:
    """Exit code, stdout, and what a terminal on stderr was sent."""
    master, slave = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "bpfimg", *words],
        cwd=cli.folder,
        env={**os.environ, **cli.environ, "TERM": "xterm", **environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=slave,
    )
    os.close(slave)
    seen = b""
    try:
        while data := os.read(master, 1 << 16):
            seen += data
    except OSError:  # the end, on Linux
        pass
    os.close(master)
    out, _ = process.communicate(timeout=60)
    return process.returncode, out.decode(), seen.decode()


def objects(folder: Path) -> None:
    (folder / "many").mkdir()
    for number in range(600):
        (folder / f"many/prog{number:03}.bpf.o").write_bytes(example("xdp_counter"))


def test_lint_of_many_objects_says_which_it_is_at(cli: Cli) -> None:
    objects(cli.folder)
    code, out, seen = on_terminal(cli, "lint", "many")
    assert code == 0
    assert "/600  many/prog" in seen
    assert seen.endswith("\r\x1b[J"), "the line is gone at the end"
    assert "\x1b" not in out


def test_fsck_counts_what_it_hashes(cli: Cli) -> None:
    (cli.folder / "prog.o").write_bytes(example("xdp_counter"))
    cli("build", "-t", "x:v1", "prog.o")
    for number in range(24):
        content = bytes([number]) * (8 << 20)
        (cli.folder / "store/blobs/sha256" / hashlib.sha256(content).hexdigest()).write_bytes(content)
    code, _, seen = on_terminal(cli, "fsck")
    assert code == 0
    assert "hashing " in seen
    assert "sha256:" in seen
    assert "looked at" in seen, "what is said at the end stays"


def test_check_names_the_kernel_whose_types_it_has_read(cli: Cli) -> None:
    if not VMLINUX.exists():
        pytest.skip("needs the kernel's types")
    (cli.folder / "prog.o").write_bytes(example("xdp_counter"))
    (cli.folder / "kernels").mkdir()
    for number in range(12):
        (cli.folder / f"kernels/vmlinux-{number}").symlink_to(VMLINUX)
    code, out, seen = on_terminal(cli, "check", "prog.o", "--btf", "kernels")
    assert (code, out.count(" ok")) == (0, 12)
    assert "  vmlinux-" in seen
    assert seen.endswith("\x1b[J")


def test_nothing_is_drawn_where_nobody_looks(cli: Cli) -> None:
    objects(cli.folder)
    for words, environ in ((["-q"], {}), (["-o", "json"], {}), ([], {"TERM": "dumb"})):
        assert on_terminal(cli, "lint", "many", *words, **environ)[2] == ""
    assert cli("lint", "many").stderr == ""
