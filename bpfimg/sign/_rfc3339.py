"""Times as RFC 3339 writes them, and as seconds since 1970."""

from __future__ import annotations

import re

from bpfimg.errors import quoted
from bpfimg.sign._strict import Junk, string

# compiled when it is needed: this is on the path of `run`, which reads no such times
_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})"


def rfc3339(seconds: float) -> str:
    """Returns a time in UTC, without fractions of a second; its number when no calendar has it."""
    import time

    try:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
    except (OverflowError, OSError, ValueError):
        return str(seconds)


def seconds(value: object, what: str) -> float:
    """Returns a time as protobuf's JSON writes a Timestamp in seconds since 1970, or raises `Junk`."""
    from datetime import datetime

    text = string(value, what)
    if not re.fullmatch(_TIME, text):
        raise Junk(f"{what} is {quoted(text)}, expected a time such as 2025-01-31T12:00:00Z")
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        raise Junk(f"{what} is {quoted(text)}, which is no time") from None
