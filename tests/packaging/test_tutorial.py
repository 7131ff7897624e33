"""The tutorial, followed word by word on an empty Debian 12: every box typed, every answer compared with the page."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest

from tests.support import roots, wheels
from tests.support.netns import skip_unless
from tests.support.pages import BOX, DOCS
from tests.support.replay import commands, shape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.roots import Root

pytestmark = pytest.mark.kernel
PAGE = (DOCS / "tutorial.md").read_text()
BOXES = BOX.findall(PAGE)
#: pip takes from a folder what it would fetch; apt has all packages of the page at hand
OFFLINE = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/wheels"}
#: one terminal: what is exported stays from command to command
_TERMINAL = """
[ ! -e /tmp/terminal ] || . /tmp/terminal
eval "$1"
code=$?
export -p >/tmp/terminal
exit $code
"""


@pytest.fixture
def reader(wheel: Path) -> Iterator[Root]:
    """Somebody who is root of a new Debian 12, and has the wheel in the folder where they are."""
    skip_unless("xdp")
    shown = {wheels.house(): "/wheels", wheel: f"/root/{wheel.name}"}
    with roots.root("bookworm", (), roots.tutorial(), shown=shown) as made:
        yield made


def types(reader: Root, line: str) -> tuple[int, str]:
    done = reader.tries("bash", "-c", _TERMINAL, "bash", line, **OFFLINE)
    return done.returncode, done.stdout


def counted(line: str, said: str) -> object:
    """The numbers that the page is about, which `shape` takes away: how many packets came through, and were counted."""
    if line.startswith("ping "):
        return re.findall(r"\d+ packets transmitted, \d+ received, \d+% packet loss", said)
    return said if line.startswith("bpfimg map dump") else None


def test_the_tutorial_works_on_an_empty_debian(reader: Root, record_property: Callable[[str, object], None]) -> None:
    begun, installed = time.monotonic(), 0.0
    for kind, text in BOXES:
        if kind == "sh":
            code, said = types(reader, f"set -e\n{text}set +e")
            assert code == 0, f"{text}\nended with {code}: {said}"
        elif kind == "console":
            installed = installed or time.monotonic()
            for line, expected in commands(text):
                _, said = types(reader, line)
                assert shape(said) == shape(expected), f"$ {line}\n{said}"
                assert counted(line, said) == counted(line, expected)
        else:
            pytest.fail(f"the page has a box of another kind: {kind}")
    end = time.monotonic()
    print(f"the tutorial took {end - begun:.0f} s; from the first build on {end - installed:.1f} s")
    record_property("seconds", round(end - begun))
    # nothing of it is left
    assert reader.run("find", "/sys/fs/bpf", "-mindepth", "1", "-name", "*guard*") == ""
    assert "tour" not in reader.run("ip", "link")


def test_every_box_is_of_a_kind_that_is_followed() -> None:
    assert {kind for kind, _ in BOXES} == {"sh", "console"}
    assert sum(kind == "console" for kind, _ in BOXES) >= 7
