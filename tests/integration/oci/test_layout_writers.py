"""Many writers at once, and writers that are killed: nothing is lost, nothing is half there."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import LockTimeout
from bpfimg.oci import Layout, Manifest, places
from tests.support.layout_writer import REPOSITORY, die, mend, prune, remove, retag, write, write_batch
from tests.support.targets import image, referrer

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpfimg.oci import Repository

ROOT = Path(__file__).resolve().parents[3]
KILLS = 40


def start(*words: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.support.layout_writer", *words]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def die_at(path: Path, tag: str, step: int, work: Callable[[str, str], None] = write) -> int:
    """Runs `die` in a forked child and returns how that ended, as subprocess says it."""
    child = os.fork()
    if child == 0:
        try:
            die(str(path), tag, step, work)
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def assert_whole(path: Path, tags: set[str], ours: Repository | None = None) -> None:
    """Every entry leads to content that is whole; every tag that was reported is there, with its referrer."""
    layout = Layout(str(path), REPOSITORY)
    document = json.loads((path / "index.json").read_text())
    names = [each["annotations"].get("org.opencontainers.image.ref.name", "") for each in document["manifests"]]
    assert len([name for name in names if name]) == len({name for name in names if name})
    found = {
        str(name).rpartition(":")[2]: descriptor
        for name, descriptor in Layout.images(str(path))
        if ours is None or str(name).startswith(str(ours))
    }
    assert tags <= set(found)
    for tag, descriptor in found.items():
        manifest = Manifest.parse(layout.fetch(descriptor))
        for part in (manifest.config, *manifest.layers):
            layout.fetch(part)
        assert [each.annotations["word"] for each in layout.referrers(descriptor.digest)] == [tag]


def test_eight_writers_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "store"
    writers = [start(str(path), f"writer{number}", "25") for number in range(8)]
    for writer in writers:
        _, complaints = writer.communicate(timeout=300)
        assert writer.returncode == 0, complaints.decode()
    tags = {f"writer{number}-{tag}" for number in range(8) for tag in range(25)}
    assert_whole(path, tags)
    assert len(list(Layout.images(str(path)))) == 200
    assert os.listdir(path / "ingest") == []


def test_killed_before_every_step(tmp_path: Path) -> None:
    """The first image of a store, with the kill before each call that changes a file, in turn."""
    for step in count(1):
        path = tmp_path / f"store{step}"
        ended = die_at(path, "v1", step)
        if ended == 0:
            break
        assert ended == -signal.SIGKILL
        named = [str(name) for name, _ in Layout.images(str(path))]
        if named:
            assert_whole(path, {"v1"})
        write(str(path), "v2")  # the next writer finds nothing in its way
        write(str(path), "v1")
        assert_whole(path, {"v1", "v2"})
    assert step > 30


@pytest.mark.parametrize("work", [write_batch, remove, prune, mend, retag], ids=lambda work: work.__name__)
def test_other_work_killed_before_every_step(tmp_path: Path, work: Callable[[str, str], None]) -> None:
    """In a store with an image that stays, one that the work is about, content without a name, and damage in that."""
    stray, damaged = image("stray"), image("damaged")
    path = tmp_path / "template"
    for tag in ("stays", "v1"):
        write(str(path), tag)
    for one in (stray, damaged):
        one.push(Layout(str(path), REPOSITORY))
    referrer(image("gone").descriptor, "about what has gone").push(Layout(str(path), REPOSITORY))
    (path / "blobs/sha256" / damaged.blobs[1][0].digest.hex).write_bytes(b"damaged")
    for step in count(1):
        path = tmp_path / f"store{step}"
        shutil.copytree(tmp_path / "template", path)
        tag = "v2" if work is write_batch else "v1"
        ended = die_at(path, tag, step, work)
        named = {str(name).rpartition(":")[2] for name, _ in Layout.images(str(path))}
        assert_whole(path, named | {"stays"}, ours=REPOSITORY)
        assert named >= ({"stays"} if work is remove else {"stays", "v1"})
        assert {each.digest for each in places.stores.fsck(str(path)).problems} <= {damaged.blobs[1][0].digest}
        if work is write_batch:
            assert ("v2" in named) == ("v2-more" in named), "one rename is both or none"
        if ended == 0:
            break
        assert ended == -signal.SIGKILL
        if work is not remove or "v1" in named:
            work(str(path), tag)  # the next one finds nothing in its way
        write(str(path), "v3")
        assert_whole(path, {"stays", "v3"}, ours=REPOSITORY)
    assert step > 5


def test_killed_at_any_moment(tmp_path: Path) -> None:
    path = tmp_path / "store"
    there: set[str] = set()
    chance = random.Random(7)
    for kill in range(KILLS):
        writer = start(str(path), f"kill{kill}", "1000")
        assert writer.stdout is not None
        assert writer.stderr is not None
        with writer.stdout, writer.stderr:
            for _ in range(chance.randint(1, 3)):
                there.add(writer.stdout.readline().decode().strip())
            time.sleep(chance.random() * 0.01)  # any moment: there is no condition to wait for
            writer.kill()
            there |= {line.decode().strip() for line in writer.stdout if line.endswith(b"\n")}
        assert writer.wait() == -signal.SIGKILL
        if kill % 8 == 7:
            assert_whole(path, there)
    assert_whole(path, there)
    assert len(there) >= KILLS


def test_a_dead_writer_holds_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "store"
    layout = Layout(str(path), REPOSITORY, lock_timeout=60)
    script = (
        "import os, signal; from bpfimg.oci import Layout; from tests.support.layout_writer import REPOSITORY\n"
        f"Layout({str(path)!r}, REPOSITORY).lock().__enter__(); print('held', flush=True); signal.pause()"
    )
    holder = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    with holder.stdout:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(LockTimeout, match="locked by another writer"):
            write_now(path)
        holder.kill()
        holder.wait()
    image("one").push(layout, "v1")
    referrer(image("one").descriptor, "v1").push(layout)
    assert_whole(path, {"v1"})


def write_now(path: Path) -> None:
    image("one").push(Layout(str(path), REPOSITORY, lock_timeout=0.0), "v1")
