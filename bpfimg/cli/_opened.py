"""What a command opened and closes at its end: connections, archives, stores with many images."""

from __future__ import annotations

from _thread import allocate_lock
from contextlib import ExitStack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from bpfimg.oci import places

__all__ = ["Opened"]


class Opened(ExitStack):
    """An ExitStack that knows what can be shared by all images of one command."""

    def __init__(self) -> None:
        super().__init__()
        self._together: places.Together | None = None
        self._connections: places.Connections | None = None
        self._archives: dict[str, places.Archive] = {}
        self._batches: dict[str, places.stores.Batch] = {}
        self._hosts: dict[str, None] = {}
        self._mutex = allocate_lock()

    def connections(self, options: Callable[[], places.RegistryOptions]) -> places.Connections:
        """The connections and tokens of this command, made when they are first asked for."""
        with self._mutex:
            if self._connections is None:
                from bpfimg.oci import places

                self._connections = self.enter_context(places.Connections(options()))
            return self._connections

    def hosts(self, host: str) -> tuple[str, ...]:
        """The registries of this command, from now on with `host`."""
        with self._mutex:
            self._hosts[host] = None
            return tuple(self._hosts)

    @property
    def together(self) -> places.Together:
        """What the copies of this command know of each other."""
        with self._mutex:
            if self._together is None:
                from bpfimg.oci import places

                self._together = places.Together()
            return self._together

    def archive(self, opened: places.Archive) -> places.Archive:
        """The archive, closed with the command; of two of one path the first, seen from the other's repository."""
        import os

        path = os.path.realpath(opened.path)
        with self._mutex:
            first = self._archives.get(path)
            if first is None:
                self._archives[path] = self.enter_context(opened)
                return opened
        return first.beside(opened.repository)

    def batch(self, path: str, lock_timeout: float) -> places.stores.Batch:
        """Begins a batch for the layout at `path`: from now on all that is written there is written together."""
        import os

        from bpfimg.oci import places

        path = os.path.realpath(path)
        if path not in self._batches:
            self._batches[path] = self.enter_context(places.stores.Batch(path, lock_timeout=lock_timeout))
        return self._batches[path]

    def batch_of(self, path: str) -> places.stores.Batch | None:
        """The batch that was begun for a layout, None for none."""
        if not self._batches:
            return None
        import os

        return self._batches.get(os.path.realpath(path))

    def publish(self) -> None:
        """Puts every archive, and what was written together, in its place: before anything is said to be there."""
        for archive in self._archives.values():
            archive.publish()
        for batch in self._batches.values():
            batch.flush()
