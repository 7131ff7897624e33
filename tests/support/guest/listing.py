"""The tests of tests/kernel, listed by a pytest of their own, with the hooks that each proves.

This is also the plugin that lists them.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).resolve().parents[3]
_FILE = "BPFIMG_TEST_LISTING"


@dataclass(frozen=True, slots=True)
class Listed:
    """A test by its id; what it shows of the `hooks` is that they run, or, `refused`, what a user is told instead."""

    test: str
    hooks: tuple[str, ...]
    refused: bool


@functools.cache
def listed() -> tuple[Listed, ...]:
    """Every test of tests/kernel."""
    options = ["--collect-only", "-qq", "-p", "no:cacheprovider", "-p", __name__]
    argv = [sys.executable, "-m", "pytest", *options, "tests/kernel"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "listing"
        environ = {**os.environ, _FILE: str(path)}
        environ.pop("PYTEST_CURRENT_TEST", None)  # marks would take themselves for conditions of the test that runs
        done = subprocess.run(argv, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-4000:]
        rows = json.loads(path.read_text(encoding="utf-8"))
    return tuple(Listed(test, tuple(hooks), refused) for test, hooks, refused in rows)


def _refused(item: pytest.Item) -> bool:
    """Whether a test is about a kernel that lacks something, and not about the other way that there is then."""
    hook = item.get_closest_marker("hook")
    other_way = any(mark.name == "needs" for mark in item.own_markers) or (hook and hook.kwargs.get("other_way"))
    return item.get_closest_marker("lacks") is not None and not other_way


def pytest_collection_finish(session: pytest.Session) -> None:
    rows = []
    for item in session.items:
        hook = item.get_closest_marker("hook")  # that of a function goes before that of its file
        rows.append((item.nodeid, hook.args if hook else (), _refused(item)))
    Path(os.environ[_FILE]).write_text(json.dumps(rows), encoding="utf-8")
