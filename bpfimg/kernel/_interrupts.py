"""Ctrl-C kept until a C function has returned that calls Python functions: what they raise C would swallow."""

from __future__ import annotations

# what the module `signal` is made of, without its enumerations: half a millisecond of every command
from _signal import SIGINT, getsignal, signal  # type: ignore[import-not-found,unused-ignore]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType, TracebackType

__all__ = ["Held"]


class Held:
    """While it is open an interrupt is noted; at the end whoever had to hear of it does: Python raises
    KeyboardInterrupt there. Threads but the first are never interrupted, so nothing is done in them."""

    __slots__ = ("_before", "_came")

    def __enter__(self) -> None:
        self._came: list[int] = []
        self._before = getsignal(SIGINT)
        if callable(self._before):
            try:
                signal(SIGINT, self._note)
            except ValueError:  # only the first thread may, and only there Python code hears of signals
                self._before = None

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._came.append(number)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        before = self._before
        if callable(before):
            signal(SIGINT, before)
            if self._came:
                before(SIGINT, None)
