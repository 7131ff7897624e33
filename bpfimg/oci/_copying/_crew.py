"""Several things at a time, where it is worth waiting for several answers at once."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Future, ThreadPoolExecutor
    from typing import TypeVar

    T = TypeVar("T")
    A = TypeVar("A")


class Crew:
    """Does at most `size` tasks at the same time, in threads; with a size of 1 each in the caller's, and no thread.

    Leaving the `with` waits for what is under way; after Ctrl-C it does not: who pressed it does not wait for a
    registry that hangs.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=kind is None or issubclass(kind, Exception), cancel_futures=True)

    def begin(self, task: Callable[[], T]) -> Future[T]:
        """Begins a task in a thread, as soon as one is free. A task never waits for another one."""
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor

            self._pool = ThreadPoolExecutor(self.size)
        return self._pool.submit(task)

    def each(self, task: Callable[[A], T], items: Iterable[A]) -> list[T]:
        """Returns what `task` returns for each item, in their order; the first error that shows is raised."""
        work = list(items)
        if self.size < 2 or len(work) < 2:
            return [task(item) for item in work]
        from concurrent.futures import FIRST_EXCEPTION, wait

        begun = [self.begin(lambda item=item: task(item)) for item in work]  # type: ignore[misc]
        done, rest = wait(begun, return_when=FIRST_EXCEPTION)
        if rest:
            for each in rest:
                each.cancel()
            for each in done:
                each.result()
        return [each.result() for each in begun]
