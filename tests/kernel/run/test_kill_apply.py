"""kill -9 at each system call of `apply`: what is on both sides of the change has run all the time."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from bpfimg import dispatcher
from tests.kernel.run.apply_scenes import CASES, Declared
from tests.support import loads
from tests.support.features import native, needs
from tests.support.netns import bpffs, skip_unless, tracefs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bpfimg.load import Host
    from tests.support.netns import Namespace
    from tests.support.stepper import Stepper

pytestmark = [pytest.mark.kernel, needs("tcx")]

MOST_CALLS = 400


@pytest.fixture
def host() -> Iterator[Host]:
    """A host with chains, as the command line has it."""
    skip_unless("bpffs")
    with bpffs() as mount:
        host = dispatcher.host(mount, lock_timeout=5)
        yield host
        loads.clear(host)


@pytest.fixture
def declared(host: Host, ns: Namespace, tmp_path: Path) -> Iterator[Callable[[str], Declared]]:
    with tracefs():
        yield lambda case: Declared(host, ns, tmp_path, case)


@native("kills at hundreds of places")
@pytest.mark.parametrize("case", CASES)
def test_killed_at_each_system_call_in_turn(
    case: str, declared: Callable[[str], Declared], step: Stepper, record_property: Callable[[str, object], None]
) -> None:
    place = declared(case)
    kills = killed(place, step, each=3 if case == "all of it" else 1)  # whose parts are cases of their own
    place.check_nothing_left()
    record_property("kills", kills)


def killed(place: Declared, step: Stepper, each: int = 1) -> int:
    """Applies, killed at the first, second, … call that changes something, until there are no more; returns how often.

    From wherever that leaves the host, applying what was declared before leads back there; and now and then what is
    declared after to the end.
    """
    for kills, number in enumerate(range(1, MOST_CALLS, each)):
        place.apply(step, 0)
        done = place.apply(step, 1, number)
        if done["call"] is None:
            return kills
        assert done["status"] == -signal.SIGKILL
        place.check_between()
        if number % 8 == 0:
            place.apply(step, 1)
    pytest.fail(f"apply makes more than {MOST_CALLS} calls")
