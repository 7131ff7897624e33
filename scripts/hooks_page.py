"""Renews the table of docs/hooks.md: runs the tests of all hooks on every kernel, as root."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.guest.kernels import SUITES
from tests.support.guest.listing import listed

ROOT = Path(__file__).resolve().parents[1]
_WRITE = "BPFIMG_WRITE_HOOKS_PAGE"


def main() -> int:
    """What pytest ended with: 0 when every hook has an answer on every kernel."""
    tests = [each.test for each in listed() if each.hooks]
    guests = [f"tests/guest/test_kernels.py::test_in_guest[{word}-{test}]" for word in SUITES for test in tests]
    argv = [sys.executable, "-m", "pytest", *tests, *guests, "tests/guest/test_hooks_page.py"]
    return subprocess.run(argv, cwd=ROOT, env={**os.environ, _WRITE: "1"}, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
