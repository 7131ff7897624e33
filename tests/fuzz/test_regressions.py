"""Every input that once failed, a short run of the fuzzer, and whether the fuzzer would notice a failure."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from bpfimg.bytecode import parse
from bpfimg.errors import BytecodeError
from tests.fuzz import targets, worker
from tests.fuzz.mutate import Mutator, Seed
from tests.fuzz.seeds import seeds
from tests.support import corpus

if TYPE_CHECKING:
    from pathlib import Path

KEPT = sorted(worker.REGRESSIONS.glob("*.bin"))


@pytest.mark.parametrize("path", KEPT, ids=[path.stem for path in KEPT])
def test_what_once_failed(path: Path) -> None:
    guard = worker.Guard(every=True, slow=float("inf"))  # only a hang is stopped: no timed tests
    failure, _seconds, _read = guard.outcome(path.read_bytes())
    assert failure is None


def test_a_short_run() -> None:
    """The same inputs on every machine with the same compilers; memory is bounded there as in `make fuzz`."""
    command = [sys.executable, "-m", "tests.fuzz.worker", "--inputs=3000", "--seconds=300", "--seed=1"]
    done = subprocess.run([*command, "--compiled-only", "--trust=0"], capture_output=True, text=True, check=False)
    counts = json.loads(done.stdout.splitlines()[-1])
    assert counts["failures"] == {}
    assert counts["inputs"] == 3000
    assert counts["done"]
    assert 500 < counts["read"] < 2800  # neither all broken at the first check, nor all as they were
    assert counts["memory"] < worker.MEMORY
    assert done.returncode == 0


@pytest.fixture
def guard(tmp_path: Path) -> worker.Guard:
    return worker.Guard(every=True, folder=tmp_path)


def test_a_crash_is_noticed_and_made_small(
    guard: worker.Guard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exercise(data: bytes, *, every: bool) -> bool:
        if b"bad" in data:
            raise IndexError
        return every

    monkeypatch.setattr(targets, "exercise", exercise)
    guard.feed(b"good")
    guard.feed(b"x" * 500 + b"bad!" + b"y" * 500)
    guard.feed(b"z" * 50 + b"bad")  # the same failure is kept once
    assert (guard.inputs, guard.read, len(guard.failures)) == (3, 1, 1)
    (kept,) = tmp_path.iterdir()
    assert b"bad" in kept.read_bytes()
    assert len(kept.read_bytes()) < 16


def test_a_hang_is_stopped(guard: worker.Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    def exercise(_data: bytes, *, every: bool) -> bool:
        while every:
            pass
        return every

    monkeypatch.setattr(targets, "exercise", exercise)
    monkeypatch.setattr(worker, "HANG", 0.05)
    assert guard.outcome(b"")[0] == "hang"


def test_what_is_slow_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def exercise(_data: bytes, *, every: bool) -> bool:
        end = time.process_time() + 0.02
        while time.process_time() < end:
            pass
        return every

    monkeypatch.setattr(targets, "exercise", exercise)
    assert worker.Guard(every=True, folder=tmp_path, slow=0.01).outcome(b"")[0] == "slow"


def test_inputs_are_objects_still() -> None:
    """Of the inputs a good part can be read, and those that cannot fail in many different ways."""
    mutator = Mutator(seeds(packages=False), random.Random(3))
    messages = set()
    read = 0
    for _ in range(600):
        data = mutator.input()
        if data[:4] != b"\x7fELF":
            continue
        try:
            parse(data)
            read += 1
        except BytecodeError as error:
            messages.add("".join(letter for letter in str(error) if not letter.isdigit())[:40])
    assert read > 100
    assert len(messages) > 25


def test_the_same_inputs_for_the_same_seed() -> None:
    some = seeds(packages=False)
    first, second = (Mutator(some, random.Random(7)) for _ in range(2))
    assert [first.input() for _ in range(50)] == [second.input() for _ in range(50)]


def test_the_map_of_a_seed() -> None:
    """Every field lies within the file, and BTF and code are among them."""
    data = corpus.one("core_everywhere.el")
    seed = Seed("one", data)
    assert all(at >= 0 and at + width <= len(data) for group in seed.groups for at, width in group)
    assert {".BTF", ".BTF.ext", ".text", ".symtab", "license"} <= {part[0] for part in seed.parts}
    assert len([field for group in seed.groups for field in group]) > 500


def test_every_step_is_taken() -> None:
    """A sound object passes through all of them."""
    assert len(targets.STEPS) >= 12
    for name in ("core_everywhere.el", "global_structs.eb", "map_types.el", "section_several.el.dwarf"):
        assert targets.exercise(corpus.one(name), every=True)
