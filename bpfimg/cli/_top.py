"""`bpfimg top`: how often programs run and what their maps count, live."""

from __future__ import annotations

import os
import sys
import time

from bpfimg.errors import UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from bpfimg.cli._options import Options
    from bpfimg.inspect import pulse

EPILOG = """\
On a terminal the screen is drawn again and again. q ends, p stands still, s sorts by CPU, runs or name, a shows
everybody's programs too, + and - look more and less often, arrows and PgUp and PgDn move. Elsewhere each look is
printed, one block after the other; with -o json one document a line.

While it runs the kernel counts how often and how long programs run, and not any longer. It counts a dispatcher, and so
the first program of a chain, not those behind. The numbers in hash and array maps are added up over all entries and
CPUs; maps of more than 1024 entries are not read.

examples:
  bpfimg top
  bpfimg top --all --interval 5
  bpfimg top --count 1
  bpfimg top -o json --count 60 | jq \\
    -c '.programs[] | [.name, .runs_per_second]'"""

_LEAST, _MOST = 0.1, 3600.0


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    parser.add_argument("--all", action="store_true", help="everything in the kernel, whoever loaded it")
    parser.add_argument("--interval", metavar="SECONDS", default="1", help="between two looks (default 1)")
    parser.add_argument("--count", metavar="N", help="end after so many looks")
    parser.add_argument("--sort", metavar="cpu|runs|name", default="cpu", help="which programs come first")


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Shows looks until it is told to end."""
    from bpfimg.cli._top_text import SORTS, View

    if arguments.sort not in SORTS:
        raise UsageError(f"--sort is {quoted(arguments.sort)}, expected {', '.join(SORTS)}")
    interval, count = _interval(arguments.interval), _count(arguments.count)
    view = View(sort=arguments.sort, interval=interval, all=arguments.all)
    screen = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb" and not (options.json or options.quiet)
    if screen:
        from bpfimg.cli._top_screen import live

        live(options, view, count, ascii=_ascii())
        return 0
    from bpfimg.cli._top_text import History

    history = History()
    for number, beat in enumerate(_looks(options, interval, count, all=arguments.all)):
        history.add(beat)
        _print(beat, history, view, options, blank=number > 0)
    return 0


def _looks(options: Options, interval: float, count: int | None, *, all: bool) -> Iterator[pulse.Beat]:
    """Looks with rates: the one before the first of them is not shown."""
    from bpfimg import dispatcher
    from bpfimg.cli._parser import warn
    from bpfimg.inspect import pulse

    with pulse.Pulse(dispatcher.host(options.bpffs), all=all) as live:
        first = live.beat()
        if not options.quiet:
            for what in first.unseen:
                warn(f"not seen: {what}")
        shown = 0
        while count is None or shown < count:
            time.sleep(interval)
            yield live.beat()
            shown += 1


def _print(beat: pulse.Beat, history: object, view: object, options: Options, *, blank: bool) -> None:
    if options.json:
        import json

        from bpfimg.cli._top_entry import document

        print(json.dumps(document(beat)), flush=True)
    elif options.quiet:
        ran = [str(each.view.id) for each in beat.programs if each.sample and each.sample.runs]
        print("".join(f"{number}\n" for number in ran), end="", flush=True)
    else:
        from bpfimg.cli._top_text import lines

        made = lines(beat, history, view, (_WIDE, _LONG), ascii=_ascii())  # type: ignore[arg-type]
        print(("\n" if blank else "") + "\n".join(line.lstrip("\0") for line in made), flush=True)


_WIDE, _LONG = 200, 100_000


def _ascii() -> bool:
    """Whether stdout's encoding lacks block characters."""
    try:
        "▁█".encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return True
    return False


def _interval(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not _LEAST <= seconds <= _MOST:
        raise UsageError(f"--interval is {quoted(text)}, expected seconds from {_LEAST:g} to {_MOST:g}")
    return seconds


def _count(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and 0 < int(text[:10]) < 10**9):
        raise UsageError(f"--count is {quoted(text)}, expected a number from 1")
    return int(text)
