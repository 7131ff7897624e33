"""`docs/running.md` and `docs/dispatchers.md`, typed line by line on a host of their own: what their boxes show is what
the commands print.

`BPFIMG_WRITE_README=1` writes today's output into the page instead of comparing.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from bpfimg.load import hooks
from tests.support.cgroups import cgroup
from tests.support.netns import bpffs, namespace, skip_unless, tracefs
from tests.support.objects import EXAMPLES
from tests.support.pages import BOX, DOCS
from tests.support.replay import replay

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.cgroups import Cgroup
    from tests.support.netns import Namespace

pytestmark = pytest.mark.kernel
RUNNING = DOCS / "running.md"
PAGES = (RUNNING, DOCS / "dispatchers.md")
TEAM = "registry.example/team"
HOOKS = [line for kind, text in BOX.findall(RUNNING.read_text()) if kind == "sh" for line in text.splitlines()][:-1]


class Operator:
    """Somebody on a host with an interface eth1, a control group web.slice and a policy; images come when named."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self.network: Namespace = stack.enter_context(namespace())
        self.group: Cgroup = stack.enter_context(cgroup())
        self.mount = stack.enter_context(bpffs())
        stack.enter_context(tracefs())
        device, folder = self.network.interface, folder / "home"
        renamed = f"ip link set dev {device} down && ip link set dev {device} name eth1 && ip link set dev eth1 up"
        self.network.exec(["sh", "-c", renamed])
        folder.mkdir()
        self.folder = folder
        self.environ = {
            "PATH": f"{os.path.dirname(sys.executable)}:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(folder),
            "COSIGN_PASSWORD": "",
            "BPFIMG_STORE": str(folder / "store"),
            "BPFIMG_STATE": str(folder / "state"),
            "BPFIMG_POLICY": str(folder / "policy.json"),
            "BPFIMG_BPFFS": self.mount,
        }
        self.known: set[str] = set()
        self.does("bpfimg key generate release")
        self.does(f"bpfimg policy init --key release.pub --scope '{TEAM}/**' policy.json")

    def has(self, line: str) -> None:
        """Builds and signs the image that a command names, once."""
        for name in set(re.findall(rf"{TEAM}/(\w+):v1", line)) - self.known:
            self.known.add(name)
            self.does(f"bpfimg build -q -t {TEAM}/{name}:v1 {EXAMPLES}/{name}.bpf.c")
            self.does(f"bpfimg sign -q --key release.key {TEAM}/{name}:v1")

    def does(self, line: str) -> subprocess.CompletedProcess[str]:
        """Runs a command in the namespace, which must succeed."""
        done = self.tries(line)
        assert done.returncode == 0, f"$ {line}\n{done.stdout}"
        return done

    def tries(self, line: str) -> subprocess.CompletedProcess[str]:
        """Runs a command in the namespace; places of the page are places of this test."""
        here = line.replace("web.slice", self.group.relative).replace("/sys/fs/bpf/bpfimg", f"{self.mount}/bpfimg")
        return subprocess.run(
            ["nsenter", f"--net={self.network.path}", "sh", "-c", here],
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )

    def types(self, line: str) -> str:
        """What the terminal shows after a command of the page."""
        self.has(line)
        said = self.tries(line).stdout
        for here, there in {
            self.group.path: "/sys/fs/cgroup/web.slice",
            self.mount: "/sys/fs/bpf",
            str(self.folder / "policy.json"): "/etc/bpfimg/policy.json",
        }.items():
            said = said.replace(here, there)
        return said


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    skip_unless("xdp", "tcx")
    with ExitStack() as stack:
        yield Operator(stack, tmp_path_factory.mktemp("operator"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_prints_what_the_page_says(page: Path, operator: Operator) -> None:
    replay(page, operator.types)
    assert json.loads(operator.does("bpfimg list -o json").stdout) == {"programs": []}


@pytest.mark.parametrize("line", HOOKS, ids=lambda line: line.partition(":v1 ")[2].partition(" --map")[0])
def test_every_hook_runs_as_it_stands_where_the_kernel_has_it(line: str, operator: Operator) -> None:
    operator.has(line)
    word = line.partition(":v1 ")[2].split()[0]
    features = json.loads(operator.does("bpfimg features -o json").stdout)["features"]
    here = next(each["answer"] for each in features if (each["kind"], each["name"]) == ("hook", word))
    done = operator.tries(line)
    expected = {0} if here == "yes" else {4}
    if word == "netkit":
        expected = {1}  # no such device is made here
    elif "lsm_cgroup" in line:
        expected = {0, 4}  # a hook of its own among those of control groups
    assert done.returncode in expected, done.stdout
    for number in {each["id"] for each in json.loads(operator.does("bpfimg list -o json").stdout)["programs"]}:
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
