"""How far a copy is: a few lines on a terminal, redrawn in place and gone at the end; nothing anywhere else."""

from __future__ import annotations

import os
import sys
import time
from _thread import allocate_lock
from contextlib import contextmanager

from bpfimg.cli._amounts import size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

    from bpfimg.cli._options import Options
    from bpfimg.cli._told import Told
    from bpfimg.oci import Descriptor

__all__ = ["Bar", "drawn", "visible", "watching"]

_PAUSE = 0.1
"""Seconds between two drawings, and before the first: what is quick shows nothing."""
_MOST = 5
"""Blobs with a line of their own, those that take longest."""
_SMALL = 256 << 10
"""Bytes of a blob that gets no line."""


@contextmanager
def watching(options: Options, *, images: int = 0) -> Iterator[Bar | Told | None]:
    """Gives a bar to watch a copy with, None where nobody would see one: no terminal, `-q`, `-o json`, TERM=dumb.

    With `-v` what becomes of each blob is said as well.

    While it is there, whatever else is written to the terminal appears above it.
    """
    if not visible(options):
        yield _told(options, None)
        return
    bar = Bar(sys.stderr, images=images)
    with drawn(bar):
        yield _told(options, bar)


def visible(options: Options) -> bool:
    """Whether somebody would see a bar on stderr."""
    quiet = options.quiet or options.json or os.environ.get("TERM", "dumb") == "dumb"
    return not quiet and sys.stderr.isatty()


@contextmanager
def drawn(bar: Bar) -> Iterator[None]:
    """For as long as this lasts what is written to the terminal appears above the bar; then the bar is gone."""
    plain = sys.stdout, sys.stderr
    above = [_Above(stream, bar) for stream in plain]
    sys.stderr = above[1]
    if sys.stdout.isatty():
        sys.stdout = above[0]
    try:
        yield
    finally:
        sys.stdout, sys.stderr = plain
        bar.close()
        for each in above:
            each.end()


def _told(options: Options, bar: Bar | None) -> Bar | Told | None:
    if not options.verbose:
        return bar
    from bpfimg.cli._told import Told

    return Told(options, bar)


class Bar:
    """A `Progress` that draws. Everything is drawn by whoever moved something: there is no thread for it."""

    def __init__(self, stream: TextIO, *, images: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._images, self._images_done = images, 0
        self._mutex = allocate_lock()
        self._began = self._drawn = clock()
        self._lines = 0
        self._closed = False
        self._moving: dict[str, tuple[int, int]] = {}
        self._expected = self._finished = 0
        self._size = self._bytes = self._fresh = 0

    def expect(self, descriptor: Descriptor) -> None:
        with self._mutex:
            self._expected += 1
            self._size += descriptor.size

    def moved(self, descriptor: Descriptor, count: int) -> None:
        with self._mutex:
            name = descriptor.digest.hex[:12]
            whole, so_far = self._moving.get(name, (descriptor.size, 0))
            self._moving[name] = whole, so_far + count
            self._bytes += count
            self._fresh += count
            self._draw()

    def done(self, descriptor: Descriptor, how: str) -> None:
        with self._mutex:
            _, moved = self._moving.pop(descriptor.digest.hex[:12], (0, 0))
            self._bytes += descriptor.size - moved
            self._finished += 1
            self._draw()

    def images_done(self, count: int) -> None:
        """So many more of the images that were announced are dealt with."""
        with self._mutex:
            self._images_done += count
            self._draw()

    def say(self, text: str, stream: TextIO) -> None:
        """Writes above the bar; the next drawing puts that back."""
        with self._mutex:
            self._clear()
            stream.write(text)
            stream.flush()

    def close(self) -> None:
        """Takes the bar off the terminal for good: threads that Ctrl-C left behind draw nothing any more."""
        with self._mutex:
            self._clear()
            self._closed = True

    def _clear(self) -> None:
        if self._lines:
            # to the first of our lines, and everything from there on goes
            up = f"\x1b[{self._lines - 1}A" if self._lines > 1 else ""
            self._write(f"\r{up}\x1b[J")
            self._lines = 0

    def _draw(self) -> None:
        now = self._clock()
        if self._closed or now - self._drawn < _PAUSE:
            return
        self._drawn = now
        width = self._width()
        lines = [line[: width - 1] for line in self._text(now - self._began, width)]
        self._clear()
        self._write("\n".join(lines))
        self._lines = len(lines)

    def _text(self, seconds: float, width: int) -> Iterator[str]:
        rate = self._fresh / max(seconds, 0.001)
        count = f"{self._images_done}/{self._images} images" if self._images else f"{self._finished}/{self._expected}"
        left = f", {_time((self._size - self._bytes) / rate)} left" if rate > 0 and self._size > self._bytes else ""
        yield f"{count}  {size(self._bytes)} of {size(self._size)}  {size(rate)}/s{left}"
        large = [(whole - moved, name, whole, moved) for name, (whole, moved) in self._moving.items() if whole > _SMALL]
        for _, name, whole, moved in sorted(large, reverse=True)[:_MOST]:
            tail = f" {size(moved)} of {size(whole)}"
            room = max(min(width - len(name) - len(tail) - 6, 40), 0)
            filled = min(room * moved // whole, room)
            bar = f" [{'=' * filled}{' ' * (room - filled)}]" if room >= 5 else ""
            yield f"  {name}{bar}{tail}"

    def _width(self) -> int:
        try:
            columns = os.get_terminal_size(self._stream.fileno()).columns
        except (OSError, ValueError):
            columns = 0
        return max(columns or 80, 20)  # a terminal that nobody told its size says 0

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            self._lines = 0  # the terminal went away: the copy goes on without one


class _Above:
    """A stream of the terminal while a bar is shown: whole lines go above it."""

    def __init__(self, stream: TextIO, bar: Bar) -> None:
        self._stream = stream
        self._bar = bar
        self._kept = ""

    def write(self, text: str) -> int:
        whole, end, rest = (self._kept + text).rpartition("\n")
        self._kept = rest
        if end:
            self._bar.say(whole + end, self._stream)
        return len(text)

    def end(self) -> None:
        """Writes what has no end of line."""
        if self._kept:
            self._stream.write(self._kept)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def _time(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"
