"""What must hold of every answer: one printable sentence at most, and no document that can be read in two ways."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_MESSAGE_MAX = 900


class BrokenError(AssertionError):
    """Something that must hold does not: as bad as a crash."""


def sentence(error: Exception) -> None:
    message = str(error)
    if not message.isprintable() or len(message) > _MESSAGE_MAX:
        raise BrokenError(f"a message of {len(message)} characters, or with unprintable ones: {message[:200]!r}")


def tried(read: Callable[[], object], *errors: type[Exception]) -> object:
    """What `read` returns; None when it raises what it may."""
    try:
        return read()
    except errors as error:
        sentence(error)
        return None


def sentences(error: Exception, reasons: tuple[str, ...]) -> None:
    sentence(error)
    for reason in reasons:
        line(reason)


def line(text: str) -> None:
    if not text.isprintable() or len(text) > 3 * _MESSAGE_MAX:
        raise BrokenError(f"a reason of {len(text)} characters, or with unprintable ones: {text[:200]!r}")


def once(data: bytes) -> None:
    """Raises when JSON that was accepted has a name twice, a number that is none, or is not UTF-8."""

    def pairs(rows: list[tuple[str, object]]) -> dict[str, object]:
        if len({name for name, _ in rows}) != len(rows):
            raise BrokenError("a document with a name that stands twice is accepted")
        return dict(rows)

    def constant(_word: str) -> object:
        raise BrokenError("a document with NaN or Infinity is accepted")

    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BrokenError("a document that is not UTF-8 is accepted") from error
    json.loads(text, object_pairs_hook=pairs, parse_constant=constant)
