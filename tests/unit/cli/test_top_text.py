"""What `top` draws of a look: numbers in, lines out."""

from __future__ import annotations

import io
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfimg.cli import _colour
from bpfimg.cli._render import columns
from bpfimg.cli._spark import spark
from bpfimg.cli._top_screen import pressed, split
from bpfimg.cli._top_text import History, View, lines, number
from bpfimg.inspect import LinkView, MapView, ProgramView, pulse
from bpfimg.inspect._kernel._views import Sample
from bpfimg.inspect._pulse_counters import Counter, Counts, rates


def program(id: int, name: str, sample: Sample | None, links: tuple[LinkView, ...] = ()) -> pulse.ProgramBeat:
    return pulse.ProgramBeat(ProgramView(id, name, "xdp"), links, sample)


def counting(id: int, name: str, *counters: Counter, entries: int | None = 1, why: str = "") -> pulse.MapBeat:
    view = MapView(id, name, "array", 4, 8, 1, 0, 0, False, ())
    return pulse.MapBeat(view, entries, counters, why)


def beat(*programs: pulse.ProgramBeat, maps: tuple[pulse.MapBeat, ...] = (), seconds: float = 2.0) -> pulse.Beat:
    return pulse.Beat(0.0, seconds, programs, maps, ())


BUSY = program(7, "busy", Sample(2.0, 4000, 10_000_000))
IDLE = program(3, "idle", Sample(2.0, 0, 0))
OFTEN = program(5, "often", Sample(2.0, 9000, 1000))


def drawn(
    shown: pulse.Beat, view: View | None = None, size: tuple[int, int] = (100, 24), ascii: bool = False
) -> list[str]:
    history = History()
    history.add(shown)
    return lines(shown, history, view or View(), size, ascii=ascii)


def test_rates_and_shares_are_of_the_time_between_two_looks() -> None:
    first, _, head, line, *_ = drawn(beat(BUSY))
    assert "2000 runs/s  0.5% of one CPU" in first
    assert head.lstrip("\0").split() == [
        "ID",
        "PROGRAM",
        "APPLICATION",
        "ATTACHED",
        "RUNS/S",
        "NS/RUN",
        "CPU",
        "HISTORY",
    ]
    assert line.split() == ["7", "busy", "-", "-", "2000", "2500", "0.5%", "█"]


@pytest.mark.parametrize(("sort", "order"), [("cpu", "753"), ("runs", "573"), ("name", "735")])
def test_programs_are_in_the_order_that_is_asked_for(sort: str, order: str) -> None:
    shown = drawn(beat(IDLE, BUSY, OFTEN), View(sort=sort))
    assert "".join(line[0] for line in shown[3:6]) == order


def test_what_nobody_counts_is_a_dash_and_not_zero() -> None:
    line = drawn(beat(program(1, "behind", None)))[3]
    assert line.split() == ["1", "behind", "-", "-", "-", "-", "-"]


def test_members_of_a_chain_say_why_they_have_no_numbers() -> None:
    first, second = (LinkView(n, None, n, "xdp", "dispatcher", "eth1", "attached", position=n) for n in (0, 1))
    behind = program(2, "behind", None, (second,))
    assert drawn(beat(program(1, "first", Sample(2.0, 8, 8), (first,)), behind))[5].startswith("  -: of a chain")
    assert not any("of a chain" in line for line in drawn(beat(program(1, "first", Sample(2.0, 8, 8), (first,)))))


def test_each_number_of_a_map_has_a_line_and_a_map_that_is_not_read_says_why() -> None:
    maps = (
        counting(9, "hits", Counter("packets", 1_500_000, 20.5), Counter("", 3, None)),
        counting(8, "big", entries=None, why="more than 1024 entries"),
    )
    text = "\n".join(drawn(beat(BUSY, maps=maps)))
    assert "packets" in text
    assert "1.5M" in text
    assert "20.5" not in text
    assert "  20  " in text
    assert " value " in text
    assert "more than 1024 entries" in text


