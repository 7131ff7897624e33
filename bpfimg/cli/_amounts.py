"""Sizes and times in people's words."""

from __future__ import annotations

import time

from bpfimg.errors import UsageError

__all__ = ["age", "seconds", "size"]

_UNITS = (("year", 365 * 86400), ("week", 7 * 86400), ("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))
_LETTERS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def size(count: float) -> str:
    """`402 B`, `2.4 KiB`, `17.0 MiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1000 or unit == "GiB":
            break
        count /= 1024
    return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"


def age(moment: str, now: float) -> str:
    """How long ago an RFC 3339 time was, in its largest unit: `3 hours`; `-` for what is no such time."""
    try:
        then = time.strptime(moment, "%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        return "-"
    from calendar import timegm

    passed = max(now - timegm(then), 0)
    name, length = next((unit for unit in _UNITS if passed >= 2 * unit[1]), _UNITS[-1])
    count = int(passed // length)
    return f"{count} {name}" if count == 1 else f"{count} {name}s"


def seconds(text: str, option: str) -> float:
    """The seconds in `90`, `30m`, `12h`, `7d`; UsageError, naming the option, for anything else."""
    number, factor = (text[:-1], _LETTERS[text[-1]]) if text[-1:] in _LETTERS else (text, 1)
    if not (number.isascii() and number.isdigit() and len(number) < 10):
        raise UsageError(f"{option} is {text!r}, expected a time such as 30m, 12h or 7d")
    return float(int(number) * factor)
