"""Names out of a file: checked before they are used, made harmless before they are shown."""

from __future__ import annotations

from bpfimg.errors import BytecodeError, quoted


def checked(name: str, what: str) -> str:
    """`name` itself if it can stand in a label, a log and a terminal; else a `BytecodeError` that calls it `what`."""
    if name and name.isprintable() and "\ufffd" not in name:
        return name
    raise BytecodeError(f"{what} has the name {quoted(name)}, expected printable UTF-8 text")
