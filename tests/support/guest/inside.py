"""Inside a guest: a plugin of pytest that writes each result as a line of JSON as soon as it is there."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

_RESULTS, _WANTED = "/run/out/results", "/run/out/wanted"
_begun: dict[str, dict[str, Any]] = {}


def _say(**line: Any) -> None:
    with open(_RESULTS, "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keeps those that the machine around the guest named, where it named any."""
    wanted = frozenset(Path(_WANTED).read_text(encoding="utf-8").split("\n")) - {""}
    if wanted:
        items[:] = [item for item in items if {item.nodeid, item.nodeid.partition("[")[0]} & wanted]


def pytest_collection_finish(session: pytest.Session) -> None:
    _say(collected=[item.nodeid for item in session.items])


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.failed:
        _say(test=report.nodeid, outcome="failed", text=report.longreprtext, seconds=0.0)


def pytest_runtest_logstart(nodeid: str) -> None:
    _begun[nodeid] = {"outcome": "passed", "text": "", "start": time.monotonic()}
    _say(begun=nodeid)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    said = _begun[report.nodeid]
    said["properties"] = report.user_properties
    if report.failed:
        said["outcome"] = "failed"
        said["text"] += f"{report.when}: {report.longreprtext}\n" + "".join(f"{a}\n{b}\n" for a, b in report.sections)
    elif report.skipped and said["outcome"] == "passed":
        said["outcome"] = "skipped"
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
        said["text"] = reason.removeprefix("Skipped: ")


def pytest_runtest_logfinish(nodeid: str) -> None:
    said = _begun.pop(nodeid)
    seconds = time.monotonic() - said.pop("start")
    _say(test=nodeid, seconds=round(seconds, 2), **said)


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(exitstatus: int) -> Iterator[None]:
    yield
    _say(ended=int(exitstatus))
