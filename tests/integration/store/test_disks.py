"""Disks that are full, small, read-only or somebody else's, for real: mounts in a namespace of the test's own."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import Error, StoreError
from bpfimg.oci import Descriptor, Layout, Repository, places
from tests.support.cli import Cli
from tests.support.targets import image, referrer

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[3]
REPOSITORY = Repository("registry.test", "acme/xdp")
NOBODY = 65534

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for mounts and other users")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def layout(path: Path) -> Layout:
    return Layout(str(path), REPOSITORY, short_names=False)


def in_mount(path: Path, options: str, function: str) -> dict[str, object]:
    """Runs `function(PATH)` of this module in a mount namespace, with a tmpfs at `path`; returns what it returns."""
    path.mkdir(exist_ok=True)
    program = f"import json; from {__name__} import {function}; print(json.dumps({function}({str(path)!r})))"
    script = f'mount -t tmpfs -o {options} tmpfs "$1" && exec "$2" -c "$3"'
    command = ["unshare", "-m", "sh", "-c", script, "sh", str(path), sys.executable, program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def fill(path: str, *, batch: places.stores.Batch | None = None) -> dict[str, object]:
    """Pushes images until the disk is full, then looks at what is there; some is removed, and it goes on."""
    layout = Layout(path, REPOSITORY, short_names=False, batch=batch)
    content = bytes(range(256)) * 64
    written, error = 0, StoreError("")
    try:
        for written in range(100_000):
            one = image(str(written))
            layer = Descriptor.of(content + str(written).encode(), "application/x")
            layout.push_stream(layer, lambda number=written: iter([content, str(number).encode()]))  # type: ignore[misc]
            referrer(one.push(layout, f"v{written}"), str(written)).push(layout)
    except StoreError as caught:
        error = caught
    images = places.stores.listing(path)
    checked = places.stores.fsck(path)
    drafts = os.listdir(f"{path}/ingest")
    places.stores.prune(path, older=0.0)  # frees the large layers: no manifest names them
    reader = Layout(path, REPOSITORY, short_names=False)
    image("after").push(reader, "after")
    return {
        "written": written,
        "images": len(images),
        "message": str(error),
        "hint": error.hint,
        "problems": len(checked.problems) + len(places.stores.fsck(path).problems),
        "drafts": drafts,
        "after": str(reader.resolve("after").digest),
    }


@needs_root
@pytest.mark.parametrize("options", ["size=600k", "size=64m,nr_inodes=60"])
def test_a_full_disk(path: Path, options: str) -> None:
    """Blocks run out, or inodes do."""
    found = in_mount(path, options, "fill")
    assert "No space left on device" in str(found["message"])
    assert "free space" in str(found["hint"])
    assert found["written"] in (found["images"], found["images"] - 1)  # type: ignore[operator]  # its referrer failed
    assert int(str(found["written"])) > 5
    assert found["problems"] == 0
    assert found["drafts"] == []
    assert found["after"] == str(image("after").descriptor.digest)


def fill_together(path: str) -> dict[str, object]:
    """The same for images that are written together, by four threads."""
    failed: list[str] = []
    stop = threading.Event()

    def work(batch: places.stores.Batch, thread: int) -> None:
        layout = Layout(path, REPOSITORY, short_names=False, batch=batch)
        try:
            for number in range(100_000):
                if stop.is_set():
                    return
                image(f"{thread} {number}").push(layout, f"v{thread}-{number}")
        except StoreError as error:
            failed.append(str(error))

    message = ""
    try:
        with places.stores.Batch(path) as batch:
            threads = [threading.Thread(target=work, args=(batch, number)) for number in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    except StoreError as error:
        message = str(error)
    return {
        "failed": failed,
        "message": message,
        "images": len(places.stores.listing(path)),
        "problems": len(places.stores.fsck(path).problems),
        "drafts": os.listdir(f"{path}/ingest"),
    }


@needs_root
def test_a_full_disk_in_a_batch(path: Path) -> None:
    found = in_mount(path, "size=600k", "fill_together")
    assert found["failed"], "threads that go on writing hear of it"
    assert all("No space left" in each for each in found["failed"])  # type: ignore[attr-defined]
    assert found["problems"] == 0
    assert found["drafts"] == []


def test_a_file_that_may_not_grow(path: Path, layout: Layout) -> None:
    """`ulimit -f`: a layer that is larger is refused with a sentence."""
    image().push(layout, "v1")
    before = (path / "index.json").read_bytes()
    content = bytes(3 << 20)
    layer = Descriptor.of(content, "application/x")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))  # Python ignores SIGXFSZ
    try:
        with pytest.raises(StoreError, match="File too large") as refused:
            layout.push_stream(layer, lambda: iter([content]))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "ulimit -f" in refused.value.hint
    assert os.listdir(path / "ingest") == []
    assert (path / "index.json").read_bytes() == before
    layout.push_stream(layer, lambda: iter([content]))


READERS = (
    ("images",),
    ("images", "-q", "registry.test/acme/xdp:v1"),
    ("fsck",),
    ("prune", "--dry-run", "--older", "0"),
    ("referrers", "registry.test/acme/xdp:v1"),
    ("copy", "store:registry.test/acme/xdp:v1", "oci:out:v1"),
)
WRITERS = (
    ("tag", "registry.test/acme/xdp:v1", "registry.test/acme/xdp:v2"),
    ("rm", "registry.test/acme/xdp:v1"),
    ("prune", "--older", "0"),
    ("fsck", "--repair"),
    ("copy", "oci:in:v1", "store:registry.test/acme/xdp:new"),
)


def use(store: Path, start: Callable[[tuple[str, ...]], subprocess.CompletedProcess[str]]) -> str:
    """Readers work, writers say why they cannot; returns what they say."""
    for words in READERS:
        done = start(words)
        assert done.returncode == 0, (words, done.stderr)
    (store / "blobs/sha256" / image("stray").blobs[1][0].digest.hex).write_bytes(b"damaged")
    before = sorted((str(each), each.lstat().st_mtime_ns) for each in store.rglob("*"))
    said = ""
    for words in WRITERS:
        done = start(words)
        assert done.returncode == 1, (words, done.stdout, done.stderr)
        assert done.stderr.count("bpfimg: error: cannot ") == 1, (words, done.stderr)
        assert "hint: " in done.stderr, (words, done.stderr)
        said += done.stderr
    assert sorted((str(each), each.lstat().st_mtime_ns) for each in store.rglob("*")) == before
    return said


@pytest.fixture
def used(layout: Layout, path: Path, tmp_path: Path) -> Path:
    """A store with an image, its signature, and content that nothing names; beside it another layout."""
    referrer(image().push(layout, "v1")).push(layout)
    image("stray").push(layout)
    image("in").push(Layout(str(tmp_path / "in"), Repository("localhost", "in"), bare=True), "v1")
    return path


@needs_root
def test_a_read_only_store(tmp_path: Path, used: Path) -> None:
    cli = Cli(tmp_path, {"HOME": str(tmp_path), "BPFIMG_STORE": str(used)})

    def start(words: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        script = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        command = ["unshare", "-m", "sh", "-c", script, str(used), sys.executable, "-m", "bpfimg", *words]
        environ = {**os.environ, **cli.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)

    said = use(used, start)
    assert "Read-only file system" in said
    assert "--store" in said


@needs_root
def test_a_store_of_somebody_else(used: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own are nobody else's business
        os.chmod(folder, 0o755)
        work, store = Path(folder, "work"), Path(folder, "store")
        shutil.copytree(used, store)
        shutil.copytree(used.parent / "in", work / "in")
        for each in (work, work / "in"):
            os.chown(each, NOBODY, NOBODY)

        def start(words: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
            shutil.rmtree(work / "out", ignore_errors=True)
            environ = {"HOME": str(work), "PATH": "/usr/bin:/bin", "BPFIMG_STORE": str(store), "PYTHONPATH": str(ROOT)}
            command = [sys.executable, "-m", "bpfimg", *words]
            return subprocess.run(
                command, cwd=work, env=environ, capture_output=True, text=True, check=False, user=NOBODY, group=NOBODY
            )

        said = use(store, start)
    assert "Permission denied" in said
    assert "who owns it" in said


def test_a_store_that_is_removed_while_it_is_written(path: Path) -> None:
    """Errors of ours, and the next writer begins anew."""
    stop = threading.Event()

    def remove() -> None:
        while not stop.is_set():
            shutil.rmtree(path, ignore_errors=True)

    remover = threading.Thread(target=remove)
    remover.start()
    failed = 0
    try:
        for number in range(200):
            try:
                if number % 2:
                    with places.stores.Batch(str(path)) as batch:
                        image(str(number)).push(Layout(str(path), REPOSITORY, batch=batch), f"v{number}")
                else:
                    image(str(number)).push(Layout(str(path), REPOSITORY), f"v{number}")
                places.stores.prune(str(path), older=0.0)
                places.stores.fsck(str(path))
            except Error:
                failed += 1
    finally:
        stop.set()
        remover.join()
    assert failed
    shutil.rmtree(path, ignore_errors=True)
    image().push(Layout(str(path), REPOSITORY), "v1")
    assert places.stores.fsck(str(path)).sound
