"""A row of numbers as a little picture, one character each."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["spark"]

_BLOCKS = "▁▂▃▄▅▆▇█"
_ASCII = "_.-:=+*#"


def spark(numbers: Sequence[float | None], width: int, *, ascii: bool) -> str:
    """The last `width` numbers, from zero to the greatest of them; None is a blank, what is not there yet, too."""
    steps = _ASCII if ascii else _BLOCKS
    shown = list(numbers)[-width:] if width > 0 else []
    most = max((number for number in shown if number is not None), default=0)
    return "".join(_step(number, most, steps) for number in shown).rjust(max(width, 0))


def _step(number: float | None, most: float, steps: str) -> str:
    if number is None:
        return " "
    if number <= 0 or most <= 0:
        return steps[0]
    return steps[min(1 + int(number / most * (len(steps) - 1) - 1e-9), len(steps) - 1)]
