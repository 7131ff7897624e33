"""kill -9 at any moment: what is listed is what runs, the next command works, nothing leaks.

At the entry of each system call that changes something, in turn, where this process may trace; and at random moments.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.kernel.run.scenes import KINDS, OLD, Scene
from tests.support import cgroups, loads
from tests.support.features import native
from tests.support.netns import skip_unless, tracefs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bpfimg.load import Host
    from tests.support.netns import Namespace
    from tests.support.stepper import Stepper

pytestmark = pytest.mark.kernel

ROOT = Path(__file__).resolve().parents[3]
VERBS = ("run", "attach", "detach", "unload")
RUNS = 12  # for each kind: 36 kills at random moments
MOST_CALLS = 400


@pytest.fixture
def scene(host: Host, ns: Namespace, tmp_path: Path) -> Iterator[Callable[[str], Scene]]:
    with ExitStack() as places:

        def made(kind: str) -> Scene:
            skip_unless(*([] if kind in OLD else ["tcx"]), *(["struct-ops"] if kind == "struct_ops" else []))
            if kind == "cgroup":
                return Scene(host, ns, kind, tmp_path, places.enter_context(cgroups.cgroup()).path)
            return Scene(host, ns, kind, tmp_path)

        places.enter_context(tracefs())
        yield made
        loads.clear(host)
        assert loads.tree(host) == []
        assert loads.programs_left() == []


@native("kills at hundreds of places")
@pytest.mark.parametrize(("kind", "verb"), [(kind, verb) for kind, verbs in KINDS.items() for verb in verbs])
def test_killed_at_each_system_call_in_turn(
    kind: str, verb: str, scene: Callable[[str], Scene], step: Stepper, record_property: Callable[[str, object], None]
) -> None:
    outcomes = killed(scene(kind), verb, step)
    assert "old" in outcomes
    record_property("kills", len(outcomes))


@pytest.mark.parametrize("kind", ["clsact", "sockmap", "struct_ops"])
@pytest.mark.parametrize("verb", ["run", "detach", "unload"])
def test_killed_at_some_system_calls(kind: str, verb: str, scene: Callable[[str], Scene], step: Stepper) -> None:
    """On every kernel: one in seven, of what older ones have no links for."""
    assert killed(scene(kind), verb, step, each=7)


def killed(place: Scene, verb: str, step: Stepper, each: int = 1) -> list[str]:
    """The states after a kill at the first, second, … call that changes something, until the verb makes no more."""
    outcomes: list[str] = []
    for number in range(1, MOST_CALLS, each):
        done = step(place.place, verb, place.before(verb), number)
        state = place.after(verb)
        if done["call"] is None:
            assert (done["status"], state) == (0, "new"), (done, outcomes)
            break
        assert done["status"] == -signal.SIGKILL
        outcomes.append(state)
    else:
        pytest.fail(f"{verb} makes more than {MOST_CALLS} calls")
    place.check_nothing_left()
    assert outcomes == sorted(outcomes, reverse=True), f"once the new state is there, it stays: {outcomes}"
    return outcomes


@native("starts a hundred processes")
@pytest.mark.parametrize("kind", ["xdp", "tcx", "clsact"])
def test_killed_at_random_moments(
    kind: str, scene: Callable[[str], Scene], record_property: Callable[[str, object], None]
) -> None:
    place = scene(kind)
    seed = random.randrange(2**32)
    moments = random.Random(seed)
    outcomes: dict[str, int] = {}
    spans = {verb: min(span(place, verb) for _ in range(2)) for verb in VERBS}
    for number in range(RUNS):
        verb = VERBS[number % len(VERBS)]
        with start(place, verb) as child:
            wait_until(time.monotonic() + moments.uniform(0, 1.2 * spans[verb]))
            child.send_signal(signal.SIGKILL)
            child.wait()
        outcome = f"{verb} {'killed' if child.returncode < 0 else 'done'} {place.after(verb)}"
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    place.check_nothing_left()
    print(f"seed {seed}: {outcomes}")
    record_property("random kills", sum(outcomes[word] for word in outcomes if "killed" in word))


def start(place: Scene, verb: str) -> subprocess.Popen[bytes]:
    """Starts the verb; returns when it is about to begin."""
    words = [place.host.bpffs, place.host.tc, verb, *place.before(verb)]
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.support.child_run", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONHASHSEED": "0"},
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"ready\n"
    return child


def span(place: Scene, verb: str) -> float:
    """How long the verb takes here, in seconds, from "ready" to the end of the process."""
    with start(place, verb) as child:
        begun = time.monotonic()
        assert child.wait() == 0
        taken = time.monotonic() - begun
    assert place.after(verb) == "new"
    return taken


def wait_until(moment: float) -> None:
    """Busy, because sleeping is coarser than a system call."""
    while time.monotonic() < moment:
        pass
