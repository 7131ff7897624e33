"""A process that writes to an archive, for tests that run many of them, kill one, or give one little room.

`python -m tests.support.archive_writer PATH PREFIX COUNT` adds that many images, each published by itself.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from typing import TYPE_CHECKING

from bpfimg.oci import Repository, places
from tests.support.targets import image, referrer

if TYPE_CHECKING:
    from collections.abc import Callable

REPOSITORY = Repository("registry.test", "acme/xdp")
CALLS = ("open", "write", "pwrite", "fsync", "replace", "unlink", "ftruncate", "fchmod", "close")


def write(path: str, tag: str) -> None:
    with places.Archive(path, REPOSITORY, docker=True) as archive:
        one = image(tag).push(archive, tag)
        referrer(one, tag).push(archive)


def add(path: str, prefix: str, count: str) -> None:
    for number in range(int(count)):
        write(path, f"{prefix}-{number}")


def counted(before: Callable[[], None]) -> None:
    """Lets `before` be called before each call that changes a file."""

    def wrapped(real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **more: object) -> object:
            before()
            return real(*arguments, **more)

        return call

    for name in CALLS:
        setattr(os, name, wrapped(getattr(os, name)))
    fcntl.flock = wrapped(fcntl.flock)  # type: ignore[assignment]


def die(path: str, tag: str, step: int) -> None:
    """Adds one image, and kills this process before its `step`-th call that changes a file."""
    left = step

    def count() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    counted(count)
    write(path, tag)


if __name__ == "__main__":
    add(*sys.argv[1:])
