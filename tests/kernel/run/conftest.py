"""The same host and namespace as for the load room."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.kernel.load.conftest import host, ns
from tests.support import stepper

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.stepper import Stepper

__all__ = ["host", "ns"]


@pytest.fixture(scope="session")
def step() -> Iterator[Stepper]:
    """Kills a change at one of its system calls."""
    if not stepper.can_trace():
        pytest.skip("this machine lets no process trace another, or its system calls have other numbers")
    with stepper.stepper() as running:
        yield running


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How often a change was killed, and all was well."""
    properties = [entry for report in terminalreporter.getreports("passed") for entry in report.user_properties]
    turns, moments = (sum(int(str(n)) for name, n in properties if name == key) for key in ("kills", "random kills"))
    if turns or moments:
        terminalreporter.write_line(
            f"kill -9: {turns} at the entry of each system call that changes something, in turn;"
            f" {moments} at random moments"
        )
