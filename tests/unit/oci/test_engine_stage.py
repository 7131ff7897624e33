"""What is pushed to an engine waits on this machine until it has a tag: where nobody else has a hand in it."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

from bpfimg.oci import Descriptor, Repository, places
from tests.support.targets import LAYER

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

CONTENT = b"to be pushed"


def test_files_of_others_are_not_in_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "staged").write_text("what another user left in /tmp")
    with places.DockerDaemon(Repository("localhost", "acme/xdp"), socket="/nonexistent") as engine:
        engine.push(Descriptor.of(CONTENT, LAYER), CONTENT)
        assert engine.fetch(Descriptor.of(CONTENT, LAYER)) == CONTENT
        assert [path.name for path in tmp_path.iterdir()] == ["staged"]
