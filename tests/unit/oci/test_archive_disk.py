"""Archives on a disk that is full, in processes that are killed, and of many writers at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import DigestMismatch, StoreError
from bpfimg.oci import Descriptor, Digest, Manifest, Repository, places
from tests.support import archive_writer
from tests.support.targets import CONFIG, LAYER, image

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REPOSITORY = archive_writer.REPOSITORY
MIB = 1 << 20


def whole(path: Path, *tags: str) -> None:
    archive = places.Archive(str(path), REPOSITORY, docker=True)
    for tag in tags:
        found = archive.resolve(tag)
        manifest = Manifest.parse(archive.fetch(found), found.media_type)
        for part in (manifest.config, *manifest.layers):
            archive.fetch(part)
        assert len(archive.referrers(found.digest)) == 1


def ended(step: int, path: Path) -> int:
    """How the process ends that dies before that step of adding `new`."""
    child = os.fork()
    if not child:
        try:
            archive_writer.die(str(path), "new", step)
        except BaseException:  # noqa: BLE001  # whatever it is, this process must not go on with the tests
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1]


def test_a_kill_at_any_step_leaves_the_old_archive_or_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "images.tar"
    archive_writer.write(str(path), "old")
    before = path.read_bytes()
    step, seen = 0, set()
    while True:
        step += 1
        path.write_bytes(before)
        status = ended(step, path)
        assert status == 0 or os.WTERMSIG(status) == signal.SIGKILL
        added = path.read_bytes() != before
        seen.add(added)
        whole(path, "old", *(["new"] if added else []))
        assert set(os.listdir(tmp_path)) <= {path.name, f".{path.name}.bpfimg-draft"}
        if status == 0:
            break
        archive_writer.write(str(path), "new")  # whoever comes next
        whole(path, "old", "new")
        assert os.listdir(tmp_path) == [path.name]
    assert step > 20
    assert seen == {False, True}


def test_many_processes_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "images.tar"
    command = [sys.executable, "-m", "tests.support.archive_writer", str(path)]
    writers = [subprocess.Popen([*command, f"w{number}", "5"]) for number in range(6)]
    assert [writer.wait() for writer in writers] == [0] * 6
    whole(path, *(f"w{number}-{count}" for number in range(6) for count in range(5)))
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("room", [0, 1 << 10, 8 << 10])
def test_a_full_disk_is_said_and_changes_nothing(room: int, tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk: to the spool first, then to the draft."""
    path = tmp_path / "images.tar"
    archive_writer.write(str(path), "old")
    before = path.read_bytes()
    code = (
        "import resource, signal, sys\n"
        "from bpfimg.errors import StoreError\n"
        "from tests.support.targets import image\n"
        "from bpfimg.oci import places\n"
        "from tests.support.archive_writer import REPOSITORY\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}))\n"
        "try:\n"
        f"    with places.Archive({str(path)!r}, REPOSITORY, docker=True) as archive:\n"
        "        for number in range(6): image(str(number)).push(archive, f'v{number}')\n"
        "except StoreError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout == f"cannot write {path}: File too large\n"
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == [path.name]


def test_a_link_of_another_user_does_not_choose_the_file(tmp_path: Path) -> None:
    """The kernel does not follow one in /tmp; whoever asks where it leads, and goes there, must look for himself."""
    link = tmp_path / "images.tar"
    link.symlink_to(tmp_path / "real.tar")
    with places.Archive(str(link), REPOSITORY) as archive:
        image().push(archive, "v1")
    assert link.is_symlink()
    if os.geteuid():
        pytest.skip("only root can make links that are somebody else's")
    os.chown(link, 65534, 65534, follow_symlinks=False)
    (tmp_path / "real.tar").unlink()
    with (
        pytest.raises(StoreError, match="link of another user"),
        places.Archive(str(link), REPOSITORY) as archive,
    ):
        image().push(archive, "v1")
    assert not (tmp_path / "real.tar").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="needs a user whom permissions bind (root passes)")
def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StoreError, match="Permission denied") as caught:
            image().push(places.Archive(str(tmp_path / "x.tar"), REPOSITORY), "v1")
        assert caught.value.hint
    finally:
        tmp_path.chmod(0o700)


def test_what_is_large_passes_in_little_memory(tmp_path: Path) -> None:
    size = 48 * MIB
    noise = os.urandom(MIB)

    def pieces() -> Iterator[bytes]:
        for number in range(size // MIB):
            yield noise[number:] + noise[:number]

    import hashlib

    found = hashlib.sha256()
    for piece in pieces():
        found.update(piece)
    layer = Descriptor(LAYER, Digest("sha256", found.hexdigest()), size)
    config = Descriptor.of(b"{}", CONFIG)
    manifest = Manifest.build(config=config, layers=[layer])
    path = str(tmp_path / "large.tar")
    tracemalloc.start()
    try:
        with places.Archive(path, REPOSITORY, docker=True) as archive:
            archive.push_stream(layer, pieces)
            archive.push(config, b"{}")
            archive.push(manifest.descriptor, manifest.raw, tag="v1")
        with places.Archive(path, REPOSITORY, docker=True) as archive:  # and once more, for what it held
            image().push(archive, "v2")
        again = places.Archive(path, REPOSITORY, docker=True)
        assert again.exists(layer)
        assert sum(map(len, again.stream(layer))) == size
        assert tracemalloc.get_traced_memory()[1] < 12 * MIB
    finally:
        tracemalloc.stop()


def test_wrong_content_takes_no_room_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    with places.Archive(str(path), Repository("registry.test", "x")) as archive:
        right = Descriptor.of(bytes(MIB), LAYER)
        with pytest.raises(DigestMismatch):
            archive.push_stream(right, lambda: iter([b"x" * MIB]))
        image().push(archive, "v1")
    assert path.stat().st_size < 10_000
