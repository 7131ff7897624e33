"""A host with chains for each test, and worlds: a hook, packets, and who has seen them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.kernel.hooks.conftest import chained as host
from tests.kernel.hooks.conftest import ns
from tests.kernel.run.conftest import step
from tests.support import chains
from tests.support.fused import Chain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.chains import Kind, World

__all__ = ["host", "ns", "step"]


@pytest.fixture
def chain() -> Iterator[Chain]:
    """A fused XDP chain without members."""
    with Chain("xdp") as made:
        yield made


@pytest.fixture
def world(kind: Kind) -> Iterator[World]:
    """The world of the `kind` that a test is given as a parameter."""
    with chains.world(kind) as made:
        yield made


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How often a change of a chain was killed, and how many packets met chains that changed, and all was well."""
    properties = [entry for report in terminalreporter.getreports("passed") for entry in report.user_properties]
    for key, words in (("chain kills", "kill -9 of changes of chains"), ("chain packets", "packets through changes")):
        total = sum(int(str(number)) for name, number in properties if name == key)
        if total:
            terminalreporter.write_line(f"{words}: {total}")
