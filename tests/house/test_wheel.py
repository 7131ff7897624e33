"""What is installed is what is in the tree, and nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    argv = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    subprocess.run(argv, check=True, capture_output=True, timeout=300)
    return next(out.glob("*.whl"))


def test_every_file_of_every_room_is_in_the_wheel(wheel: Path) -> None:
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    files = (path.relative_to(ROOT) for path in (ROOT / "bpfimg").rglob("*") if path.is_file())
    assert packed == {str(path) for path in files if "__pycache__" not in path.parts}


def test_what_is_no_python_is_packed_for_a_reason(wheel: Path) -> None:
    """Recipes for CI systems are handed out as they are; everything else is code."""
    for name in zipfile.ZipFile(wheel).namelist():
        reason = ".dist-info/" in name or name.endswith(".py") or name == "bpfimg/py.typed"
        assert reason or name.startswith("bpfimg/cli/_recipes/"), name


def test_the_wheel_is_pure_python_and_brings_the_command(wheel: Path) -> None:
    assert wheel.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        points = next(name for name in archive.namelist() if name.endswith("entry_points.txt"))
        assert "bpfimg = bpfimg.cli:command" in archive.read(points).decode()


def test_no_test_folder_is_skipped_in_silence(tmp_path: Path) -> None:
    """pytest's default list of folders to skip holds `build`; ours must not, or tests/unit/build never runs."""
    folders = sorted({path.parent.relative_to(ROOT) for path in (ROOT / "tests").rglob("test_*.py")})
    for folder in folders:  # the same folders, with next to nothing in them
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "test_it.py").write_text("def test_it() -> None: ...\n")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    argv = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    environ = {**os.environ, "PYTEST_ADDOPTS": ""}  # a -v there would undo the -q
    done = subprocess.run(argv, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    for folder in folders:
        assert f"{folder}/test_it.py" in done.stdout, f"{folder} is not collected"
