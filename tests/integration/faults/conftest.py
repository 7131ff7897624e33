"""Counts the cases of the matrix, and how they ended."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    ends: Counter[object] = Counter()
    for report in terminalreporter.getreports("passed"):
        ends.update(how for name, how in report.user_properties if name == "fault")
    if ends:
        counts = ", ".join(f"{number} {how}" for how, number in sorted(ends.items(), key=str))
        terminalreporter.write_line(f"fault matrix: {sum(ends.values())} cases of request x fault: {counts}")
