"""What the compiler said of sources, as annotations at lines of the repository: `bpfimg build --report github=FILE`."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.inspect import forms

__all__ = ["FORMATS", "render"]

FORMATS = ("github",)

_PLACE = r"(?P<file>[^\s:][^:]*):(?P<line>\d{1,9}):(?P<column>\d{1,9})"
_DIAGNOSTIC = re.compile(_PLACE + r": (?P<level>\w+)(?: error)?: (?P<words>.*)")
_LEVELS = {"error": "error", "fatal": "error", "warning": "warning"}


def render(said: list[str]) -> str:
    """The annotations for texts that clang printed; "" where none of them has a diagnostic."""
    from bpfimg.inspect import forms

    return forms.remarks(list(dict.fromkeys(each for text in said for each in _remarks(text))))


def _remarks(text: str) -> Iterator[forms.Annotation]:
    from bpfimg.cli._checkout import Checkout
    from bpfimg.inspect import forms

    checkout = Checkout.here()
    lines = text.splitlines()
    for number, each in enumerate(lines):
        found = _DIAGNOSTIC.fullmatch(each)
        if found is None or found["level"] not in _LEVELS:
            continue
        line, column = int(found["line"]), int(found["column"])
        shown = lines[number + 1] if number + 1 < len(lines) else ""
        shown = re.sub(r"^ *\d+ \| ", "", shown)  # clang 18 and later number the lines that they show
        file = checkout.place(found["file"], line, shown)
        place = (file, line, column) if file else ("", 0, 0)
        yield forms.Annotation(_LEVELS[found["level"]], found["words"], "clang", *place)
