"""One browser for all pages, and how fast it opened them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.browser import browser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.browser import Browser


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Offline, with scripts of tests alone."""
    with browser() as opened:
        yield opened


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was measured, for people."""
    for report in terminalreporter.getreports("passed"):
        for name, words in report.user_properties:
            if str(name).startswith("page of "):
                terminalreporter.write_line(f"{name}: {words}")
