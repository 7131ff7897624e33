"""A store for tests to fill, and what reaches the disk while they do."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store is; nothing is there yet."""
    return tmp_path / "store"


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each fsync (of a directory, or of a file by its directory) and each rename, in their order."""
    done: list[str] = []
    fsync, replace = os.fsync, os.replace

    def opened(descriptor: int) -> str:
        return os.readlink(f"/proc/self/fd/{descriptor}")

    def synced(descriptor: int) -> None:
        name = opened(descriptor)
        folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        done.append(f"fsync directory {os.path.basename(name)}" if folder else f"fsync in {name.split('/')[-2]}")
        fsync(descriptor)

    def replaced(old: str, new: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        done.append(f"rename to {os.path.basename(opened(dst_dir_fd))}")
        replace(old, new, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    return done
