"""The numbers in a map's values, added up over its entries, and how fast they grow."""

from __future__ import annotations

from itertools import islice

from bpfimg._value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from bpfimg.load import maps

#: kinds of maps whose entries can be read without changing anything
COUNTED = frozenset({"hash", "array", "percpu_hash", "percpu_array", "lru_hash", "lru_percpu_hash"})
ENTRIES_MOST = 1024
"""Entries that are read of a map at each look; one with more is not added up."""
FIELDS_MOST = 64


@value(frozen=True, slots=True)
class Counts:
    """What one look at a map found: how many entries, the sum of each number by its name. `why` there are none."""

    entries: int | None
    sums: dict[str, int]
    why: str = ""


@value(frozen=True, slots=True)
class Counter:
    """A number of a map: its name within the value ("" when the value is the number), its sum over all entries and
    CPUs, and how much it grew a second since the look before, None at the first."""

    name: str
    total: int
    rate: float | None


def counted(opened: maps.Map) -> Counts:
    """Reads the map: at most `ENTRIES_MOST` entries."""
    from bpfimg.btf import values

    sums: dict[str, int] = {}
    entries = 0
    for _, each in islice(opened.items(), ENTRIES_MOST + 1):
        entries += 1
        if entries > ENTRIES_MOST:
            return Counts(None, {}, f"more than {ENTRIES_MOST} entries")
        for name, number in _numbers("", values.total(each) if opened.per_cpu else each):
            if name in sums or len(sums) < FIELDS_MOST:
                sums[name] = sums.get(name, 0) + number
    return Counts(entries, sums)


def _numbers(name: str, found: Any) -> Iterator[tuple[str, int]]:
    """Each number of a value under the path of members that leads to it; those of an array under one name."""
    if isinstance(found, bool):
        return
    if isinstance(found, int):
        yield name, found
    elif isinstance(found, dict):
        for member, inner in found.items():
            yield from _numbers(f"{name}.{member}" if name else str(member), inner)
    elif isinstance(found, list):
        for inner in found:
            yield from _numbers(name, inner)


def rates(before: Counts | None, now: Counts, seconds: float) -> tuple[Counter, ...]:
    """The counters of a look, with their growth since the look before."""
    known = before.sums if before is not None and seconds > 0 else {}
    return tuple(
        Counter(name, total, (total - known[name]) / seconds if name in known else None)
        for name, total in now.sums.items()
    )
