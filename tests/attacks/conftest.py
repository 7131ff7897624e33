"""A registry that does what it is told, the command, and the number of attacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.cli import Cli
from tests.support.fake_registry import FakeRegistry, fake_registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def running() -> Iterator[FakeRegistry]:
    with fake_registry() as found:
        yield found


@pytest.fixture
def fake(running: FakeRegistry) -> FakeRegistry:
    """Is as new for every test, at one address."""
    running.reset()
    return running


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Commands with an empty store."""
    state = {"BPFIMG_STORE": str(tmp_path / "store"), "BPFIMG_STATE": str(tmp_path / "state"), "HOME": str(tmp_path)}
    return Cli(tmp_path, state)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    passed = terminalreporter.getreports("passed")
    names = {name for report in passed for key, name in report.user_properties if key == "attack"}
    cases = sum(key == "network" for report in passed for key, _ in report.user_properties)
    if names or cases:
        terminalreporter.write_line(
            f"attacks: {len(names)} that beat a naive verifier and not bpfimg; {cases} cases of request x network error"
        )
