"""Further tries: so many, so long, and each said to the user."""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.oci._settings._options import RegistryOptions

TRY_AGAIN = frozenset((408, 429, 500, 502, 503, 504))
"""Statuses that mean "not now"."""
_LONGEST_WAIT = 30.0
"""Seconds: a server that asks for a longer pause gets no further try, its user an answer."""
_PROGRESS = 1 << 20


class Patience:
    """Further tries of one errand, which may take several requests."""

    def __init__(self, options: RegistryOptions) -> None:
        self._options = options
        self._moved = 0
        self._renew()

    def wait(self, reason: str, later: str | None = None) -> bool:
        """Waits and says True, or says False when there is to be no further try.

        `later` is the server's `Retry-After`: seconds, or a date (RFC 9110, 10.2.3).
        """
        if not self._waits:
            return False
        pause = self._waits.pop(0) * (0.75 + os.urandom(1)[0] / 512)  # jitter keeps many clients apart
        asked = _seconds(later) if later is not None else None
        if asked is not None:
            pause = asked
        if pause > _LONGEST_WAIT or time.monotonic() + pause > self._end:
            return False
        self._options.warn(f"{reason}; trying again in {pause:.1f} s")
        time.sleep(pause)
        return True

    def progress(self, count: int) -> None:
        """Takes note of content that came or went for good: who gets on may be interrupted again.

        Only by the MiB: a byte for each try would go on for ever.
        """
        self._moved += count
        if self._moved >= _PROGRESS:
            self._moved = 0
            self._renew()

    def _renew(self) -> None:
        self._waits = list(self._options.waits)
        self._end = time.monotonic() + self._options.patience


def _seconds(text: str) -> float | None:
    """Returns the seconds that a `Retry-After` names, None when it names none."""
    text = text.strip()
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
