"""kill -9 at each system call that changes a chain: the hook keeps either chain whole, the next command works, and
nothing leaks."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.support import chains, xdptools
from tests.support.chain_kills import CASES, Case, Scene
from tests.support.chains import HOOKS, Kind
from tests.support.features import kernel, native, needs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.chains import World
    from tests.support.stepper import Stepper

pytestmark = pytest.mark.kernel

MOST_CALLS = 400
#: Where it takes long one call in so many is a place to die, others for each kernel, kind and case: on the emulated
#: kernels, and on this machine's own for what has the same code as others. 1 asks for each of them.
SOME, MORE = (int(os.environ.get("BPFIMG_TEST_EACH_CALL", number)) for number in ("48", "6"))
_SUITE = "trixie"
_AT_EACH = [Kind("fused", hook) for hook in HOOKS[:2]]
_AT_MORE = [Kind("fused", "egress"), Kind("fused", "ingress", "clsact")]

#: in emulated kernels: every case on XDP, which has libxdp's pins as well, and on tc those of a chain of three
_EMULATED = [
    pytest.param(kind, case, id=f"{case.word}-{kind.word}", marks=needs("trampolines"))
    for kind in (Kind("freplace", "xdp"), Kind("freplace", "ingress"))
    for case in (CASES if kind.hook == "xdp" else [case for case in CASES if len(case.old) + len(case.new) > 4])
]

cases = pytest.mark.parametrize("case", [pytest.param(case, id=case.word) for case in CASES])


@native("kills at hundreds of places")
@chains.every(*_AT_EACH, *_AT_MORE)
@cases
def test_killed_at_each_system_call_in_turn(
    case: Case, world: World, step: Stepper, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Each of attach, detach and set; one in `MORE` of those that do the same among much else."""
    each = 1 if world.kind in _AT_EACH and case.verb in ("attach", "detach", "set") else MORE
    record_property("chain kills", killed(Scene(world, case, tmp_path), step, 1 + CASES.index(case) % each, each))


@pytest.mark.parametrize(("kind", "case"), _EMULATED)
def test_killed_at_some_of_them(
    case: Case, world: World, step: Stepper, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """What `xdp-loader status` lists is right as well, where it is to be had."""
    turn = CASES.index(case) + 5 * HOOKS.index(world.kind.hook) + 3 * (kernel() == "6.1")
    scene = Scene(world, case, tmp_path)
    if world.kind.hook == "xdp" and xdptools.there(_SUITE):
        scene.tools = xdptools.require(_SUITE, world.ns, world.host.bpffs)
    each = SOME if case.verb in ("attach", "detach", "set") or SOME == 1 else 2 * SOME
    record_property("chain kills", killed(scene, step, 1 + (7 * turn) % min(each, 24), each))


def killed(scene: Scene, step: Stepper, first: int = 1, each: int = 1) -> int:
    """Kills at the first, second, … call that changes something, until the change makes no more; returns how many."""
    outcomes: list[str] = []
    for number in range(first, MOST_CALLS, each):
        done = step(scene.place, scene.case.verb, scene.before(), number)
        if done["call"] is None:
            assert done["status"] == 0, (done, outcomes)
            scene.done()
            break
        assert done["status"] == -signal.SIGKILL
        outcomes.append(scene.after())
    else:
        pytest.fail(f"{scene.case.verb} makes more than {MOST_CALLS} calls")
    scene.check_nothing_left()
    assert outcomes == sorted(outcomes, reverse=True), f"once the new chain is there, it stays: {outcomes}"
    print(f"{scene.world.kind.word} {scene.case.word}: killed at {len(outcomes)} calls, {outcomes.count('new')} new")
    return len(outcomes)
