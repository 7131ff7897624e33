"""Every test of tests/kernel in the guests: the kernels of Debian 12 and 13, which have what ours may lack."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.guest import kernels
from tests.support.guest.listing import listed

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.guest.background import Guest


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    cases = [pytest.param(word, each.test, id=f"{word}-{each.test}") for word in kernels.SUITES for each in listed()]
    metafunc.parametrize(("word", "test"), cases)


def test_in_guest(
    guests: dict[str, Guest], word: str, test: str, record_property: Callable[[str, object], None]
) -> None:
    result = guests[word].result(test)
    for name, found in result.properties:
        record_property(name, found)
    if result.outcome == "skipped":
        pytest.skip(result.text)
    if result.outcome == "failed":
        pytest.fail(result.text, pytrace=False)
