"""For all tests: one profile of hypothesis, the same examples everywhere; marks of what a test needs of the kernel."""

from __future__ import annotations

import pytest
from hypothesis import settings

from tests.support import features

settings.register_profile("bpfimg", derandomize=True, database=None, deadline=None)
settings.load_profile("bpfimg")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    features.decide(item)
