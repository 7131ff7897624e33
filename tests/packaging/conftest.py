"""What these tests install is built once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import wheels

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with this tree's sdist, and the wheel that is built from it."""
    folder = tmp_path_factory.mktemp("dist")
    wheels.build(wheels.ROOT, folder)
    return folder


@pytest.fixture(scope="session")
def wheel(dist: Path) -> Path:
    """This tree's wheel."""
    return next(dist.glob("*.whl"))


@pytest.fixture(scope="session")
def sdist(dist: Path) -> Path:
    """This tree's sdist."""
    return next(dist.glob("*.tar.gz"))
