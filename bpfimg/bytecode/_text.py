"""Names out of a file: checked before they are used, made harmless before they are shown."""

from __future__ import annotations

from bpfimg.errors import BytecodeError

_SHOWN = 60


def shown(name: str) -> str:
    """`name` in quotes for a message: ASCII, no control characters, at most 60 characters of it."""
    return ascii(name) if len(name) <= _SHOWN else ascii(name[:_SHOWN]) + "…"


def checked(name: str, what: str) -> str:
    """`name` itself if it can stand in a label, a log and a terminal; else a `BytecodeError` that calls it `what`."""
    if name and name.isprintable() and "\ufffd" not in name:
        return name
    raise BytecodeError(f"{what} has the name {shown(name)}, expected printable UTF-8 text")
