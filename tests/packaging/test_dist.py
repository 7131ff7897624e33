"""The same tree gives the same bytes, wherever, whenever and by whomever it is built."""

from __future__ import annotations

import os
import shutil
import tarfile
import zipfile
from typing import TYPE_CHECKING

from tests.support import wheels

if TYPE_CHECKING:
    from pathlib import Path


def test_two_builds_give_the_same_bytes(tmp_path: Path) -> None:
    first = wheels.copy(tmp_path / "first")
    second = tmp_path / "deep" / "in" / "another folder"
    shutil.copytree(first, second)
    for path in [second, *second.rglob("*")]:  # of another day, and of somebody with another umask
        path.chmod(0o700 if path.is_dir() or os.access(path, os.X_OK) else 0o600)
        os.utime(path, (1_000_000_000, 1_000_000_000))
    one = wheels.build(first, tmp_path / "one")
    other = wheels.build(second, tmp_path / "other", umask=0o077, TZ="Asia/Tokyo", LC_ALL="C", PYTHONHASHSEED="1")
    assert sorted(one) == ["bpfimg-0.1.0-py3-none-any.whl", "bpfimg-0.1.0.tar.gz"]
    assert one == other
    # and the wheel that is built without the sdist between is the same one
    assert wheels.build(first, tmp_path / "straight", "--wheel").items() <= one.items()


def test_everybody_may_read_what_is_packed(wheel: Path, sdist: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        assert {entry.external_attr >> 16 & 0o777 for entry in archive.infolist()} == {0o644}
    with tarfile.open(sdist) as packed:
        assert {(entry.uid, entry.gid, entry.uname) for entry in packed} == {(0, 0, "")}
        assert {entry.mode for entry in packed} <= {0o644, 0o755}


def test_the_sdist_holds_what_packages_are_made_of(sdist: Path) -> None:
    with tarfile.open(sdist) as packed:
        names = {name.partition("/")[2] for name in packed.getnames()}
    assert names >= {"LICENSE", "CHANGELOG.md", "spec/bytecode-image.md", "requirements/deb.txt", "scripts/wheels.py"}
    assert names >= {"debian/rules", "Containerfile", "examples/systemd/bpfimg-apply.service"}
    hidden = {name for name in names if name.startswith(("tests/", "."))}
    assert hidden == {".containerignore", ".gitignore"}
