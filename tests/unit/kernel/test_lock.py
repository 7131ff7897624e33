"""The writer's lock, on an ordinary directory: flock(2) is the same there."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import KernelError, LockTimeout
from bpfimg.kernel import bpffs

if TYPE_CHECKING:
    from pathlib import Path

HOLD = """
import sys
from bpfimg.kernel import bpffs
with bpffs.lock(sys.argv[1], timeout=5):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def place(tmp_path: Path) -> str:
    return str(tmp_path / "bpfimg")


def holder(place: str) -> subprocess.Popen[bytes]:
    child = subprocess.Popen([sys.executable, "-c", HOLD, place], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"held\n"
    return child


def test_the_directory_is_made_for_its_owner_alone(place: str) -> None:
    with bpffs.lock(place, timeout=0):
        assert os.stat(place).st_mode & 0o777 == 0o700


def test_once_and_again(place: str) -> None:
    for _ in range(2):
        with bpffs.lock(place, timeout=0):
            pass


def test_a_second_writer_is_told_who_holds_it(place: str) -> None:
    with holder(place) as child:
        says = rf"still locked by process {child.pid} \(.+\) after 0 s"
        with pytest.raises(LockTimeout, match=says) as caught, bpffs.lock(place, timeout=0):
            pytest.fail("two writers")
        assert caught.value.hint
        child.communicate(b"")
    with bpffs.lock(place, timeout=5):
        pass


def test_a_reader_sees_whether_it_is_held_and_does_not_take_it(place: str) -> None:
    assert not bpffs.is_locked(place)
    with holder(place) as child:
        assert bpffs.is_locked(place)
        child.communicate(b"")
    assert not bpffs.is_locked(place)


def test_the_lock_goes_with_a_killed_process(place: str) -> None:
    with holder(place) as child:
        child.kill()
        with bpffs.lock(place, timeout=5):
            pass


def test_an_error_inside_releases_it(place: str) -> None:
    with pytest.raises(ZeroDivisionError), bpffs.lock(place, timeout=0):
        raise ZeroDivisionError
    with bpffs.lock(place, timeout=0):
        pass


def test_a_file_or_a_symbolic_link_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path)
    for name in ("file", "link"):
        with pytest.raises(KernelError), bpffs.lock(str(tmp_path / name), timeout=0):
            pytest.fail("locked")


def test_a_directory_that_others_may_change_is_not_locked(place: str) -> None:
    """Else whoever made it first could have the next writer release what is not ours."""
    os.mkdir(place)
    os.chmod(place, 0o770)
    with pytest.raises(KernelError, match="has mode 0770, expected one that only root may change") as caught:
        bpffs.lock(place, timeout=0).__enter__()
    assert caught.value.errno == 1
    os.chmod(place, 0o711)
    with bpffs.lock(place, timeout=0):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a directory away")
def test_a_directory_of_another_user_is_not_locked(place: str) -> None:
    os.mkdir(place, 0o700)
    os.chown(place, 1000, 1000)
    with pytest.raises(KernelError, match="belongs to user 1000"), bpffs.lock(place, timeout=0):
        pytest.fail("locked")
    os.chown(os.path.dirname(place), 1000, 1000)
    with bpffs.lock(place, timeout=0):  # the whole bpffs was given to that user
        pass
