"""What a copy tells whoever watches it."""

from __future__ import annotations

from typing import Protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.oci._descriptor import Descriptor


class Progress(Protocol):
    """Hears of every blob of a copy; called from several threads at once. Manifests and indexes are not mentioned."""

    def expect(self, descriptor: Descriptor) -> None:
        """The blob belongs to what is copied."""

    def moved(self, descriptor: Descriptor, count: int) -> None:
        """So many more bytes of it came from the source; fewer than none when an upload begins anew."""

    def done(self, descriptor: Descriptor, how: str) -> None:
        """The target has all of it: "copied", "there" (it was there before) or "mounted" (no byte passed here)."""
