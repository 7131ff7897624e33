"""Starts the guests as soon as it is known which of their tests are wanted, and asks for the results last."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.guest import kernels
from tests.support.guest.background import Guest

_HERE = Path(__file__).parent
GUESTS: dict[str, Guest] = {}


def _asked(item: pytest.Item) -> tuple[str, str] | None:
    callspec = getattr(item, "callspec", None)
    params = callspec.params if callspec else {}
    return (params["word"], params["test"]) if {"word", "test"} <= params.keys() else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Ours come last: until then the guests run beside everything else."""
    items.sort(key=lambda item: _HERE in item.path.parents)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    if session.config.option.collectonly:
        return
    for word in kernels.SUITES:
        wanted = [asked[1] for item in session.items if (asked := _asked(item)) and asked[0] == word]
        if wanted:
            GUESTS[word] = Guest(word, wanted)
            GUESTS[word].start()


def pytest_sessionfinish() -> None:
    while GUESTS:
        GUESTS.popitem()[1].stop()


@pytest.fixture
def guest(word: str) -> Guest:
    return GUESTS[word]
