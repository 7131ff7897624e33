"""Registries of each form, one after the other, and a store with every kind of image."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support import exchange
from tests.support.cli import Cli

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.exchange import Made, Place


@pytest.fixture(scope="module", params=list(exchange.FORMS))
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with exchange.place(tmp_path_factory.mktemp(request.param), request.param) as found:
        yield found


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with exchange.place(tmp_path_factory.mktemp("plain"), "plain") as found:
        yield found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Nobody changes it: those who write copy it first."""
    return exchange.made(tmp_path_factory.mktemp("made") / "store")


@pytest.fixture
def folder(tmp_path: Path, made: Made) -> Path:
    """A folder with our store in it."""
    shutil.copytree(made.path, tmp_path / "store")
    return tmp_path


@pytest.fixture
def cli(folder: Path) -> Cli:
    return Cli(folder, {"BPFIMG_STORE": str(folder / "store"), "HOME": str(folder)})
