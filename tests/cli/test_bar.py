"""A command on a terminal: a bar while something moves, and a clean screen behind it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from bpfimg.oci import Descriptor, Manifest, Registry, Repository
from tests.support.fake_registry import FakeRegistry, Reply, fake_registry
from tests.support.targets import CONFIG, LAYER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.cli import Cli

LAYERS = [bytes([number]) * (5 << 20) for number in range(2)]


@pytest.fixture(scope="module")
def remote() -> Iterator[FakeRegistry]:
    """A registry with an image of two large layers."""
    with fake_registry() as made, Registry(Repository(made.host, "team/large")) as place:
        config = b"{}"
        parts = [Descriptor.of(layer, LAYER) for layer in LAYERS]
        place.push(Descriptor.of(config, CONFIG), config)
        for part, layer in zip(parts, LAYERS, strict=True):
            place.push(part, layer)
        manifest = Manifest.build(config=Descriptor.of(config, CONFIG), layers=parts)
        place.push(manifest.descriptor, manifest.raw, tag="v1")
        yield made


def on_terminal(cli: Cli, remote: FakeRegistry, *words: str, **environ: str) -> tuple[str, str]:
    """Runs `bpfimg pull` with stderr on a terminal; returns stdout, and what the terminal was sent."""
    late = str(Descriptor.of(LAYERS[1], LAYER).digest)

    def pause(reply: Reply) -> Reply:
        time.sleep(0.3)  # longer than the bar waits before it shows
        return reply

    remote.fail(f"blobs/{late}", pause)
    master, slave = pty.openpty()
    seen: list[bytes] = []

    def read() -> None:
        try:
            while data := os.read(master, 1 << 16):
                seen.append(data)
        except OSError:  # the end, on Linux
            return

    reader = threading.Thread(target=read)
    reader.start()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "bpfimg", "pull", f"{remote.host}/team/large:v1", *words],
            cwd=cli.folder,
            env={**os.environ, **cli.environ, "TERM": "xterm", **environ},
            stdout=subprocess.PIPE,
            stderr=slave,
            text=True,
            check=True,
            timeout=60,
        )
    finally:
        os.close(slave)
        reader.join()
        os.close(master)
        remote.faults.clear()
    return done.stdout, b"".join(seen).decode()


def test_a_bar_while_it_moves_and_nothing_after(cli: Cli, remote: FakeRegistry) -> None:
    out, shown = on_terminal(cli, remote)
    assert out.startswith(f"{remote.host}/team/large:v1@sha256:")
    assert "\x1b" not in out
    assert "MiB of 10.0 MiB" in shown
    assert "MiB/s" in shown
    assert shown.endswith("\x1b[J")  # the last thing that it does is to go


@pytest.mark.parametrize("words", [["-q"], ["-o", "json"]], ids=" ".join)
def test_no_bar_for_scripts(words: list[str], cli: Cli, remote: FakeRegistry) -> None:
    assert on_terminal(cli, remote, *words)[1] == ""


def test_no_bar_on_a_dumb_terminal(cli: Cli, remote: FakeRegistry) -> None:
    assert on_terminal(cli, remote, TERM="dumb")[1] == ""


def test_no_bar_in_a_file(cli: Cli, remote: FakeRegistry) -> None:
    assert cli("pull", f"{remote.host}/team/large:v1", TERM="xterm").stderr == ""