@given(st.integers(20, 130), st.integers(4, 50), st.integers(0, 60), st.integers(0, 90), st.text(max_size=40))
def test_a_screen_is_never_wider_or_longer_than_the_terminal(
    width: int, height: int, many: int, first: int, name: str
) -> None:
    programs = [program(10**6 + i, name, Sample(1.0, i * 12345, i)) for i in range(many)]
    maps = tuple(counting(i, name, Counter("a" * 30, i, 1.0)) for i in range(5))
    for ascii in (True, False):
        shown = drawn(beat(*programs, maps=maps), View(first=first), (width, height), ascii=ascii)
        assert len(shown) <= height
        assert all(columns(line.lstrip("\0")) <= width for line in shown)
        assert all(line.lstrip("\0").isprintable() for line in shown), "names do not drive the terminal"
        assert sum("ID " in line and line.startswith("\0") for line in shown) == (1 if height > 2 else 0)


def test_keys_change_what_is_wanted_and_nothing_else() -> None:
    view = View()
    assert pressed(view, "s").sort == "runs"
    assert pressed(pressed(pressed(view, "s"), "s"), "s") == view
    assert pressed(view, " ").paused
    assert pressed(view, "a").all
    assert (pressed(view, "+").interval, pressed(view, "-").interval) == (0.5, 2.0)
    assert pressed(View(interval=0.1), "+").interval == 0.1
    assert pressed(View(interval=60.0), "-").interval == 60.0
    assert pressed(view, "\x1b[A").first == 0
    assert pressed(view, "\x1b[6~").first == 10
    assert pressed(view, "\x1b[99~") == view


def test_keys_that_come_at_once_are_taken_apart() -> None:
    assert split("pa\x1b[A\x1b[6~q\x1bOBé") == ["p", "a", "\x1b[A", "\x1b[6~", "q", "\x1bOB", "é"]
    assert split("\x1b") == ["\x1b"]


def test_a_spark_has_the_last_numbers_and_the_greatest_is_full() -> None:
    assert spark([0, 1, 2, 4], 6, ascii=False) == "  ▁▃▅█"
    assert spark([5, 1, None, 2], 3, ascii=True) == "= #"
    assert spark([], 2, ascii=True) == "  "
    assert spark([0, 0], 2, ascii=True) == "__"
    assert spark([1e9] * 9, 4, ascii=False) == "████"


@pytest.mark.parametrize(
    ("amount", "text"), [(0, "0"), (0.26, "0.3"), (9999, "9999"), (12_345, "12.3k"), (3.4e6, "3.4M"), (-2e9, "-2.0G")]
)
def test_numbers_are_short(amount: float, text: str) -> None:
    assert number(amount) == text


def test_a_counter_that_was_not_there_before_has_no_rate() -> None:
    now = Counts(1, {"old": 30, "new": 5})
    assert rates(Counts(1, {"old": 10}), now, 2.0) == (Counter("old", 30, 10.0), Counter("new", 5, None))
    assert rates(None, now, 2.0)[0].rate is None
    assert rates(Counts(1, {"old": 40}), now, 2.0)[0].rate == -5.0


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colours_are_for_terminals_that_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert _colour.paint("x", "bad", _Terminal()) == "\x1b[31mx\x1b[0m"
    assert _colour.paint("", "bad", _Terminal()) == ""
    assert _colour.paint("x", "bad", io.StringIO()) == "x"
    monkeypatch.setenv("NO_COLOR", "")
    assert _colour.coloured(_Terminal()), "an empty NO_COLOR asks for nothing"
    monkeypatch.setenv("NO_COLOR", "1")
    assert not _colour.coloured(_Terminal())
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not _colour.coloured(_Terminal())
    with open(os.devnull, "w", encoding="ascii") as file:
        pass
    assert not _colour.coloured(file), "closed"
