"""The wheel and the sdist of this tree, and a folder of all that installing them brings, for pip without a network."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import wheels
from tests.support import debian

ROOT = Path(__file__).resolve().parents[2]
_CACHE = debian.CACHE.parent / "wheels"
#: what pipx fetches for itself, whatever it installs
_PIPX = ("pip", "setuptools", "wheel")


def copy(folder: Path) -> Path:
    """The files of this tree in another folder: those that git would take, whether or not there is git."""

    def left_out(place: str, names: list[str]) -> set[str]:
        top = Path(place) == ROOT
        unwanted = {"__pycache__", *([".git", ".venv", ".cache", "build", "dist"] if top else [])}
        return {name for name in names if name in unwanted or name.endswith(("_cache", ".hypothesis", ".egg-info"))}

    shutil.copytree(ROOT, folder, ignore=left_out, symlinks=True)
    return folder


def build(tree: Path, out: Path, *words: str, umask: int = 0o022, **environ: str) -> dict[str, bytes]:
    """What `python -m build` makes of a tree, by name; without its own isolated environment, so without a network."""
    kept = {name: text for name, text in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    argv = [sys.executable, "-m", "build", "--no-isolation", *words, "--outdir", str(out), str(tree)]
    done = subprocess.run(
        argv, env={**kept, **environ}, umask=umask, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return {path.name: path.read_bytes() for path in sorted(out.iterdir())}


def house() -> Path:
    """A folder of wheels: what `requirements/deb.txt` locks, for every Python, and what pipx wants for itself.

    Skips, saying why it cannot be had.
    """
    try:
        return fetch()
    except LookupError as error:
        pytest.skip(f"needs the wheels of requirements/deb.txt: {error}")


def fetch() -> Path:
    """The same; raises `LookupError` with the reason when it cannot be had."""
    folder = _CACHE / hashlib.sha256(wheels.LOCK.read_bytes()).hexdigest()[:16]
    if folder.exists():
        return folder
    _CACHE.mkdir(parents=True, exist_ok=True)
    draft = _CACHE / f"draft-{os.getpid()}"
    try:
        wheels.fetch(draft, platform.machine())
        pip = [sys.executable, "-m", "pip", "download", "-qq", "--disable-pip-version-check", "--dest", str(draft)]
        subprocess.run([*pip, "--only-binary=:all:", *_PIPX], check=True)
        if not folder.exists():  # another session may have been faster
            draft.rename(folder)
    except (OSError, subprocess.CalledProcessError) as error:
        raise LookupError(str(error)) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def main() -> int:
    """Fetches the wheels; 1 when they cannot be had."""
    return debian.attempt("a folder of wheels", fetch)


if __name__ == "__main__":
    raise SystemExit(main())
