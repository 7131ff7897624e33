"""`docs/running.md` and `docs/dispatchers.md`, typed line by line on a machine of their own: what their boxes show is
what the commands print.

`BPFIMG_WRITE_README=1` writes today's output into the page instead of comparing.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from bpfimg.load import hooks
from tests.support.following import reader
from tests.support.netns import skip_unless
from tests.support.pages import BOX, DOCS
from tests.support.replay import replay

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.following import Reader

pytestmark = pytest.mark.kernel
RUNNING = DOCS / "running.md"
PAGES = (RUNNING, DOCS / "dispatchers.md")
HOOKS = [line for kind, text in BOX.findall(RUNNING.read_text()) if kind == "sh" for line in text.splitlines()][:-1]


@pytest.fixture(scope="module")
def operator() -> Iterator[Reader]:
    skip_unless("xdp", "tcx")
    with reader() as person:
        person.does("mkdir /sys/fs/cgroup/web.slice")
        yield person


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_prints_what_the_page_says(page: Path, operator: Reader) -> None:
    replay(page, operator.types)
    assert json.loads(operator.does("bpfimg list -o json")) == {"programs": []}


@pytest.mark.parametrize("line", HOOKS, ids=lambda line: line.partition(":v1 ")[2].partition(" --map")[0])
def test_every_hook_runs_as_it_stands_where_the_kernel_has_it(line: str, operator: Reader) -> None:
    operator.has(line)
    word = line.partition(":v1 ")[2].split()[0]
    features = json.loads(operator.does("bpfimg features -o json"))["features"]
    here = next(each["answer"] for each in features if (each["kind"], each["name"]) == ("hook", word))
    done = operator.host(line)
    expected = {0} if here == "yes" else {4}
    if word == "netkit":
        expected = {1}  # no such device is made here
    elif "lsm_cgroup" in line:
        expected = {0, 4}  # a hook of its own among those of control groups
    assert done.returncode in expected, done.stdout
    for number in {each["id"] for each in json.loads(operator.does("bpfimg list -o json"))["programs"]}:
        operator.does(f"bpfimg unload --ignore-missing {number}")


def test_the_page_has_a_line_for_each_hook() -> None:
    words = {line.partition(":v1 ")[2].split()[0] for line in HOOKS}
    assert words == {*hooks.WORDS, "iter", "syscall"}


@pytest.mark.parametrize("origin", PAGES, ids=lambda page: page.stem)
def test_every_link_on_the_page_leads_somewhere(origin: Path) -> None:
    text = origin.read_text()
    for target in re.findall(r"\]\(([^)]*)\)", text):
        path, _, anchor = target.partition("#")
        page = (DOCS / path) if path else origin
        assert page.exists(), target
        titles = re.findall(r"^#+ (.*)$", page.read_text(), re.M) if anchor else []
        anchors = {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in titles}
        assert not anchor or anchor in anchors, target
