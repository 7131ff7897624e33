"""The Debian package of this tree, built as `make deb` does it, in a folder of the test's own."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support import wheels

if TYPE_CHECKING:
    from pathlib import Path

_TOOLS = ("dpkg-buildpackage", "dh", "fakeroot", "lintian")


def build(sdist: Path, folder: Path, *, umask: int = 0o022) -> Path:
    """The .changes file of a package built from the sdist, beside the package; without a network.

    Skips, naming the tool that lacks.
    """
    for tool in _TOOLS:
        if shutil.which(tool) is None:
            pytest.skip(f"needs the command {tool}")
    folder.mkdir(exist_ok=True)
    subprocess.run(["tar", "-C", str(folder), "-xf", str(sdist)], umask=umask, check=True)
    (tree,) = folder.iterdir()
    kept = {name: text for name, text in os.environ.items() if name not in ("SOURCE_DATE_EPOCH", "DEB_BUILD_OPTIONS")}
    done = subprocess.run(
        ["dpkg-buildpackage", "--no-sign", "--build=binary"],
        cwd=tree,
        env={**kept, "WHEELS": str(wheels.house())},
        umask=umask,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    (changes,) = folder.glob("*.changes")
    return changes
