"""Where kernels are kept: nobody else may put one there."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import Error
from bpfimg.guest import _cache, _kernel
from bpfimg.guest._words import Suite
from tests.unit.guest.images import vmlinuz

if TYPE_CHECKING:
    from pathlib import Path


def kept(folder: Path) -> Path:
    """A folder with a kernel of bookworm."""
    place = folder / "kernels" / "linux-image-6.1_1"
    place.mkdir(parents=True)
    (place / "vmlinuz").write_bytes(vmlinuz("6.1"))
    (folder / "kernels/bookworm.json").write_text(json.dumps({"folder": place.name, "package": "Debian x"}))
    (folder / "kernels").chmod(0o755)
    return folder / "kernels"


def taken(cache: Path) -> tuple[str, str]:
    return _cache.fetched(Suite("bookworm"), str(cache), None, lambda text: None)


def test_what_is_ours_is_taken(tmp_path: Path) -> None:
    assert taken(kept(tmp_path))[1] == "Debian x"


def test_no_pipe_beside_a_kernel_is_waited_for(tmp_path: Path) -> None:
    image = tmp_path / "vmlinuz-6.1"
    image.write_bytes(vmlinuz("6.1"))
    os.mkfifo(tmp_path / "config-6.1")
    assert _kernel.known(str(image)).release == "6.1"


def test_what_everybody_may_write_is_not_taken(tmp_path: Path) -> None:
    cache = kept(tmp_path)
    cache.chmod(0o1777)
    with pytest.raises(Error, match="which everybody may write, expected a folder of your own"):
        taken(cache)


def test_what_somebody_else_owns_is_not_taken(tmp_path: Path) -> None:
    if os.geteuid():
        pytest.skip("needs root")
    cache = kept(tmp_path)
    os.chown(cache, 65534, 65534)
    with pytest.raises(Error, match="which the user 65534 owns"):
        taken(cache)
    (tmp_path / "link").symlink_to(cache)
    with pytest.raises(Error, match="which the user 65534 owns"):
        taken(tmp_path / "link")
