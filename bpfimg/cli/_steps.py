"""What is being worked on, of many: one line on a terminal, gone at the end; nothing anywhere else."""

from __future__ import annotations

import sys
from contextlib import contextmanager

from bpfimg.cli._bar import Bar, drawn, visible
from bpfimg.cli._render import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

    from bpfimg.cli._options import Options

__all__ = ["counting"]


@contextmanager
def counting(options: Options, what: str, total: int = 0, *, slow: bool = False) -> Iterator[Callable[[str], None]]:
    """Gives a function to call with the name of each thing before it is begun; `total` is how many there will be.

    What is quick shows nothing, unless it is known to be `slow`; nor does anything where `watching` would not.
    """
    if not visible(options):
        yield lambda name: None
        return
    steps = _Steps(sys.stderr, what, total)
    if slow:
        steps.show_at_once()
    with drawn(steps):
        yield steps.step


class _Steps(Bar):
    """`hashing 12/340  sha256:0a1b...`"""

    def __init__(self, stream: TextIO, what: str, total: int) -> None:
        super().__init__(stream)
        self._what, self._total, self._number, self._name = what, total, 0, ""

    def step(self, name: str) -> None:
        """Begins the next."""
        with self._mutex:
            self._number += 1
            self._name = clean(name)
            self._draw()

    def show_at_once(self) -> None:
        """Begins with the first, however soon that comes."""
        self._drawn = 0.0

    def _text(self, seconds: float, width: int) -> Iterator[str]:
        of = f"/{self._total}" if self._total else ""
        yield f"{self._what} {self._number}{of}  {self._name}"
