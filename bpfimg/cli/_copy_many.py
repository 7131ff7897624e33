"""Many images in one process: eight at a time, and what fails does not stop the others."""

from __future__ import annotations

import time
from contextlib import suppress

from bpfimg._value import value
from bpfimg.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bpfimg.cli._copy_lines import Job
    from bpfimg.cli._copy_options import Copying
    from bpfimg.cli._options import Options
    from bpfimg.oci import Descriptor, Target, places

__all__ = ["Outcome", "copy_all"]

_AT_ONCE = 8
_GROUP = 64
_SECONDS = 1.0
"""Images, and time, after which what is done is put on disk and said."""


@value(frozen=True, slots=True)
class Outcome:
    """How one image went: what is there now, or why it is not."""

    job: Job
    descriptor: Descriptor | None = None
    error: Error | None = None


def copy_all(
    options: Options,
    jobs: Sequence[Job],
    what: Copying,
    *,
    known: Callable[[Job], str | None],
    progress: places.Progress | None,
) -> Iterator[list[Outcome]]:
    """Copies all of them, and yields how they went in groups, as soon as these are where no crash can take them from.

    `known` gives the digest that an earlier run has copied, None for none: what still is there is left alone.
    Archives are written as a whole, at the end: then there is one group.
    """
    transports = {_place_of(job.destination) for job in jobs}
    late = any(word.endswith("-archive") for word, _ in transports)
    workers = 1 if any(word == "docker-daemon" for word, _ in transports) else _AT_ONCE
    for word, path in transports:
        if word in ("oci", "store"):
            options.open.batch(path or options.store, options.lock_timeout)
    at_once = max(_AT_ONCE // max(min(len(jobs), workers), 1), 1)

    def one(job: Job) -> Outcome:
        return _one(options, job, what, known(job), progress=progress, at_once=at_once)

    waiting: list[Outcome] = []
    since = time.monotonic()
    try:
        for outcome in _finished(one, jobs, workers):
            waiting.append(outcome)
            if not late and (len(waiting) >= _GROUP or time.monotonic() - since >= _SECONDS):
                options.open.publish()
                yield waiting
                waiting, since = [], time.monotonic()
    finally:
        if not late:
            options.open.publish()  # after Ctrl-C, too: what was finished is kept
    if late:
        options.open.publish()
    yield waiting


def _place_of(text: str) -> tuple[str, str]:
    """Transport and path of a destination."""
    from bpfimg.oci import places

    where = places.Location.parse(text)
    return where.transport, where.path


def _finished(one: Callable[[Job], Outcome], jobs: Sequence[Job], workers: int) -> Iterator[Outcome]:
    """Yields what `one` makes of each job, in the order in which they finish."""
    from concurrent.futures import Future, ThreadPoolExecutor
    from queue import Empty, SimpleQueue

    done: SimpleQueue[Future[Outcome]] = SimpleQueue()
    pool = ThreadPoolExecutor(max(min(workers, len(jobs)), 1))
    finished = False
    try:
        for job in jobs:
            pool.submit(one, job).add_done_callback(done.put)
        left = len(jobs)
        while left:
            with suppress(Empty):
                # no longer: a signal that comes just before a wait begins is seen when it ends
                yield done.get(timeout=_SECONDS).result()
                left -= 1
        finished = True
    finally:
        # whoever pressed Ctrl-C does not wait for eight registries
        pool.shutdown(wait=finished, cancel_futures=True)


def _one(
    options: Options, job: Job, what: Copying, digest: str | None, *, progress: places.Progress | None, at_once: int
) -> Outcome:
    from bpfimg.cli._copied import moved
    from bpfimg.cli._places import located, target

    try:
        place, tag = target(options, job.destination, platform=what.only)
        if digest is not None and (there := _there(place, tag, digest)) is not None:
            return Outcome(job, there)
        found = located(options, job.source, goes=job.destination)
        return Outcome(job, moved(options, found, place, tag, what, progress=progress, at_once=at_once))
    except Error as error:
        return Outcome(job, error=error)


def _there(place: Target, tag: str | None, digest: str) -> Descriptor | None:
    """What an earlier run has put there, None when it is something else by now, or gone."""
    from bpfimg.oci import Digest

    try:
        found = place.resolve(tag or Digest.parse(digest))
    except Error:
        return None
    return found if str(found.digest) == digest else None
