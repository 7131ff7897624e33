"""A file descriptor with an owner."""

from __future__ import annotations

import os
import warnings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType


class Fd:
    """Owns one descriptor: close it, use it in `with`, or `detach()` it to somebody else.

    One that is forgotten is closed when it is collected, with a ResourceWarning, as Python's own files do.
    """

    __slots__ = ("__weakref__", "_number")

    def __init__(self, number: int) -> None:
        self._number = number

    def fileno(self) -> int:
        """The descriptor; ValueError once it is closed or given away."""
        if self._number < 0:
            raise ValueError("the descriptor is closed")
        return self._number

    @property
    def closed(self) -> bool:
        """True after `close()` or `detach()`."""
        return self._number < 0

    def close(self) -> None:
        """Closes it; a second time does nothing."""
        number, self._number = self._number, -1
        if number >= 0:
            os.close(number)

    def detach(self) -> int:
        """Gives the descriptor to the caller, who closes it."""
        number = self.fileno()
        self._number = -1
        return number

    def __enter__(self) -> Fd:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Fd({self._number if self._number >= 0 else 'closed'})"

    def __del__(self, _warn: Callable[..., None] = warnings.warn) -> None:
        if self._number >= 0:
            try:
                _warn(f"unclosed {self!r}", ResourceWarning, stacklevel=2, source=self)
            finally:  # a warning may be an error
                self.close()


def number(fd: Fd | int) -> int:
    """The plain number of a descriptor that is lent to a call."""
    return fd if isinstance(fd, int) else fd.fileno()
