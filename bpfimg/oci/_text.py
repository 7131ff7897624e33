"""Untrusted words, made fit for a message."""

from __future__ import annotations


def shown(text: object, limit: int = 120) -> str:
    """Returns `text` quoted, on one line, without control characters, cut to `limit` characters."""
    words = str(text)
    return repr(words if len(words) <= limit else words[:limit] + "...")
