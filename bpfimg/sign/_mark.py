"""How new an image is, by what was verified of it, and whether it is a step back. Values only."""

from __future__ import annotations

from bpfimg._value import replace, value
from bpfimg.errors import quoted
from bpfimg.sign._rfc3339 import rfc3339
from bpfimg.sign._strict import Junk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


@value(frozen=True, slots=True)
class Mark:
    """The `version` label ("": none), the earliest verified `time` in seconds since 1970 (0: none) and the `digest`
    of an image; of one that was accepted also when that was (`accepted`, RFC 3339)."""

    version: str = ""
    time: int = 0
    digest: str = ""
    accepted: str = ""


def step_back(mark: Mark, highest: Mark, order: Callable[[str], object]) -> str:
    """Says why `mark` is a step back behind `highest`; "" when it is none.

    Versions decide; times only where no version was ever accepted. What cannot be compared is a step back: the old
    image may be the one that has no label. The image that is the highest itself never is. `order` makes a version
    label comparable, and raises `Junk`.
    """
    if mark.digest and mark.digest == highest.digest:
        return ""
    when = f", accepted here{' at ' + highest.accepted if highest.accepted else ''}"
    if highest.version:
        if not mark.version:
            return f"it has no version label, expected {quoted(highest.version)}{when}, or a later one"
        try:
            lower = order(mark.version) < order(highest.version)  # type: ignore[operator]
        except Junk as junk:
            return str(junk)
        found = f"version {quoted(mark.version)}"
        return f"{found} is older than {quoted(highest.version)}{when}" if lower else ""
    if highest.time:
        if not mark.time:
            return f"it has no verified time, expected {rfc3339(highest.time)}{when}, or a later one"
        if mark.time < highest.time:
            return f"it was signed at {rfc3339(mark.time)}, before {rfc3339(highest.time)}{when}"
    return ""


def advanced(mark: Mark, highest: Mark | None, order: Callable[[str], object]) -> Mark:
    """Returns what is the highest once `mark` was accepted, too: never less than `highest`.

    Of the image that is the highest itself, a label or time that it lacks now (somebody took a signature away) stays.
    """
    if highest is None:
        return mark
    if mark.digest == highest.digest:
        version = mark.version if not highest.version or _is_later(mark, highest, order) else highest.version
        return replace(highest, version=version, time=highest.time or mark.time)
    return highest if step_back(mark, highest, order) else replace(mark, time=max(mark.time, highest.time))


def _is_later(mark: Mark, highest: Mark, order: Callable[[str], object]) -> bool:
    return bool(mark.version) and order(mark.version) > order(highest.version)  # type: ignore[operator]
