"""From when to when a key or authority is good (protobuf's TimeRange: both ends belong to it)."""

from __future__ import annotations

from bpfimg._value import value

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
