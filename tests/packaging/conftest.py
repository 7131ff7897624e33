"""What these tests install is built once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import wheels

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This tree's wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    (name,) = wheels.build(wheels.ROOT, folder, "--wheel")
    return folder / name
