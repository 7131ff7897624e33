"""What every target promises. The registry takes the same tests in tests/integration/oci."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bpfimg.oci import Layout, Memory, Repository
from tests.support.targets import TargetContract

if TYPE_CHECKING:
    from pathlib import Path

    from bpfimg.oci import Target

REPOSITORY = Repository("registry.test:5000", "acme/xdp")


class TestTargets(TargetContract):
    @pytest.fixture(params=["memory", "layout"])
    def target(self, request: pytest.FixtureRequest, tmp_path: Path) -> Target:
        return Memory(REPOSITORY) if request.param == "memory" else Layout(str(tmp_path / "store"), REPOSITORY)

    @pytest.fixture
    def reopened(self, target: Target, tmp_path: Path) -> Target:
        return target if isinstance(target, Memory) else Layout(str(tmp_path / "store"), REPOSITORY)
