"""A registry that does what it likes, and the command in its cage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.faulty.goods import NAME, TAG, plain
from tests.support.faulty.guarded import Cage

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.fake_registry import FakeRegistry


@pytest.fixture
def fake(running: FakeRegistry) -> FakeRegistry:
    """Holds an image."""
    running.reset()
    plain().put_into(running)
    return running


@pytest.fixture
def cage(tmp_path: Path) -> Cage:
    return Cage(tmp_path)


@pytest.fixture
def name(fake: FakeRegistry) -> str:
    """What its image is called."""
    return f"{fake.host}/{NAME}:{TAG}"
