"""What a copy does, blob by blob, as lines on stderr: for `-v`."""

from __future__ import annotations

from bpfimg.cli._amounts import size
from bpfimg.cli._parser import note

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.cli._bar import Bar
    from bpfimg.cli._options import Options
    from bpfimg.oci import Descriptor

__all__ = ["Told"]

_HOW = {"copied": "copied", "there": "was there already", "mounted": "taken from another repository there"}


class Told:
    """A `Progress` that says what became of each blob, and hands on to a bar what it hears."""

    def __init__(self, options: Options, bar: Bar | None) -> None:
        self._options = options
        self._bar = bar

    def expect(self, descriptor: Descriptor) -> None:
        if self._bar is not None:
            self._bar.expect(descriptor)

    def moved(self, descriptor: Descriptor, count: int) -> None:
        if self._bar is not None:
            self._bar.moved(descriptor, count)

    def done(self, descriptor: Descriptor, how: str) -> None:
        if self._bar is not None:
            self._bar.done(descriptor, how)
        note(self._options, f"{descriptor.digest} ({size(descriptor.size)}): {_HOW[how]}")

    def images_done(self, count: int) -> None:
        """So many more of the images that were announced are dealt with."""
        if self._bar is not None:
            self._bar.images_done(count)
