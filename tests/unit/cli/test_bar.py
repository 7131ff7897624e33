"""The bar: what a terminal shows while it is drawn, and that nothing of it stays."""

from __future__ import annotations

import fcntl
import io
import os
import re
import struct
import termios
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

import pytest

from bpfimg.cli import _bar
from bpfimg.cli._bar import Bar, watching
from bpfimg.cli._options import resolve
from bpfimg.oci import Descriptor, Digest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.cli._options import Options

LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
MIB = 1 << 20
_MARK = "\x1b[9Z"


@dataclass
class Screen:
    """A terminal as far as the bar uses one, at the other end of a pty."""

    master: int
    stream: TextIO
    width: int
    lines: list[str] = field(default_factory=lambda: [""])
    row: int = 0
    widest: int = 0

    def look(self) -> list[str]:
        """What stands there now, without empty lines at the end."""
        self.stream.write(_MARK)  # a pty hands on what it is given in its own time
        self.stream.flush()
        text = ""
        while not text.endswith(_MARK):
            text += os.read(self.master, 1 << 16).decode()
        self._show(text.removesuffix(_MARK))
        found = list(self.lines)
        while found and not found[-1]:
            found.pop()
        return found

    def _show(self, text: str) -> None:
        for part in re.findall(r"\x1b\[\d*[A-Z]|[\r\n]|[^\x1b\r\n]+", text):
            if part == "\n":
                self.row += 1
                while len(self.lines) <= self.row:
                    self.lines.append("")
            elif part == "\r":
                self.column = 0
            elif up := re.fullmatch(r"\x1b\[(\d+)A", part):
                self.row -= int(up[1])
                assert self.row >= 0, "above the screen"
            elif part == "\x1b[J":
                self.lines[self.row :] = [""]
            else:
                assert not part.startswith("\x1b"), f"the bar sends {part!r}"
                self.lines[self.row] = (self.lines[self.row] if self.column else "") + part
                self.widest = max(self.widest, len(self.lines[self.row]))
                self.column = len(self.lines[self.row])

    column: int = 0


@pytest.fixture(params=[80, 30], ids=["wide", "narrow"])
def screen(request: pytest.FixtureRequest) -> Iterator[Screen]:
    with opened(request.param) as made:
        yield made


@contextmanager
def opened(width: int) -> Iterator[Screen]:
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    with open(slave, "w") as stream:
        yield Screen(master, stream, width)
    os.close(master)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def blob(number: int, size: int) -> Descriptor:
    return Descriptor(LAYER, Digest.of(b"%d" % number), size)


def test_bytes_rate_and_each_blob(screen: Screen) -> None:
    clock = Clock()
    bar = Bar(screen.stream, clock=clock)
    first, second = blob(1, 10 * MIB), blob(2, 30 * MIB)
    for each in (first, second):
        bar.expect(each)
    bar.moved(first, MIB)
    assert screen.look() == []  # what is quick shows nothing
    clock.now += 1.0
    bar.moved(first, 4 * MIB)
    bar.moved(second, 3 * MIB)
    clock.now += 1.0
    bar.moved(second, 0)
    head, *rows = screen.look()
    assert head.startswith("0/2  8.0 MiB of 40.0 MiB  4.0")
    assert [row.split()[0] for row in rows] == [second.digest.hex[:12], first.digest.hex[:12]]
    assert screen.widest < screen.width
    if screen.width == 80:
        assert head.endswith("4.0 MiB/s, 8 s left")
        assert "[====" in rows[1]
        assert rows[1].endswith("5.0 MiB of 10.0 MiB")
    clock.now += 1.0
    bar.moved(first, 5 * MIB)
    bar.done(first, "copied")
    clock.now += 1.0
    bar.moved(second, MIB)
    head, _ = screen.look()
    assert head.startswith("1/2")
    bar.close()
    assert screen.look() == []
    bar.moved(second, MIB)
    clock.now += 1.0
    bar.done(second, "copied")
    assert screen.look() == []  # after Ctrl-C, threads may go on


def test_it_is_drawn_ten_times_a_second_at_most() -> None:
    clock, stream = Clock(), io.StringIO()
    bar = Bar(stream, clock=clock)
    one = blob(1, 1000 * MIB)
    bar.expect(one)
    for _ in range(1000):
        clock.now += 0.01
        bar.moved(one, MIB)
    assert 90 <= stream.getvalue().count("MiB/s") <= 101


def test_few_lines_however_many_blobs() -> None:
    with opened(80) as screen:
        clock = Clock()
        bar = Bar(screen.stream, clock=clock)
        blobs = [blob(number, (number + 1) * MIB) for number in range(40)]
        for each in blobs:
            bar.expect(each)
            bar.moved(each, 1)
        clock.now += 1
        bar.moved(blobs[0], 1)
        assert len(screen.look()) == 6


def test_what_others_say_stands_above(monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(80) as screen, monkeypatch.context() as patched:
        patched.setattr("sys.stderr", screen.stream)
        patched.setattr("sys.stdout", screen.stream)
        patched.setenv("TERM", "xterm")
        patched.setenv("NO_COLOR", "1")
        patched.setattr(_bar, "_PAUSE", -1.0)
        from bpfimg.cli._parser import warn

        with watching(options()) as bar:
            assert bar is not None
            one = blob(1, MIB)
            bar.expect(one)
            bar.moved(one, 1000)
            assert len(screen.look()) == 2
            warn("the first")
            assert screen.look() == ["bpfimg: warning: the first"]
            bar.moved(one, 1000)
            print("a result")
            bar.moved(one, 1000)
            assert screen.look()[:2] == ["bpfimg: warning: the first", "a result"]
            assert len(screen.look()) == 4
            print("no end of line", end="")
        assert screen.look() == ["bpfimg: warning: the first", "a result", "no end of line"]


def test_images_of_a_list() -> None:
    with opened(80) as screen:
        clock = Clock()
        bar = Bar(screen.stream, images=200, clock=clock)
        clock.now += 1
        bar.images_done(64)
        assert screen.look() == ["64/200 images  0 B of 0 B  0 B/s"]


def options(**given: str) -> Options:
    from argparse import Namespace

    return resolve(Namespace(**given), {"HOME": "/"}, 1000)


@pytest.mark.parametrize("why", ["quiet", "json", "dumb", "no TERM", "no terminal"])
def test_nothing_where_nobody_looks(why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(80) as screen, open(os.devnull, "w") as nowhere, monkeypatch.context() as patched:
        patched.setattr("sys.stderr", nowhere if why == "no terminal" else screen.stream)
        patched.setenv("TERM", "dumb" if why == "dumb" else "xterm")
        if why == "no TERM":
            patched.delenv("TERM")
        given = {"quiet": {"quiet": True}, "json": {"output": "json"}}.get(why, {})
        with watching(options(**given)) as bar:  # type: ignore[arg-type]
            assert bar is None
        assert screen.look() == []
