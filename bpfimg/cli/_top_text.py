"""What `top` shows of a look: lines as wide and as many as the terminal, made from numbers alone."""

from __future__ import annotations

from collections import deque

from bpfimg._value import value
from bpfimg.cli._render import clean
from bpfimg.cli._spark import spark

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bpfimg.inspect import pulse

    Key = tuple[str, int, str]

__all__ = ["SORTS", "History", "View", "lines", "number"]

SORTS = ("cpu", "runs", "name")
_HISTORY = 240  # looks that are kept of each line
_SPARK = 12
_BIG = (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3))


@value(frozen=True, slots=True)
class View:
    """What a person chose: the order, whether it stands still, how many lines down, how often it looks."""

    sort: str = "cpu"
    paused: bool = False
    first: int = 0
    interval: float = 1.0
    all: bool = False


class History:
    """The rates of each line over the last looks; a line that is gone is forgotten."""

    def __init__(self) -> None:
        self._kept: dict[Key, deque[float | None]] = {}

    def add(self, beat: pulse.Beat) -> None:
        """Keeps the rates of one look."""
        now: dict[Key, float | None] = {}
        for program in beat.programs:
            now["program", program.view.id, ""] = program.sample.rate if program.sample else None
        for each in beat.maps:
            for counter in each.counters:
                now["map", each.view.id, counter.name] = counter.rate
        self._kept = {key: self._kept.get(key, deque(maxlen=_HISTORY)) for key in now}
        if beat.seconds:
            for key, rate in now.items():
                self._kept[key].append(rate)

    def of(self, kind: str, number: int, name: str = "") -> Sequence[float | None]:
        """The rates of one line, oldest first."""
        return self._kept.get((kind, number, name), ())


def lines(beat: pulse.Beat, history: History, view: View, size: tuple[int, int], *, ascii: bool) -> list[str]:
    """The screen: a line about all, the programs, the counters of maps; at most `size` (columns, rows).

    The first line of a table begins with a "\\0", which is not shown: it is a heading.
    """
    width, height = size
    programs = _table(_PROGRAMS, list(_programs(beat, history, view, ascii)), width, ascii=ascii)
    counters = _table(_MAPS, list(_counters(beat, history, ascii)), width, ascii=ascii)
    body = [programs[0], *(programs[1:] or [_fit("  no programs", width)])]
    if any(_behind(program) for program in beat.programs):
        body.append(_fit(_CHAINS, width))
    if len(counters) > 1:
        body += ["", *counters]
    room = max(height - 2, 1)
    first = min(view.first, max(len(body) - room, 0))
    shown = body[first : first + room]
    if first and shown[0] != body[0] and room > 1:
        shown[0] = body[0]  # the heading stays where people look for it
    return [_about(beat, view, width), "", *shown][:height]


_PROGRAMS = ("ID", "PROGRAM", "APPLICATION", "ATTACHED", ">RUNS/S", ">NS/RUN", ">CPU", "HISTORY")
_MAPS = ("MAP", "NAME", "APPLICATION", ">ENTRIES", "COUNTER", ">TOTAL", ">PER SECOND", "HISTORY")
_CHAINS = "  -: of a chain the kernel counts the whole, beside its first program"
#: columns that give way on a narrow terminal, the first one first
_YIELD = ("APPLICATION", "ATTACHED", "COUNTER", "NAME", "PROGRAM")
_LEAST = 6


def _about(beat: pulse.Beat, view: View, width: int) -> str:
    import time

    samples = [program.sample for program in beat.programs if program.sample]
    runs, share = sum(sample.rate for sample in samples), sum(sample.share for sample in samples)
    moment = time.strftime("%H:%M:%S", time.localtime(beat.moment))
    state = "paused" if view.paused else f"every {view.interval:g} s"
    whose = "" if view.all else ", ours"
    text = f"{moment}  {len(beat.programs)} programs{whose}  {number(runs)} runs/s  {share:.1%} of one CPU"
    return _fit(f"{text}  ({state}, by {view.sort})", width)


def _programs(beat: pulse.Beat, history: History, view: View, ascii: bool) -> Iterator[list[str]]:
    from bpfimg.cli._entries import where

    for each in sorted(beat.programs, key=lambda program: _order(program, view.sort)):
        sample, record = each.sample, each.view.record
        mean = sample.mean if sample else None
        yield [
            str(each.view.id),
            each.view.name or "-",
            record.name if record else "-",
            where(each.links),
            number(sample.rate) if sample else "-",
            "-" if mean is None else f"{mean:.0f}",
            f"{sample.share:.1%}" if sample else "-",
            spark(history.of("program", each.view.id), _SPARK, ascii=ascii),
        ]


def _behind(program: pulse.ProgramBeat) -> bool:
    return program.sample is None and any(link.how == "dispatcher" and link.position for link in program.links)


def _order(program: pulse.ProgramBeat, sort: str) -> tuple[float, str, int]:
    sample = program.sample
    most = {"cpu": sample.share, "runs": sample.rate}.get(sort, 0.0) if sample else 0.0
    return -most, program.view.name, program.view.id


def _counters(beat: pulse.Beat, history: History, ascii: bool) -> Iterator[list[str]]:
    names = {program.view.load: program.view.record.name for program in beat.programs if program.view.record}
    for each in beat.maps:
        application = names.get(each.view.load, "-") if each.view.load is not None else "-"
        entries = str(each.entries) if each.entries is not None else "?"
        front = [str(each.view.id), each.view.name or "-", application, entries]
        if each.why:
            yield [*front, each.why, "", "", ""]
        for counter in each.counters:
            picture = spark(history.of("map", each.view.id, counter.name), _SPARK, ascii=ascii)
            rate = "-" if counter.rate is None else number(counter.rate)
            yield [*front, counter.name or "value", number(counter.total), rate, picture]


def _table(head: Sequence[str], rows: list[list[str]], width: int, *, ascii: bool) -> list[str]:
    from bpfimg.cli._render import columns

    right = [title.startswith(">") for title in head]
    cells = [[title.lstrip(">") for title in head], *([clean(cell) for cell in row] for row in rows)]
    widths = [max(columns(line[i]) for line in cells) for i in range(len(head))]
    for title in _YIELD:
        over = sum(widths) + 2 * (len(widths) - 1) - width
        if over > 0 and title in cells[0]:
            at = cells[0].index(title)
            widths[at] = max(widths[at] - over, min(widths[at], _LEAST))
    made = []
    for line in cells:
        padded = [_cell(*each, "~" if ascii else "…") for each in zip(line, widths, right, strict=True)]
        made.append(_fit("  ".join(padded), width).rstrip())
    return ["\0" + made[0], *made[1:]]


def _fit(text: str, width: int) -> str:
    from bpfimg.cli._render import columns

    text = text[:width]
    while columns(text) > width:
        text = text[:-1]
    return text


def _cell(text: str, width: int, on_right: bool, cut: str) -> str:
    from bpfimg.cli._render import columns

    while columns(text) > width:
        text = text.removesuffix(cut)[:-1] + cut if width > 0 and text != cut else ""
    blank = " " * (width - columns(text))
    return blank + text if on_right else text + blank


def number(amount: float) -> str:
    """`17`, `1.2k`, `3.4M`: at most six characters for what people count."""
    for letter, unit in _BIG:
        if abs(amount) >= unit * (10 if unit == 1e3 else 1):
            return f"{amount / unit:.1f}{letter}"
    return f"{amount:.0f}" if abs(amount) >= 10 or amount == int(amount) else f"{amount:.1f}"
