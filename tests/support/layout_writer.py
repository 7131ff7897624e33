"""A process that writes to a layout, for tests that run many of them or kill one.

`python -m tests.support.layout_writer PATH PREFIX COUNT` adds that many images with a referrer each and prints each
tag once it is there.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from typing import TYPE_CHECKING

from bpfimg.oci import Layout, Repository, places
from tests.support.targets import image, referrer

if TYPE_CHECKING:
    from collections.abc import Callable

REPOSITORY = Repository("registry.test", "acme/xdp")


def write(path: str, tag: str) -> None:
    layout = Layout(path, REPOSITORY)
    one = image(tag)
    one.push(layout)
    referrer(one.descriptor, tag).push(layout)
    layout.tag(one.descriptor, tag)


def add(path: str, prefix: str, count: str) -> None:
    for number in range(int(count)):
        write(path, f"{prefix}-{number}")
        print(f"{prefix}-{number}", flush=True)


def write_batch(path: str, tag: str) -> None:
    with places.stores.Batch(path) as batch:
        layout = Layout(path, REPOSITORY, batch=batch)
        for name in (tag, f"{tag}-more"):
            referrer(image(name).push(layout, name), name).push(layout)


def remove(path: str, tag: str) -> None:
    Layout(path, REPOSITORY).remove(tag)


def prune(path: str, tag: str) -> None:
    places.stores.prune(path, older=0.0)


def mend(path: str, tag: str) -> None:
    places.stores.fsck(path, repair=True)


def retag(path: str, tag: str) -> None:
    layout = Layout(path, REPOSITORY)
    places.stores.retag(layout, tag, Layout(path, Repository("other.test", "xdp"), short_names=False), tag)


def die(path: str, tag: str, step: int, work: Callable[[str, str], None] = write) -> None:
    """Does that work, and kills this process before its `step`-th call that changes a file."""
    left = step

    def counted(real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **more: object) -> object:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **more)

        return call

    for name in ("open", "write", "fsync", "replace", "rename", "mkdir", "unlink", "utime", "close"):
        setattr(os, name, counted(getattr(os, name)))
    fcntl.flock = counted(fcntl.flock)  # type: ignore[assignment]
    work(path, tag)


if __name__ == "__main__":
    add(*sys.argv[1:])
