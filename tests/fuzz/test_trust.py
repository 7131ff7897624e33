"""The fuzzing of the room of trust: a short run, and whether it would notice a verifier that believes too much."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from bpfimg.sign import _whose
from bpfimg.sign._evidence import _authority, _certified, _checkpoint, _entry, _timestamp
from bpfimg.sign._evidence._certificate import Certificate
from bpfimg.sign._formats import _bundle, _envelope, _simplesigning
from bpfimg.sign._policy import _patterns
from bpfimg.sign._strict import Junk
from tests.fuzz import worker
from tests.fuzz.trust import book, read, world
from tests.fuzz.trust.checks import BrokenError
from tests.fuzz.trust.mutate import Mutator, Seed
from tests.fuzz.trust.shelf import holding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SIGNATURES = ("bundle", "sig", "att")


def test_a_short_run() -> None:
    command = [sys.executable, "-m", "tests.fuzz.worker", "--inputs=500", "--seconds=300", "--seed=1", "--trust=1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    counts = json.loads(done.stdout.splitlines()[-1])
    assert counts["failures"] == {}
    assert counts["inputs"] == counts["trust"] == 500
    assert counts["done"]
    assert 50 < counts["read"] < 350  # neither all broken at the first check, nor all as they were
    assert counts["memory"] < worker.MEMORY
    assert done.returncode == 0


def test_every_seed_is_what_it_should_be() -> None:
    """What is honest is believed, whoever signed it; lies are not; documents of root are read."""
    for seed in world.made().seeds:
        if seed.kind in SIGNATURES:
            assert read.exercise(seed.data) is seed.honest, seed.kind
        elif seed.kind != "stamp":  # those of an `.att` are over all of it
            assert read.exercise(seed.data) or seed.kind == "certificate", seed.data
    assert {seed.kind for seed in world.made().seeds} == set(read.KINDS) == set(world.WEIGHTS)


def test_each_authority_believes_some() -> None:
    seen = set()
    for seed in world.made().seeds:
        if seed.kind in SIGNATURES:
            shelf = holding(seed.kind, list(seed.parts))
            seen |= {one.authority for one in read._believed(shelf)}
    assert seen == {one.name for one in world.policy().default.authorities}


def inputs(*kinds: str) -> Iterator[bytes]:
    """The seeds of these kinds, and then many changed ones."""
    made = world.made().seeds
    some = [seed for seed in made if seed.kind in kinds]
    yield from (seed.data for seed in some)
    mutator = Mutator(some, random.Random(5), world.WEIGHTS)
    yield from (mutator.input() for _ in range(4000))


def lenient(data: bytes, **_: Any) -> dict[str, object]:
    try:
        found = json.loads(data)
    except ValueError:
        found = None
    if type(found) is not dict:
        raise Junk("no object")
    return found


def careless(payload: bytes, _wanted: Any) -> _envelope.Said:
    return _envelope.Said(json.loads(payload)["predicateType"], (world.REPOSITORY,), {})


def nothing(*_: Any, **__: Any) -> str:
    return ""


def yes(*_: Any, **__: Any) -> bool:
    return True


SABOTAGE: dict[str, tuple[tuple[tuple[Any, str, Callable[..., Any]], ...], tuple[str, ...]]] = {
    "any signature is good": (((_whose, "_signed_by", yes),), ("bundle",)),
    "any name is good": (((_whose, "_wrong_name", nothing),), ("sig",)),
    "any certificate is good": (
        ((_certified, "seen_by", nothing), (_authority.CertificateAuthority, "issuer", nothing)),
        ("bundle",),
    ),
    "any log entry is about this signature": (((_entry, "about", lambda *_: 1),), ("bundle",)),
    "any promise is the log's": (((_entry, "_promised", nothing),), ("bundle",)),
    "any checkpoint is the log's": (((_checkpoint.Checkpoint, "signed_by", yes),), ("checkpoint",)),
    "any timestamp is the authority's": (((_timestamp, "_verify", nothing),), ("stamp", "bundle")),
    "any digest is this one": (((_bundle, "said", careless),), ("bundle",)),
    "any word is the type of a payload": (((_simplesigning, "document", lenient),), ("resigned-sig",)),
    "names may stand twice": (((_envelope, "document", lenient),), ("resigned",)),
    "a pattern fits everything": (((_patterns.Pattern, "fullmatch", yes),), ("pattern",)),
}


def noticed(data: bytes) -> bool:
    try:
        read.exercise(data)
    except (BrokenError, book.UnsignedError):
        return True
    return False


@pytest.mark.parametrize("name", SABOTAGE)
def test_a_verifier_that_believes_too_much_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    changes, kinds = SABOTAGE[name]
    world.made()
    for place, word, instead in changes:
        monkeypatch.setattr(place, word, instead)
    assert any(map(noticed, inputs(*kinds)))


def test_a_broken_name_in_what_came_along_hides_nothing() -> None:
    """cryptography reads such a certificate, and stumbles when it is asked for its name."""
    certificate = Certificate.parse(next(one.certificate for one in world.made().book.records if one.certificate))
    chain = world.WORLD.authority.chain
    broken = [one.replace(b"sigstack.example", b"\xff" * 16) for one in chain]
    assert _certified.certified(certificate, [*broken, *chain], world.ROOT.trusted(), (world.AT,)) == world.AT


def test_the_same_changes_for_the_same_seed() -> None:
    first, second = (Mutator(world.made().seeds, random.Random(7), world.WEIGHTS) for _ in range(2))
    assert [first.input() for _ in range(50)] == [second.input() for _ in range(50)]


def test_an_unknown_kind_is_nothing() -> None:
    assert not read.exercise(Seed("else", b"{}").data)
