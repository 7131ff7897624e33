"""Fifty at once lose nothing; five hundred that are killed break nothing."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bpfimg.oci import Layout, Memory, Registry, Repository, copy, places
from tests.support.cli import Cli
from tests.support.registry import Server, registry
from tests.support.store_killer import IMAGES
from tests.support.targets import image, legacy_signature, referrer

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[3]
AT_ONCE, PULLS, FORKS, COMMANDS = 50, 200, 450, 50


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path, {"BPFIMG_STORE": str(tmp_path / "store"), "HOME": str(tmp_path)})


def fill(server: Server, path: str, count: int, *, evidence: bool) -> None:
    """Pushes `count` images v0, v1, ...; with `evidence` each has a referrer and a signature of the old form."""
    repository = Repository(server.host, path)
    with places.Connections() as connections, ThreadPoolExecutor(8) as pool:

        def push(number: int) -> None:
            memory = Memory(repository)
            one = image(f"{path} {number}").push(memory, f"v{number}")
            if evidence:
                referrer(one, str(number)).push(memory)
                legacy_signature(str(number)).push(memory, one.digest.tag + ".sig")
            copy(memory, f"v{number}", Registry(repository, connections=connections), f"v{number}")

        push(0)  # docker-registry trips over content that two pushes share and bring at the same time
        list(pool.map(push, range(1, count)))


def test_fifty_processes_pull_two_hundred_images(server: Server, cli: Cli) -> None:
    """Real commands, real registry: 50 at any time, each with an image of its own, all into one store."""
    fill(server, "acme/many", PULLS, evidence=False)
    host = f"{server.host}/acme/many"
    running: list[subprocess.Popen[str]] = []
    failed: list[str] = []

    def end(process: subprocess.Popen[str]) -> None:
        _, err = process.communicate(timeout=120)
        if process.returncode:
            failed.append(err)

    for number in range(PULLS):
        if len(running) == AT_ONCE:
            end(running.pop(0))
        running.append(cli.start("pull", "-q", f"{host}:v{number}"))
    for process in running:
        end(process)
    assert failed == []
    store = cli.environ["BPFIMG_STORE"]
    found = {each.name: each.descriptor for each in places.stores.listing(store)}
    expected = {f"{host}:v{number}": image(f"acme/many {number}").descriptor for number in range(PULLS)}
    assert len(found) == PULLS
    assert found == expected
    assert places.stores.fsck(store).problems == ()
    assert os.listdir(f"{store}/ingest") == []
    print(f"\n{len(found)} of {PULLS} images are there, {AT_ONCE} processes at once")


def test_five_hundred_kills(server: Server, cli: Cli) -> None:
    """Pulls, builds, batches, tags, prunes, removals, two at a time, and each killed at some moment: every blob is
    whole, every name leads to all of its content, and what was reported is there."""
    fill(server, "acme/xdp", IMAGES, evidence=True)
    store = cli.environ["BPFIMG_STORE"]
    command = [sys.executable, "-m", "tests.support.store_killer", store, server.host, str(FORKS), "4"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert report["problems"] == []
    assert sum(report["killed"].values()) >= FORKS
    assert set(report["killed"]) >= {"pull", "build", "batch", "prune"}
    assert set(report["ended"]) <= {"0", "3"}
    assert report["there"] > 20
    killed = kill_commands(cli, f"{server.host}/acme/xdp")
    assert killed >= COMMANDS
    assert places.stores.fsck(store).problems == ()
    for number in range(IMAGES):  # and whoever comes next finds nothing in the way
        cli("pull", "-q", f"{server.host}/acme/xdp:v{number}")
    cli("prune", "--older", "0")
    checked = cli.json("fsck", "fsck")
    assert (checked["sound"], checked["problems"]) == (True, [])
    assert Layout(store, Repository(server.host, "acme/xdp"), short_names=False).resolve("v0")
    print(f"\n{sum(report['killed'].values()) + killed} kills: {report['killed']}, {killed} commands; no problem")


def kill_commands(cli: Cli, name: str) -> int:
    """Kills real `bpfimg` processes, four at a time, once they have begun to write or soon after."""
    chance = random.Random(4)
    killed = 0
    for number in range(10 * COMMANDS):
        words = [
            ("pull", f"{name}:v{number % IMAGES}"),
            ("copy", f"{name}:v{number % IMAGES}", f"store:other.test/xdp:v{number}"),
            ("tag", f"{name}:v{number % IMAGES}", f"other.test/xdp:t{number}"),
            ("prune", "--older", "0"),
        ]
        running = [cli.start(*each) for each in words]
        time.sleep(0.1 + chance.random() * 0.3)  # start-up, for four on two processors, and any moment after it
        for process in running:
            process.send_signal(signal.SIGKILL)
        for process in running:
            process.communicate()
            killed += process.returncode == -signal.SIGKILL
        if killed >= COMMANDS:
            break
    return killed
