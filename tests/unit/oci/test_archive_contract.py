"""Archives promise what every target does; what was pushed is in the file once it is published."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bpfimg.oci import Repository, places
from tests.support.targets import TargetContract

if TYPE_CHECKING:
    from pathlib import Path

    from bpfimg.oci import Target

REPOSITORY = Repository("registry.test:5000", "acme/xdp")


class Reopened:
    """The file opened again at each look, after all that was pushed is in it."""

    def __init__(self, archive: places.Archive, docker: bool) -> None:
        self._archive = archive
        self._docker = docker

    def __getattr__(self, name: str) -> object:
        self._archive.publish()
        return getattr(places.Archive(self._archive.path, REPOSITORY, docker=self._docker), name)


class TestArchives(TargetContract):
    @pytest.fixture(params=[False, True], ids=["oci-archive", "docker-archive"])
    def docker(self, request: pytest.FixtureRequest) -> bool:
        return bool(request.param)

    @pytest.fixture
    def target(self, docker: bool, tmp_path: Path) -> Target:
        return places.Archive(str(tmp_path / "images.tar"), REPOSITORY, docker=docker)

    @pytest.fixture
    def reopened(self, target: places.Archive, docker: bool) -> Reopened:
        return Reopened(target, docker)
