"""Files made to cost: each is read, or refused with a sentence, before the alarm of the fuzzer stops it."""

from __future__ import annotations

import pytest

from bpfimg.bytecode import Limits, dissect
from bpfimg.errors import BytecodeError
from tests.fuzz import worker
from tests.fuzz.bombs import BOMBS, call_chain, many_map_sections, overlapping_functions, zeros


@pytest.mark.parametrize("name", BOMBS)
def test_is_read_or_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Most take some milliseconds, none three seconds; what is square takes minutes, and is stopped as a hang."""
    monkeypatch.setattr(worker, "HANG", 30)
    guard = worker.Guard(every=False, slow=float("inf"))
    failure, _seconds, _read = guard.outcome(BOMBS[name]())
    assert failure is None


def test_calls_that_multiply() -> None:
    with pytest.raises(BytecodeError, match="more than 1048576 calls can be followed"):
        dissect(call_chain())
    with pytest.raises(BytecodeError, match="more than 44 calls can be followed"):
        dissect(call_chain(10), limits=Limits(calls=44))
    assert dissect(call_chain(10), limits=Limits(calls=45)).object.functions[0].uses.calls == tuple(
        f"f{number}" for number in range(1, 10)
    )


def test_functions_that_overlap() -> None:
    with pytest.raises(BytecodeError, match=r"overlap: together they have \d+ bytes, their sections 1048576"):
        dissect(overlapping_functions())
    aliases = dissect(overlapping_functions(8, 64)).object
    assert [program.name for program in aliases.programs] == [f"f{number}" for number in range(8)]


def test_variables_that_overlap() -> None:
    with pytest.raises(BytecodeError, match=r"the globals 'v0' and 'v1' of \.bss overlap"):
        dissect(zeros())


def test_many_old_maps() -> None:
    found = dissect(many_map_sections(40, 80)).object
    assert len(found.maps) == 80
    assert all(spec.legacy for spec in found.maps)
