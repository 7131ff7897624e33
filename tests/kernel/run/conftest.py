"""The same host and namespace as for the load room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.kernel.load.conftest import host, ns

if TYPE_CHECKING:
    import pytest

__all__ = ["host", "ns"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How often a change was killed, and all was well."""
    properties = [entry for report in terminalreporter.getreports("passed") for entry in report.user_properties]
    turns, moments = (sum(int(str(n)) for name, n in properties if name == key) for key in ("kills", "random kills"))
    if turns or moments:
        terminalreporter.write_line(
            f"kill -9: {turns} at the entry of each system call that changes something, in turn;"
            f" {moments} at random moments"
        )
