"""Descriptors of this process, counted while guests run beside and open some of their own."""

from __future__ import annotations

import os
import time
from collections import Counter
from contextlib import contextmanager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_SECONDS = 10  # what the threads of guests open (pipes to a child, a file of results) they close soon


@contextmanager
def none_left() -> Iterator[None]:
    """Asserts that what is opened inside is closed in the end."""
    before = opened()
    yield
    deadline = time.monotonic() + _SECONDS
    while opened() - before and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not opened() - before


def opened() -> Counter[str]:
    """Returns what each descriptor leads to, but for the files of guests, and how often."""
    found: Counter[str] = Counter()
    for number in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{number}")
        except FileNotFoundError:
            continue  # that of the listing itself
        if "/bpfimg-guest-" not in target:
            found[target] += 1
    return found
