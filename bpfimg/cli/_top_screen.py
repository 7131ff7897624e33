"""`top` on a terminal: a screen of its own, keys, and the terminal as it was when it ends, however it ends."""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import time
import tty
from contextlib import contextmanager

from bpfimg._value import replace
from bpfimg.cli._colour import paint
from bpfimg.cli._top_text import SORTS, History, View, lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.cli._options import Options
    from bpfimg.inspect import pulse

__all__ = ["Keys", "live", "pressed", "split"]

_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
_FOOT = "q quit  p pause  s sort  a all  +/- interval  arrows move"
_STEPS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
_PAGE = 10
_REDRAW = 1.0  # seconds, while nothing else draws
#: what terminals send for keys that are no letters
_MOVES = {"\x1b[A": -1, "\x1bOA": -1, "k": -1, "\x1b[B": 1, "\x1bOB": 1, "j": 1, "\x1b[5~": -_PAGE, "\x1b[6~": _PAGE}


def live(options: Options, view: View, count: int | None, *, ascii: bool) -> None:
    """Draws looks until q, or `count` of them."""
    from bpfimg import dispatcher
    from bpfimg.inspect import pulse

    host, history, keys, drawn = dispatcher.host(options.bpffs), History(), Keys(), 0
    looking: pulse.Pulse | None = None
    with _screen():
        try:
            while count is None or drawn < count:
                if looking is None:
                    looking = pulse.Pulse(host, all=view.all).__enter__()
                beat = looking.beat()
                history.add(beat)
                drawn += 1 if beat.seconds else 0
                changed = _shown(beat, history, view, keys, ascii=ascii)
                if changed is None:
                    return
                if changed.all != view.all:
                    looking.__exit__(None, None, None)
                    looking = None
                view = changed
        finally:
            if looking is not None:
                looking.__exit__(None, None, None)


def _shown(beat: pulse.Beat, history: History, view: View, keys: Keys, *, ascii: bool) -> View | None:
    """Draws one look until the next is due; what the person wants then, None to end."""
    due = time.monotonic() + view.interval
    began = view
    while True:
        _draw(beat, history, view, ascii)
        key = keys.next(_REDRAW if view.paused else max(due - time.monotonic(), 0))
        if key == "" and view.paused:
            continue  # the terminal may have another size by now
        if key == "":
            return view
        if key in ("q", "Q", "\x04"):
            return None
        view = pressed(view, key)
        if view.all != began.all or (began.paused and not view.paused) or view.interval < began.interval:
            return view


def pressed(view: View, key: str) -> View:
    """The view after a key; keys that mean nothing change nothing."""
    if key in ("p", " "):
        return replace(view, paused=not view.paused)
    if key == "s":
        return replace(view, sort=SORTS[(SORTS.index(view.sort) + 1) % len(SORTS)])
    if key == "a":
        return replace(view, all=not view.all, first=0)
    if key == "+":
        return replace(view, interval=max((step for step in _STEPS if step < view.interval), default=_STEPS[0]))
    if key == "-":
        return replace(view, interval=min((step for step in _STEPS if step > view.interval), default=_STEPS[-1]))
    if key in _MOVES:
        return replace(view, first=max(view.first + _MOVES[key], 0))
    return view


def _draw(beat: pulse.Beat, history: History, view: View, ascii: bool) -> None:
    columns, rows = os.get_terminal_size(sys.stdout.fileno())
    columns, rows = max(columns or 80, 20), max(rows or 24, 4)
    body = lines(beat, history, view, (columns, rows - 1), ascii=ascii)
    body += [""] * (rows - 1 - len(body))
    shown = [paint(line[1:], "head") if line.startswith("\0") else line for line in body]
    text = "\x1b[K\r\n".join([*shown, paint(_FOOT[: columns - 1], "dim")])
    sys.stdout.write(f"\x1b[H{text}\x1b[K\x1b[J")
    sys.stdout.flush()


class Keys:
    """Keys as they were pressed: a terminal may send several at once, and several characters for one."""

    def __init__(self) -> None:
        self._waiting: list[str] = []

    def next(self, seconds: float) -> str:
        """The next key; "" when none comes in time, q when nobody can press one any more."""
        if not self._waiting:
            ready, _, _ = select.select([sys.stdin] if sys.stdin.isatty() else [], [], [], seconds)
            if not ready:
                return ""
            data = os.read(sys.stdin.fileno(), 64)
            self._waiting = split(data.decode("ascii", "replace")) if data else ["q"]
        return self._waiting.pop(0)


def split(text: str) -> list[str]:
    """The keys in what a terminal sent: letters, and sequences that begin with Escape."""
    import re

    return re.findall(r"\x1b(?:\[[0-9;]*[A-Za-z~]|O[A-Z])|.", text, re.DOTALL)


@contextmanager
def _screen() -> Iterator[None]:
    """The alternate screen with keys as they come; put back however it ends, and while stopped by Ctrl-Z."""
    keys = sys.stdin.isatty()
    before = termios.tcgetattr(sys.stdin) if keys else None

    def enter() -> None:
        if before is not None:
            tty.setcbreak(sys.stdin)
        sys.stdout.write(_ENTER)
        sys.stdout.flush()

    def leave() -> None:
        sys.stdout.write(_LEAVE)
        sys.stdout.flush()
        if before is not None:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)

    def stop(number: int, frame: object) -> None:
        leave()
        os.kill(os.getpid(), signal.SIGSTOP)
        enter()

    def end(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    handlers = {signal.SIGTSTP: stop, signal.SIGTERM: end, signal.SIGHUP: end, signal.SIGQUIT: end}
    old = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        enter()
        yield
    finally:
        leave()
        for number, handler in old.items():
            signal.signal(number, handler)
