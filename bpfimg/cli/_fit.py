"""Tables on a terminal: what would wrap is cut, where that loses nothing that is to be typed again."""

from __future__ import annotations

import os
import sys

from bpfimg.cli._render import columns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

__all__ = ["cut", "dropped", "fitted", "terminal_width"]

_LEAST = 12
"""Columns that are left of a text that is cut."""


def terminal_width() -> int | None:
    """The columns of the terminal that stdout is, None where it is none: pipes and files get everything."""
    try:
        if not sys.stdout.isatty():
            return None
        said = os.environ.get("COLUMNS", "")
        width = int(said) if said.isascii() and said.isdigit() else os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError):
        return None
    return max(width, 20) if width else None  # a terminal that nobody told its size says 0


def fitted(widths: Sequence[int], free: Collection[int], room: int) -> list[int]:
    """Widths of columns, two blanks apart, of which those in `free` give way, the widest first, until there is room."""
    made = list(widths)
    over = sum(made) + 2 * (len(made) - 1) - room
    while over > 0:
        order = sorted((made[at] for at in free), reverse=True)
        if not order or order[0] <= _LEAST:
            break
        widest = [at for at in free if made[at] == order[0]]
        following = max([width for width in order if width < order[0]], default=0)
        each = min(order[0] - max(following, _LEAST), -(-over // len(widest)))
        for at in widest:
            made[at] -= each
            over -= each
    return made


def dropped(widths: Sequence[int], free: Collection[int], spare: Sequence[int], room: int) -> list[int]:
    """Which of the columns in `spare` are left out, in that order, because cutting `free` is not enough."""
    gone: list[int] = []
    for at in spare:
        least = [min(width, _LEAST) if each in free else width for each, width in enumerate(widths) if each not in gone]
        if sum(least) + 2 * (len(least) - 1) <= room:
            break
        gone.append(at)
    return gone


def cut(text: str, width: int) -> str:
    """`text` in at most `width` columns, with a mark where something is missing."""
    if columns(text) <= width:
        return text
    mark = "…" if (sys.stdout.encoding or "").lower().startswith("utf") else "..."
    kept, left = "", width - columns(mark)
    for c in text:
        left -= columns(c)
        if left < 0:
            break
        kept += c
    return kept.rstrip() + mark
