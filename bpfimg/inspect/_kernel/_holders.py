"""Who keeps programs, maps, links and BTF objects in the kernel: pins in bpffs, and processes with a descriptor."""

from __future__ import annotations

import os

from bpfimg._value import value
from bpfimg.inspect._kernel import _pins, _processes
from bpfimg.inspect._kernel._processes import Processes
from bpfimg.kernel import walk

_MOST = 64  # holders of one object that are named; the rest is counted


@value(frozen=True, slots=True)
class Holders:
    """`of` says who holds an object; `processes` is the look at them all, `unseen` what could not be looked at."""

    held: dict[tuple[str, int], list[str]]
    processes: Processes
    unseen: list[str]

    def of(self, kind: str, number: int) -> tuple[str, ...]:
        """Paths of pins, then processes as `name (PID)`; `kind` is program, map, link or btf."""
        found = self.held.get((kind, number))
        if found is None:
            return ()
        if len(found) > _MOST:
            return (*found[:_MOST], f"and {len(found) - _MOST} more")
        return tuple(found)


class Looking:
    """The look at pins and processes, which has begun: it takes a while, and goes on in a process of its own.

    Bounded: of very many pins and descriptors some are missing, and that is said. To be left by `with`.
    """

    __slots__ = ("_apart", "_own")

    def __init__(self, bpffs: str) -> None:
        me = os.getpid()
        # now, before we hold anything ourselves for a moment
        self._own = _processes.look(only=(me,))

        def rest() -> tuple[object, ...]:
            return _seen(bpffs, (me, os.getpid()))

        self._apart = walk.Apart(rest)

    def result(self) -> Holders:
        """What was found."""
        pins, held, events, networks, mounts, hidden, cut, unseen = self._apart.result()
        own = self._own
        processes = Processes({}, [*own.events, *events], {**own.networks, **dict(networks)}, dict(mounts), hidden, cut)
        found: dict[tuple[str, int], list[str]] = {}
        for kind, number, names in (*pins, *held, *_listed(own.held)):
            found.setdefault((kind, number), []).extend(names)
        if hidden:
            unseen.append(f"what {hidden} processes hold, and where they are: looking needs root (CAP_SYS_PTRACE)")
        if cut:
            unseen.append("what processes hold, after the first 200,000 descriptors")
        return Holders(found, processes, unseen)

    def __enter__(self) -> Looking:
        return self

    def __exit__(self, *_: object) -> None:
        self._apart.__exit__()


def _seen(bpffs: str, skip: tuple[int, ...]) -> tuple[object, ...]:
    unseen: list[str] = []
    found = _processes.look(skip=skip)
    pins: dict[tuple[str, int], list[str]] = {}
    for path, kind, number in _pins.pins(bpffs, found.mounts, unseen):
        pins.setdefault((kind, number), []).append(path)
    networks, mounts = list(found.networks.items()), list(found.mounts.items())
    return _listed(pins), _listed(found.held), found.events, networks, mounts, found.hidden, found.cut, unseen


def _listed(held: dict[tuple[str, int], list[str]]) -> list[tuple[str, int, list[str]]]:
    return [(kind, number, names) for (kind, number), names in held.items()]
