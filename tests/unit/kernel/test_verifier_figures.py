"""How far the verifier went: the last lines of its logs."""

from __future__ import annotations

import pytest

from bpfimg.kernel._verifier_figures import figures
from tests.refusals.collect import HERE, logs

KERNELS = sorted(path.name for path in (HERE / "logs").iterdir())


@pytest.mark.parametrize("kernel", KERNELS)
def test_each_log_of_each_kernel_has_them(kernel: str) -> None:
    lost = [name for name, number, log in logs(kernel) if number != 28 and figures(log).insns is None]
    assert lost == []
    found = {name: figures(log) for name, number, log in logs(kernel)}
    assert found["null_check"].insns == 8 or found["null_check"].insns == 7
    assert found["null_check"].states is not None


def test_of_a_program_that_was_taken() -> None:
    log = "verification time 41 usec\nstack depth 16+0+8\nprocessed 1234 insns (limit 1000000) max_states_per_insn 4 "
    found = figures(log + "total_states 17 peak_states 9 mark_read 3\n")
    assert (found.insns, found.states, found.peak_states, found.stack) == (1234, 17, 9, 24)


def test_what_a_log_does_not_say_is_not_made_up() -> None:
    assert figures("").insns is None
    assert figures("processed many insns\nstack depth deep\n").stack is None
    said = figures("processed 3 insns")
    assert (said.insns, said.states, said.stack) == (3, None, None)


def test_words_of_the_object_are_not_taken_for_figures() -> None:
    forged = "; processed 1 insns @ a.c:1\nprocessed 1 insns\n0: (95) exit\nprocessed 7 insns\n"
    assert figures(forged).insns == 7
    assert figures("processed 99999999999999 insns\n").insns is None
