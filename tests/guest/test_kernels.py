"""Every test of tests/kernel in the guests: the kernels of Debian 12 and 13, which have what ours may lack."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.guest import kernels

if TYPE_CHECKING:
    from tests.support.guest.background import Guest

ROOT = Path(__file__).resolve().parents[2]


def collected() -> list[str]:
    """The ids of the tests of tests/kernel."""
    argv = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "tests/kernel"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    assert done.returncode == 0, "\n".join(lines[-50:])
    return [line for line in lines if line.startswith("tests/kernel/") and "::" in line]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    tests = collected()
    cases = [pytest.param(word, test, id=f"{word}-{test}") for word in kernels.SUITES for test in tests]
    metafunc.parametrize(("word", "test"), cases)


def test_in_guest(guest: Guest, test: str) -> None:
    result = guest.result(test)
    if result.outcome == "skipped":
        pytest.skip(result.text)
    if result.outcome == "failed":
        pytest.fail(result.text, pytrace=False)
