"""The book, built once for all tests that look at it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scripts.book import make

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the HTML; a warning of Sphinx is a failure."""
    folder = tmp_path_factory.mktemp("book") / "html"
    make(folder)
    return folder
