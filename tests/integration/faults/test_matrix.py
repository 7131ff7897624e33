"""Each request of a command, each fault once: the right bytes arrive, or one sentence says why not.

Never wrong bytes, never a hang, never a tag that is half written; and the next attempt comes through. Most of the time
goes into waiting for what does not come, so several cases run at a time; each test waits for its own.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

import pytest

from tests.support.fake_registry import FakeRegistry, fake_registry
from tests.support.faulty.errands import CASES, ERRANDS
from tests.support.faulty.faults import NAMED
from tests.support.faulty.scene import Scene

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from bpfimg.errors import Error
    from tests.support.faulty.errands import Errand
    from tests.support.faulty.faults import Mishap
    from tests.support.faulty.scene import Ask

    Case = tuple[Errand, Ask, Mishap]

AT_ONCE = 8
_MEMORY = "/dev/shm"


@contextmanager
def folder() -> Iterator[Path]:
    """A folder in memory where there is such a place: a store syncs what it writes, and here are many stores."""
    found = Path(tempfile.mkdtemp(prefix="bpfimg-", dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None))
    try:
        yield found
    finally:
        shutil.rmtree(found)


@pytest.fixture(scope="module")
def stage() -> Iterator[Callable[[Case], Future[str]]]:
    """Starts a case, in a thread and with a registry that no other case uses meanwhile."""
    with ExitStack() as stack:
        free: SimpleQueue[FakeRegistry] = SimpleQueue()
        for _ in range(AT_ONCE):
            free.put(stack.enter_context(fake_registry()))

        def run(case: Case) -> str:
            fake = free.get()
            fake.reset()
            try:
                with folder() as place:
                    return outcome(*case, fake, place)
            finally:
                free.put(fake)

        pool = stack.enter_context(ThreadPoolExecutor(AT_ONCE))
        stack.callback(pool.shutdown, cancel_futures=True)
        yield lambda case: pool.submit(run, case)


@pytest.fixture(scope="module")
def outcomes(stage: Callable[[Case], Future[str]], request: pytest.FixtureRequest) -> dict[str, Future[str]]:
    """All cases that were asked for, under way."""
    chosen = [
        item
        for item in request.session.items
        if getattr(item, "originalname", "") == test_a_fault_ends_well_or_in_one_sentence.__name__
    ]
    return {item.callspec.id: stage(item.callspec.params["case"]) for item in chosen}  # type: ignore[attr-defined]


def outcome(errand: Errand, ask: Ask, mishap: Mishap, fake: FakeRegistry, place: Path) -> str:
    """Runs a case; returns how it ended, AssertionError when it must not end so."""
    scene = Scene(fake, place, errand.goods)
    errand.prepare(scene)
    fault = fake.fail(ask.where, mishap.change, mishap.times, skip=ask.skip, lost=mishap.lost, early=mishap.early)
    error = errand.go(scene)
    assert fault.times < mishap.times, "the request was not made"
    named = errand.check(scene)
    if error is None:
        assert named == errand.goods.top, "it did nothing, and said nothing"
        return "came through"
    check_sentence(error, *scene.said)
    must = mishap.passing or errand.always
    assert not must, f"it gave up: {error}"
    if errand.once and named == errand.goods.top:
        return "stopped with one sentence"
    fake.faults.clear()
    again = errand.go(scene)
    assert again is None, f"the next attempt fails: {again}"
    assert errand.check(scene) == errand.goods.top
    return "stopped with one sentence"


def check_sentence(error: Error, *said: str) -> None:
    """Fails unless the error is one line for people, with at most one hint, and so is everything else that was said."""
    assert str(error)
    for text in (str(error), error.hint, *said):
        assert text.isascii()
        assert not text or text.isprintable(), f"not for a terminal: {text!r}"
        assert len(text) < 800
        assert "secret" not in text


@pytest.mark.parametrize(
    "case", CASES, ids=[f"{errand.name}:{ask.name}:{mishap.name}" for errand, ask, mishap in CASES]
)
def test_a_fault_ends_well_or_in_one_sentence(
    case: Case,
    outcomes: dict[str, Future[str]],
    request: pytest.FixtureRequest,
    record_property: Callable[[str, object], None],
) -> None:
    record_property("fault", outcomes[request.node.callspec.id].result())


@pytest.mark.parametrize("errand", ERRANDS, ids=lambda errand: errand.name)
def test_every_request_is_in_the_matrix(errand: Errand) -> None:
    with fake_registry() as fake, folder() as place:
        scene = Scene(fake, place, errand.goods)
        errand.prepare(scene)
        fake.requests.clear()
        assert errand.go(scene) is None
        assert errand.check(scene) == errand.goods.top
        left = list(errand.asks)
        for request in fake.requests:
            known = next((ask for ask in left if all(word in request.line for word in ask.where.split())), None)
            assert known is not None, f"{errand.name} makes a request that no fault is tried on: {request.line}"
            left.remove(known)
        assert [ask for ask in left if not ask.maybe] == [], f"{errand.name} does not make these requests"


def test_the_matrix_is_large() -> None:
    assert len(CASES) >= 300
    assert len(NAMED) >= 100
