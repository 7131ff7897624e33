"""The entries of a map as they change: it is read again and again, and what differs is printed."""

from __future__ import annotations

import sys
import time

from bpfimg.cli._map_dump import cell, entries, entry
from bpfimg.errors import UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from bpfimg.cli._options import Options
    from bpfimg.load import maps

_LEAST = 0.01  # seconds between two looks
_ENTRIES_MAX = 1 << 20  # what is kept of one look, to compare with the next


def watch(found: maps.Map, options: Options, *, interval: str | None, count: str | None, total: bool) -> None:
    """Prints what is there, then what changes; ends after `count` looks. As JSON one document a line."""
    pause, left = max(_number(interval, "--interval", 1.0), _LEAST), _number(count, "--count", 0.0)
    before: dict[bytes, Any] = {}
    looks = 0
    while True:
        now = _look(found)
        for raw, (key, value) in now.items():
            if raw not in before or before[raw][1] != value:
                word = "new" if raw not in before else "changed"
                _say(found, word, (raw, key, value), options, total=total)
        for raw, (key, value) in before.items():
            if raw not in now:
                _say(found, "gone", (raw, key, value), options, total=total)
        before = now
        sys.stdout.flush()
        looks += 1
        if left and looks >= left:
            return
        time.sleep(pause)


def _look(found: maps.Map) -> dict[bytes, Any]:
    now: dict[bytes, Any] = {}
    for raw, key, value in entries(found):
        now[raw] = key, value
        if len(now) > _ENTRIES_MAX:
            raise UsageError(f"map {found.name!r} has more than {_ENTRIES_MAX} entries, too many to watch")
    return now


def _say(found: maps.Map, word: str, one: tuple[bytes, Any, Any], options: Options, *, total: bool) -> None:
    if options.json:
        import json

        print(json.dumps({"change": word, **entry(found, one, total=total)}))
        return
    from bpfimg.btf import values

    _, key, value = one
    shown = values.total(value) if found.per_cpu and total else value
    moment = time.strftime("%H:%M:%S")
    print(f"{moment}  {word:7}  {cell(key)}" + ("" if word == "gone" else f"  {cell(shown)}"))


def _number(text: str | None, what: str, default: float) -> float:
    if text is None:
        return default
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 86400 or (what == "--count" and number != int(number)):
        raise UsageError(f"{what} is {quoted(text)}, expected a number from 0 to 86400")
    return number
