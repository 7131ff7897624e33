"""The same of the command as typed: a result or one sentence, its exit code, and a store or registry that is whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bpfimg.oci import Layout, Repository
from tests.support.faulty.errands import OLD, PLAIN
from tests.support.faulty.faults import NAMED
from tests.support.faulty.goods import NAME, TAG, Goods, check_registry, check_store
from tests.support.faulty.guarded import Cage
from tests.support.faulty.scene import fill

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.fake_registry import FakeRegistry
    from tests.support.faulty.faults import Mishap

CONFIG, LAYER = PLAIN.blobs
READS = {
    "manifest": f"GET /v2/{NAME}/manifests/{TAG}",
    "layer": f"GET /v2/{NAME}/blobs/{LAYER}",
    "referrers": "GET referrers",
}
WRITES = {
    "look": f"HEAD /v2/{NAME}/blobs/{LAYER}",
    "begin": "POST uploads",
    "upload": f"PUT uploads digest={LAYER}",
    "name": f"PUT /v2/{NAME}/manifests/{TAG}",
}
EITHER = ("reset-before", "403", "429-after-ages", "503", "headers-endless", "redirect-nowhere", "junk", "http-0.9")
PULLED = (*EITHER, "cut-in-body", "flipped", "gzip", "chunked", "much-longer", "error-with-200")
PUSHED = (*EITHER, "reset-after", "closed-early", "413-early", "500-after")


@pytest.fixture
def cage(tmp_path: Path) -> Cage:
    return Cage(tmp_path)


def holds(cage: Cage, fake: FakeRegistry, goods: Goods) -> None:
    """Puts goods into the command's store."""
    fill(Layout(str(cage.store), Repository(fake.host, NAME), short_names=False), goods)


def attempt(cage: Cage, fake: FakeRegistry, verb: str, where: str, check: Callable[[], str]) -> str:
    """Runs the command, with the fault that is set and, when that stopped it, again without; returns how it ended."""
    fault = fake.faults[0]
    fault.where = where
    ended = cage.run(verb, f"{fake.host}/{NAME}:{TAG}")
    assert ended.code in (0, 1)
    named = check()
    if ended.code == 0:
        assert named == PLAIN.top
        return "came through"
    fake.faults.clear()
    assert cage.run(verb, f"{fake.host}/{NAME}:{TAG}").code == 0
    assert check() == PLAIN.top
    return "stopped with one sentence"


def fail(fake: FakeRegistry, name: str) -> Mishap:
    found = NAMED[name]
    fake.fail("", found.change, found.times, lost=found.lost, early=found.early)
    return found


@pytest.mark.parametrize("fault", PULLED)
@pytest.mark.parametrize("ask", READS)
def test_a_pull_comes_through_or_says_why(
    ask: str, fault: str, fake: FakeRegistry, cage: Cage, record_property: Callable[..., None]
) -> None:
    holds(cage, fake, OLD)
    PLAIN.put_into(fake)
    mishap = fail(fake, fault)
    end = attempt(cage, fake, "pull", READS[ask], lambda: check_store(cage.store, fake.host, OLD, PLAIN))
    assert end == "came through" or not mishap.passing
    record_property("fault", end)


@pytest.mark.parametrize("fault", PUSHED)
@pytest.mark.parametrize("ask", WRITES)
def test_a_push_comes_through_or_says_why(
    ask: str, fault: str, fake: FakeRegistry, cage: Cage, record_property: Callable[..., None]
) -> None:
    holds(cage, fake, PLAIN)
    OLD.put_into(fake)
    mishap = fail(fake, fault)
    end = attempt(cage, fake, "push", WRITES[ask], lambda: check_registry(fake, OLD, PLAIN))
    assert end == "came through" or not mishap.passing
    record_property("fault", end)


def test_an_error_as_json(fake: FakeRegistry, cage: Cage) -> None:
    PLAIN.put_into(fake)
    fake.fail("manifests", NAMED["503-for-ever"].change, 1, lost=True)
    fake.fail("manifests", NAMED["403"].change, 1, lost=True)
    ended = cage.run("pull", f"{fake.host}/{NAME}:{TAG}", "-o", "json")
    assert ended.code == 1
    assert '"kind": "RegistryError"' in ended.error
