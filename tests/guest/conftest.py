"""Starts the guests as soon as it is known which of their tests are wanted, and asks for the results last."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.guest import kernels
from tests.support.guest.background import Guest

_HERE = Path(__file__).parent
_GUESTS: dict[str, Guest] = {}


class Results:
    """What became of the tests of this session, as far as it has come. (A conftest hears of its own folder only.)"""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.outcome != "passed" or report.when == "call":
            self.found[report.nodeid] = report.outcome


_RESULTS = Results()


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(_RESULTS)


def _asked(item: pytest.Item) -> tuple[str, str] | None:
    callspec = getattr(item, "callspec", None)
    params = callspec.params if callspec else {}
    return (params["word"], params["test"]) if {"word", "test"} <= params.keys() else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Ours come last: until then the guests run beside everything else; and the page of hooks after their results."""
    items.sort(key=lambda item: (_HERE in item.path.parents, item.path.name == "test_hooks_page.py"))


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    if session.config.option.collectonly:
        return
    for word in kernels.SUITES:
        wanted = [asked[1] for item in session.items if (asked := _asked(item)) and asked[0] == word]
        if wanted:
            _GUESTS[word] = Guest(word, wanted)
            _GUESTS[word].start()


def pytest_sessionfinish() -> None:
    while _GUESTS:
        _GUESTS.popitem()[1].stop()


@pytest.fixture(scope="session")
def guests() -> dict[str, Guest]:
    """The guests of this session by the words of their kernels."""
    return _GUESTS


@pytest.fixture(scope="session")
def results() -> dict[str, str]:
    """The outcomes of this session's tests so far."""
    return _RESULTS.found
