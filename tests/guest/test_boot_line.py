"""Somebody who waits for a kernel to boot sees which, on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.cli.test_steps import on_terminal
from tests.support.cli import Cli
from tests.support.guest.seeded import kernels_cache
from tests.support.objects import example

if TYPE_CHECKING:
    from pathlib import Path


def test_the_kernel_that_boots_is_named_and_the_line_goes(tmp_path: Path) -> None:
    (tmp_path / "prog.o").write_bytes(example("xdp_counter"))
    cache = kernels_cache(tmp_path / "cache")
    cli = Cli(tmp_path, {"BPFIMG_KERNELS_CACHE": str(cache), "BPFIMG_STORE": str(tmp_path / "store")})
    code, out, seen = on_terminal(cli, "check", "prog.o", "--kernels", "6.1")
    assert code == 0, seen
    assert "ok" in out
    assert "booting 1/1  6.1" in seen
    assert seen.endswith("\r\x1b[J")
