"""Colours, on terminals only: what is coloured says the same without.

`NO_COLOR` (no-color.org: any text but the empty one) and `TERM=dumb` switch them off; there is no switch to have them
in a file.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

__all__ = ["coloured", "paint"]

#: the terminal's own sixteen colours, so that they fit its background
_STYLES = {"head": "1", "good": "32", "bad": "31", "worse": "1;31", "warn": "33", "dim": "2"}


def coloured(stream: TextIO | None = None) -> bool:
    """Whether colours may go to `stream` (default: stdout)."""
    stream = sys.stdout if stream is None else stream
    if os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb":
        return False
    try:
        return stream.isatty()
    except ValueError:  # it is closed
        return False


def paint(text: str, style: str, stream: TextIO | None = None) -> str:
    """`text` in a style (head, good, bad, worse, warn, dim) where `stream` takes colours, else as it is.

    Widths are to be decided before: a painted text is longer than it looks.
    """
    return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if text and coloured(stream) else text
