"""Counts the attacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    passed = terminalreporter.getreports("passed")
    names = {name for report in passed for key, name in report.user_properties if key == "attack"}
    cases = sum(key == "network" for report in passed for key, _ in report.user_properties)
    if names or cases:
        terminalreporter.write_line(
            f"attacks: {len(names)} that fool a naive verifier and not bpfimg; {cases} cases of request x network error"
        )
