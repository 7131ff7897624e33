"""From when to when a key or authority is good (protobuf's TimeRange: both ends belong to it)."""

from __future__ import annotations

import re

from bpfimg._value import value
from bpfimg.errors import quoted
from bpfimg.sign._strict import Junk, string

# RFC 3339, as protobuf's JSON writes a Timestamp
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})", re.ASCII
)
_NEVER, _EVER = float("-inf"), float("inf")


@value(frozen=True, slots=True)
class Window:
    """The time from `start` to `end`, in seconds since 1970; infinite where nobody said."""

    start: float = _NEVER
    end: float = _EVER

    def holds(self, time: float) -> bool:
        """Says whether `time` lies in it."""
        return self.start <= time <= self.end

    @property
    def open(self) -> bool:
        """Whether it has no end: nobody has retired what it is about."""
        return self.end == _EVER


def seconds(value: object, what: str) -> float:
    """Returns an RFC 3339 time as seconds since 1970, or raises `Junk`."""
    from datetime import datetime

    text = string(value, what)
    if not _TIME.fullmatch(text):
        raise Junk(f"{what} is {quoted(text)}, expected a time such as 2025-01-31T12:00:00Z")
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        raise Junk(f"{what} is {quoted(text)}, which is no time") from None
