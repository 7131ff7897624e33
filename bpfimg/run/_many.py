"""Several loads or links that go at once: all are found before the first goes."""

from __future__ import annotations

from bpfimg.errors import Error, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import TypeVar

    from bpfimg.load import Host, LinkRecord, Load, Selector

    T = TypeVar("T")
    W = TypeVar("W")


def unload_many(
    host: Host,
    words: Sequence[int | str] = (),
    *,
    selector: Selector | None = None,
    missing_ok: bool = False,
    gone: Callable[[Load], None] = lambda load: None,
    missing: Callable[[str], None] = lambda sentence: None,
) -> None:
    """Unloads what these ids and names mean, or what a selector takes; `gone` is told of each when it went.

    Every word is looked up first, so one that means nothing is an error before anything goes; with `missing_ok` the
    sentence goes to `missing` instead. One that cannot be unloaded does not keep the others; in the end an Error says
    which it was.
    """
    with host.writer() as writer:
        if words:
            found = _found(words, host.find, missing_ok, missing)
        else:
            found = [load for load in host.loads() if selector is None or selector.takes(load)]
        for load in _each({load.id: load for load in found}, writer.unload, "unloaded", "program"):
            gone(load)


def detach_many(
    host: Host,
    links: Sequence[int] = (),
    *,
    selector: Selector | None = None,
    missing_ok: bool = False,
    gone: Callable[[Load, int, LinkRecord | None], None] = lambda load, number, record: None,
    missing: Callable[[str], None] = lambda sentence: None,
) -> None:
    """Detaches these links, or those that a selector takes; as `unload_many`."""
    with host.writer() as writer:
        if links:
            found = _found(links, lambda number: (number, *host.find_link(number)), missing_ok, missing)
        else:
            found = [
                (link.id, load, link)
                for load in host.loads()
                for link in load.links
                if selector is None or selector.takes_link(load, link)
            ]
        for number, load, record in _each({each[0]: each for each in found}, writer.detach, "detached", "link"):
            gone(load, number, record)


def _found(words: Iterable[W], find: Callable[[W], T], missing_ok: bool, missing: Callable[[str], None]) -> list[T]:
    found = []
    for word in words:
        try:
            found.append(find(word))
        except UsageError:
            raise
        except Error as error:
            if not missing_ok:
                raise
            missing(str(error))
    return found


def _each(chosen: Mapping[int, T], remove: Callable[[int], object], done: str, kind: str) -> Iterator[T]:
    """Gives each one that went; the error in the end says which did not."""
    failed: list[tuple[int, Error]] = []
    for number, each in chosen.items():
        try:
            remove(number)
        except Error as error:
            failed.append((number, error))
            continue
        yield each
    if len(failed) == 1:
        number, reason = failed[0]
        raise Error(f"{kind} {number} could not be {done}: {reason}", hint=reason.hint) from reason
    if failed:
        reasons = "; ".join(f"{number}: {reason}" for number, reason in failed)
        raise Error(f"{len(failed)} {kind}s could not be {done}: {reasons}") from failed[0][1]
