"""kill -9 at any moment: what is listed is what runs, the next command works, nothing leaks.

Twice: at random moments, and (where strace may trace) at the entry of each system call that changes something, in turn.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bpfimg import inspect
from bpfimg.load._hooks import Tc, Tcx, Xdp
from tests.support import loads
from tests.support.netns import skip_unless

if TYPE_CHECKING:
    from bpfimg.load import Hook, Host, Load
    from tests.support.netns import Namespace

pytestmark = pytest.mark.kernel

ROOT = Path(__file__).resolve().parents[3]
#: what changes something that outlives the process, or could
CALLS = ("bpf", "mkdir", "rmdir", "unlink", "rename", "renameat2", "sendto", "sendmsg", "flock")
VERBS = ("run", "attach", "detach", "unload")
KINDS = ("xdp", "tcx", "clsact")
RUNS = 72  # for each kind: 216 kills at random moments
MOST_CALLS = 400


class Place:
    """A host, an interface and an object in a file; brings it into the state in which a verb can be killed."""

    def __init__(self, host: Host, ns: Namespace, kind: str, folder: Path) -> None:
        host.tc = "clsact" if kind == "clsact" else "auto"
        self.host, self.ns, self.kind = host, ns, kind
        self.data = loads.xdp() if kind == "xdp" else loads.tc()
        self.object = folder / "object.o"
        self.object.write_bytes(self.data)

    @property
    def hook(self) -> Hook:
        if self.kind == "xdp":
            return Xdp(self.ns.interface, netns=self.ns.path)
        return (Tcx if self.kind == "tcx" else Tc)(self.ns.interface, "ingress", netns=self.ns.path)

    def before(self, verb: str) -> list[str]:
        """Makes the state that `verb` begins from; returns the child's command line."""
        hook = ["tc" if self.kind == "clsact" else self.kind, self.ns.interface, self.ns.path]
        words = [str(self.object), *hook]
        if verb == "attach":
            words = [str(loads.only_load(self.host, self.data).id), *hook]
        elif verb != "run":
            loaded = loads.run(self.host, self.data, self.hook)
            words = [str(loaded.links[0].id if verb == "detach" else loaded.id)]
        return [sys.executable, "-m", "tests.support.child_run", self.host.bpffs, self.host.tc, verb, *words]

    def after(self, verb: str) -> str:
        """Checks the host after a kill of `verb`; returns "old" or "new", for the state that was found."""
        attached, inventory = loads.attached(self.ns), inspect.host(self.host)
        listed = loads.listed(self.host)
        assert listed <= attached, f"listed, but does not run: {listed - attached}"
        hidden = {program for _, program in attached - listed}
        unfinished = {program for left in self.host.unfinished() for program in left.running}
        assert hidden <= unfinished, f"runs, but is neither listed nor unfinished: {hidden - unfinished}"
        assert all(view.damage == "" for view in inventory.programs)
        state = self.state(verb)
        with self.host.writer():
            pass
        assert self.host.unfinished() == ()
        assert loads.attached(self.ns) == loads.listed(self.host) == listed
        assert self.state(verb) == state, "sweeping changes nothing that was listed"
        loads.clear(self.host)
        assert loads.attached(self.ns) == set()
        assert loads.tree(self.host) == []
        return state

    def state(self, verb: str) -> str:
        """Which of the two states a verb can leave is listed; anything between them fails."""
        found: list[Load] = list(self.host.loads())
        shape = [len(load.links) for load in found]
        states: dict[str, dict[str, list[int]]] = {
            "run": {"old": [], "new": [1]},
            "attach": {"old": [0], "new": [1]},
            "detach": {"old": [1], "new": [0]},
            "unload": {"old": [1], "new": []},
        }
        names = [name for name, wanted in states[verb].items() if wanted == shape]
        # A clsact filter goes before its pin: killed in between, the link is still listed, as stale.
        assert names, f"neither old nor new: {shape}"
        return names[0]


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, host: Host, ns: Namespace, tmp_path: Path) -> Place:
    skip_unless(*(["tcx"] if request.param == "tcx" else []))
    return Place(host, ns, request.param, tmp_path)


def start(argv: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PYTHONHASHSEED": "0"}
    )


def test_killed_at_random_moments(place: Place) -> None:
    seed = random.randrange(2**32)
    moments = random.Random(seed)
    outcomes: dict[str, int] = {}
    spans = {verb: min(span(place, verb) for _ in range(3)) for verb in VERBS}
    for number in range(RUNS):
        verb = VERBS[number % len(VERBS)]
        with start(place.before(verb)) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == b"ready\n"
            wait_until(time.monotonic() + moments.uniform(0, 1.2 * spans[verb]))
            child.send_signal(signal.SIGKILL)
            child.wait()
            outcome = f"{verb} {'killed' if child.returncode < 0 else 'done'} {place.after(verb)}"
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    print(f"seed {seed}: {outcomes}")
    assert loads.programs_left() == []
    assert sum(outcomes[word] for word in outcomes if "killed" in word) >= RUNS // 4, f"seed {seed}: {outcomes}"


def span(place: Place, verb: str) -> float:
    """How long the verb takes here, in seconds, from "ready" to the end of the process."""
    with start(place.before(verb)) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        begun = time.monotonic()
        assert child.wait() == 0
        taken = time.monotonic() - begun
    assert place.after(verb) == "new"
    return taken


def wait_until(moment: float) -> None:
    """Busy, because sleeping is coarser than a system call."""
    while time.monotonic() < moment:
        pass


@pytest.fixture(scope="module")
def strace() -> str:
    path = shutil.which("strace")
    if path is None:
        pytest.skip("needs strace to kill at each system call in turn")
    tried = subprocess.run([path, "-f", "-o", os.devnull, "true"], capture_output=True, check=False)
    if tried.returncode:
        pytest.skip("needs ptrace, which this machine does not allow")
    return path


@pytest.mark.parametrize("verb", VERBS)
def test_killed_at_each_system_call_in_turn(verb: str, place: Place, strace: str) -> None:
    outcomes: list[str] = []
    for call in CALLS:
        found = killed_at(call, verb, place, strace)
        assert found == sorted(found, reverse=True), f"{call}: once the new state is there, it stays: {found}"
        outcomes += found
    print(f"{place.kind} {verb}: {outcomes.count('old')} kills left the old state, {outcomes.count('new')} the new")
    assert "old" in outcomes
    assert len(outcomes) >= len(VERBS)
    assert loads.programs_left() == []


def killed_at(call: str, verb: str, place: Place, strace: str) -> list[str]:
    """The states after a kill at the first, second, ... use of a system call, until the verb makes no more of them."""
    outcomes: list[str] = []
    for number in range(1, MOST_CALLS):
        inject = f"inject={call}:signal=SIGKILL:when={number}"
        argv = place.before(verb)
        traced = [strace, "-f", "-o", os.devnull, "-e", f"trace={call}", "-e", inject, *argv]
        with start(traced) as child:
            _, said = child.communicate()
        state = place.after(verb)
        if child.returncode == 0:
            assert state == "new"
            return outcomes
        assert child.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL), said.decode()
        outcomes.append(state)
    pytest.fail(f"{verb} makes more than {MOST_CALLS} calls of {call}")
