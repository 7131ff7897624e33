"""How this host is doing, look by look: how often programs run, and what their maps count.

    with pulse.Pulse(host) as live:
        while True:
            beat = live.beat()

`Pulse` reads, `programs` and `maps` compare two looks, which is arithmetic only.
"""

from __future__ import annotations

import time
from contextlib import ExitStack

from bpfimg._value import value
from bpfimg.errors import Error
from bpfimg.inspect._kernel._host import host as look
from bpfimg.inspect._kernel._views import MapView, ProgramView, Sample
from bpfimg.inspect._pulse_counters import COUNTED, Counts, counted, rates
from bpfimg.kernel import walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from bpfimg.inspect._kernel._views import Inventory, LinkView
    from bpfimg.inspect._pulse_counters import Counter
    from bpfimg.load import Host, maps

__all__ = ["Beat", "MapBeat", "ProgramBeat", "Pulse", "attributed"]

MAPS_MOST = 128
"""Maps that are read at each look, ours first: each is an open descriptor."""


@value(frozen=True, slots=True)
class ProgramBeat:
    """A program, and how it ran since the look before; `sample` is None at the first look, and where nobody counts."""

    view: ProgramView
    links: tuple[LinkView, ...]
    sample: Sample | None


@value(frozen=True, slots=True)
class MapBeat:
    """A map, how many entries it has (None: not read, `why` says the reason), and the numbers in its values."""

    view: MapView
    entries: int | None
    counters: tuple[Counter, ...]
    why: str = ""


@value(frozen=True, slots=True)
class Beat:
    """One look. `moment` is seconds since the epoch, `seconds` the time since the look before, 0 at the first."""

    moment: float
    seconds: float
    programs: tuple[ProgramBeat, ...]
    maps: tuple[MapBeat, ...]
    unseen: tuple[str, ...]


class Pulse:
    """Looks at a host again and again: our programs and maps, with `all` everybody's.

    While it is open the kernel counts runs (BPF_ENABLE_STATS), and not any longer, also after kill -9. KernelError
    without CAP_SYS_ADMIN, or where bpffs is not mounted.
    """

    def __init__(self, host: Host, *, all: bool = False) -> None:
        self._host, self._all = host, all
        self._stack = ExitStack()
        self._runs: dict[int, tuple[int, int]] = {}
        self._counts: dict[int, Counts] = {}
        self._open: dict[int, maps.Map] = {}
        self._last = 0.0

    def __enter__(self) -> Pulse:
        self._stack.enter_context(walk.counted())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
        for each in self._open.values():
            each.close()
        self._open.clear()

    def beat(self) -> Beat:
        """Looks once."""
        found = look(self._host, all=self._all, maps=True)
        now = time.monotonic()
        runs = {info.id: (info.run_count or 0, info.run_time or 0) for info in walk.programs()}
        seconds = now - self._last if self._last else 0.0
        counts = self._read(found)
        beat = Beat(
            time.time(),
            seconds,
            _programs(found, self._runs, runs, seconds),
            tuple(_map(view, self._counts.get(view.id), counts[view.id], seconds) for view in found.maps),
            found.unseen,
        )
        self._runs, self._counts, self._last = runs, counts, now
        return beat

    def _read(self, found: Inventory) -> dict[int, Counts]:
        wanted = [view for view in found.maps if view.type in COUNTED and not view.name.startswith(".rodata")]
        there = {view.id for view in wanted[:MAPS_MOST]}
        for gone in set(self._open) - there:
            self._open.pop(gone).close()
        counts = {}
        for view in found.maps:
            if view.id not in there:
                why = (
                    "" if view.type not in COUNTED or view.name.startswith(".rodata") else f"only {MAPS_MOST} are read"
                )
                counts[view.id] = Counts(None, {}, why)
                continue
            try:
                counts[view.id] = counted(self._opened(view))
            except Error as error:  # it went, or may not be read: the next look may know more
                counts[view.id] = Counts(None, {}, str(error))
        return counts

    def _opened(self, view: MapView) -> maps.Map:
        from bpfimg.load import maps

        if view.id not in self._open:
            self._open[view.id] = maps.by_pin(view.pin, view.name) if view.pin else maps.by_id(view.id, view.name)
        return self._open[view.id]


def _map(view: MapView, before: Counts | None, now: Counts, seconds: float) -> MapBeat:
    return MapBeat(view, now.entries, rates(before, now, seconds), now.why)


def _programs(
    found: Inventory, before: Mapping[int, tuple[int, int]], after: Mapping[int, tuple[int, int]], seconds: float
) -> tuple[ProgramBeat, ...]:
    links: dict[int, list[LinkView]] = {}
    for link in found.links:
        links.setdefault(link.program_id, []).append(link)
    beats = []
    for view in found.programs:
        own = tuple(links.get(view.id, ()))
        number = attributed(view.id, own)
        sample = None
        if number is not None and number in before and number in after and seconds > 0:
            (count, spent), (later, more) = before[number], after[number]
            sample = Sample(seconds, max(later - count, 0), max(more - spent, 0))
        beats.append(ProgramBeat(view, own, sample))
    return tuple(beats)


def attributed(program: int, links: tuple[LinkView, ...]) -> int | None:
    """The program whose counts speak for this one: itself; its dispatcher, which alone is counted, for the first of a
    chain; None for those behind."""
    for link in links:
        if link.how == "dispatcher" and link.builder != "direct":
            number = link.details.get("dispatcher") if link.position == 0 and link.state == "attached" else None
            return number if isinstance(number, int) else None
    return program
