"""docs/hooks.md says of each kernel what the tests of this very run showed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.support import features, hooks_page
from tests.support.guest.listing import listed

if TYPE_CHECKING:
    from tests.support.guest.background import Guest


def test_the_table_of_hooks_is_that_of_this_run(results: dict[str, str], guests: dict[str, Guest]) -> None:
    proofs = [each for each in listed() if each.hooks]
    tests = [each.test for each in proofs]
    outcomes = {word: guest.outcomes(tests) for word, guest in guests.items()}
    own = features.kernel()
    if own in hooks_page.KERNELS:
        outcomes[own] = {test: results[test] for test in tests if test in results}
    whole = {kernel: found for kernel, found in outcomes.items() if len(found) == len(tests)}
    if not whole:
        pytest.skip("needs the tests of all hooks in the same run: tests/kernel, or tests/guest")
    made = hooks_page.made(proofs, whole)
    if os.environ.get("BPFIMG_WRITE_HOOKS_PAGE"):
        hooks_page.write(made)
    unanswered = [f"{row} on {kernel}" for row, cells in made.items() for kernel in cells if cells[kernel] == "?"]
    assert unanswered == [], "no test shows that these run, or what a user is told"
    page = {row: {kernel: cells.get(kernel) for kernel in whole} for row, cells in hooks_page.read().items()}
    assert page == made, "renew the table with `python -m scripts.hooks_page`"
