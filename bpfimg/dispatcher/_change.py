"""Changing a chain: the whole of it is built anew beside the one that runs, and put in its place in one atomic step.

What each step leaves when the process is killed right after it:

====================================  ===================================================================
new dispatcher loaded, slots filled   nothing: the kernel frees it
directory of the guard published      garbage, which runs nothing; swept
libxdp's pins published (XDP)         the same: swept with the guard
entry pinned (tcx)                    the same link twice; swept
exchange on the hook                  COMMIT: the new chain runs; the old directory is garbage; swept
libxdp's pins of the old one removed  the same
directory of the old one removed      the new state
====================================  ===================================================================

A first program on a clsact hook is the same: the filter is known by its handle, which is the dispatcher's id. On a tcx
hook pinning the link is the commit, since without it the kernel takes the program off.
"""

from __future__ import annotations

import errno
import time
from contextlib import ExitStack, suppress

from bpfimg._value import replace, value
from bpfimg.dispatcher import _guard
from bpfimg.dispatcher._builder import Job, built, kind, opened
from bpfimg.dispatcher._chain_record import ChainRecord
from bpfimg.dispatcher._plan import LIMITS, Plan
from bpfimg.dispatcher._raced import Raced
from bpfimg.dispatcher._read import read
from bpfimg.errors import AttachError, Error, KernelError
from bpfimg.kernel import bpf
from bpfimg.load import members

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from bpfimg.dispatcher._builder import Built
    from bpfimg.dispatcher._model import Chain, Spot
    from bpfimg.dispatcher._read import Seen
    from bpfimg.dispatcher._sources import Newcomer
    from bpfimg.load import Host

_TRIES = 10
_FIRST_WAIT = 0.002  # seconds; doubled each time
_PROTOCOLS = {"auto": 2, "v2": 2, "v3": 3}


@value(frozen=True, slots=True)
class Wanted:
    """What is asked of a chain that is not there yet; one that is there has its own ways.

    `beside` are attachments of the same transaction, which nothing lists yet.
    """

    dispatcher: str = "auto"
    mode: str = "auto"
    protocol: str = "auto"
    beside: tuple[members.Attachment, ...] = ()


@value(frozen=True, slots=True)
class Order:
    """A change: `edit(plan, limit)` gives the plan that is to run. It may be called several times: others may change
    the hook meanwhile, also without our lock. `anew`: the chain is built again also where it stays as it is."""

    edit: Callable[[Plan, int], Plan]
    newcomer: Newcomer | None = None
    wanted: Wanted = Wanted()
    anew: bool = False


def change_hook(host: Host, spot: Spot, order: Order) -> None:
    """Gives the hook the chain that the order makes of the one it runs; called in its namespace.

    Busy, AttachError, NotSupported or VerifierError where it cannot be; then what runs is what ran before.
    """
    wait = _FIRST_WAIT
    for attempt in range(_TRIES):
        try:
            _once(host, spot, order)
            return
        except Raced as error:
            if attempt == _TRIES - 1:
                raise AttachError(
                    f"{spot.words} was changed by others {_TRIES} times while we built its chain: {error}",
                    hint="try again; `bpfimg status` shows what runs there",
                ) from error
        time.sleep(wait)
        wait *= 2


def _once(host: Host, spot: Spot, order: Order) -> None:
    seen = checked(read(host, spot), host)
    before = plan_of(seen)
    how = kind(spot, seen.chain, order.wanted.dispatcher)
    plan = order.edit(before, LIMITS[how])
    if plan == before and not order.anew:
        return
    if not plan.members:
        _stop(host, seen)
        return
    way = _way(host, seen)
    protocol = 0 if spot.hook != "xdp" or how != "freplace" else _protocol(seen, order.wanted)
    with built(Job(host, seen, plan, way, order.newcomer), how, protocol) as made:
        _put(host, seen, _recorded(seen, plan, way, made), made, order)


def checked(seen: Seen, host: Host) -> Seen:
    """What was seen, if a chain can be there; Busy names what is in the way, AttachError what cannot be read."""
    spot = seen.spot
    if seen.guard is not None and seen.chain is None:
        raise AttachError(
            f"the chain on {spot.words} (program {seen.running}) cannot be changed: its record {seen.guard.path}/record"
            " cannot be read",
            hint="`bpfimg doctor` says what is damaged",
        )
    if seen.running and (seen.chain is None or seen.by_link):
        from bpfimg.dispatcher import _xdp

        raise _xdp.held(spot, _xdp.State(seen.running, seen.mode), host.loads())
    if seen.found is not None and seen.chain is not None and not seen.chain.plan.members:
        reason = "; ".join(seen.chain.damage) or f"version {seen.chain.protocol} of libxdp's protocol"
        raise AttachError(
            f"the dispatcher on {spot.words} (program {seen.running}) cannot be changed: {reason}",
            hint="`xdp-loader status` shows what it runs",
        )
    return seen


def plan_of(seen: Seen) -> Plan:
    """The plan that runs, without slots of others that have lost their program."""
    if seen.chain is None:
        return Plan(seen.spot.hook)
    return Plan(seen.spot.hook, tuple(each for each in seen.chain.plan.members if each.program))


def _way(host: Host, seen: Seen) -> str:
    if seen.chain is not None:
        return seen.chain.way
    if seen.spot.hook == "xdp":
        return "netlink"
    from bpfimg.dispatcher import _tc

    return _tc.way(host.tc)


def _protocol(seen: Seen, wanted: Wanted) -> int:
    there = seen.chain.protocol if seen.chain is not None else 0
    return max(there, 2) if there else _PROTOCOLS[wanted.protocol]


def _recorded(seen: Seen, plan: Plan, way: str, made: Built) -> ChainRecord:
    note = seen.chain.note if seen.chain is not None else ""
    return ChainRecord(seen.spot, plan, made.builder, way, made.protocol, inlined=made.inlined, note=note)


def _put(host: Host, seen: Seen, record: ChainRecord, made: Built, order: Order) -> None:
    spot = seen.spot
    if record.way != "netlink":
        from bpfimg.dispatcher import _tc_filter

        old = seen.guard.record if seen.guard is not None else None
        first = record.plan.members[0].priority
        priority = first if record.way == "tcx" else _tc_filter.preference(first)
        place = (old.handle, old.priority) if old is not None else (made.id, priority)
        record = replace(record, handle=place[0] if record.way == "clsact" else 0, priority=place[1])
    with ExitStack() as undo:
        guard = _guard.publish(host, made.id, record, made.slots, made.program)
        if made.id == seen.running:  # the same program by itself, under another priority: only the record differs
            return
        undo.callback(_given_up, host, spot, guard, made)
        if made.protocol:
            from bpfimg.dispatcher import _libxdp

            _libxdp.publish(host.bpffs, spot.ifindex, made.id, made.slots)
        note = _exchange(host, seen, guard, made, order.wanted)  # COMMIT
        undo.pop_all()
    if note:  # of a first program, which is ours
        with suppress(KernelError):
            _guard.publish(host, made.id, replace(record, note=note))
    if seen.running:
        forget(host, seen)
    if not any(member.link for member in record.plan.members):
        _removed(guard.path)  # others have pinned what is theirs, and shall have it gone when they take that away


def _exchange(host: Host, seen: Seen, guard: _guard.Guard, made: Built, wanted: Wanted) -> str:
    """Puts the new program in the place of the old one, if there is one; returns what is worth telling of it."""
    spot, record = seen.spot, guard.record
    assert record is not None
    with ExitStack() as stack:
        old = stack.enter_context(opened(seen)) if seen.running else None
        if spot.hook == "xdp":
            from bpfimg.dispatcher import _xdp

            if seen.chain is not None:
                _xdp.agree(spot, wanted.mode, seen.mode)
            mode = seen.mode if seen.chain is not None else wanted.mode
            return _xdp.swap(spot, old, made.program, mode, record.plan).note
        from bpfimg.dispatcher import _tc

        assert not isinstance(made.program, int)  # only XDP has members that are attached by themselves
        if old is None:
            scene = replace(members.Scene.of(host), opened=wanted.beside)
            started = _tc.start(record.way, spot, made.program, record.priority, scene, handle=record.handle)
            if started.link is not None:
                with started.link as link:
                    bpf.pin(link, guard.entry)  # COMMIT
            return ""
        link_of_entry = None
        if record.way == "tcx" and seen.guard is not None:
            link_of_entry = stack.enter_context(bpf.get(seen.guard.entry))
            bpf.pin(link_of_entry, guard.entry)
        _tc.swap(record.way, spot, link_of_entry, record.handle, record.priority, old, made.program)
    return ""


def _stop(host: Host, seen: Seen) -> None:
    """Takes the last member off: the hook runs nothing of ours afterwards."""
    if seen.chain is None:
        return
    spot = seen.spot
    with ExitStack() as stack:
        if spot.hook == "xdp":
            from bpfimg.dispatcher import _xdp

            _xdp.swap(spot, stack.enter_context(opened(seen)), None, seen.mode)  # COMMIT
        else:
            from bpfimg.dispatcher import _tc

            assert seen.guard is not None
            assert seen.guard.record is not None
            record = seen.guard.record
            link = stack.enter_context(bpf.get(seen.guard.entry)) if record.way == "tcx" else None
            _tc.stop(record.way, spot, link, record.handle, record.priority, seen.running)  # COMMIT
    forget(host, seen)


def forget(host: Host, seen: Seen) -> None:
    """Removes what is pinned of a chain that its hook does not run any more. Committed: what fails here is swept."""
    chain: Chain | None = seen.chain
    with suppress(KernelError):
        if chain is not None and chain.protocol:
            _unpinned(host, seen.spot, chain.dispatcher)
            if seen.guard is not None and seen.guard.record is not None:  # the interface may have another number by now
                _unpinned(host, seen.guard.record.spot, chain.dispatcher)
        if seen.guard is not None:
            _guard.remove(seen.guard.path)


def _given_up(host: Host, spot: Spot, guard: _guard.Guard, made: Built) -> None:
    """Removes what is pinned of a chain that did not come to run. One that runs, because what went wrong came behind
    the exchange (Ctrl-C, an answer of the kernel that got lost), keeps it: its slots would be empty."""
    try:
        if read(host, spot).running == made.id:
            return
    except Error as error:
        if getattr(error, "errno", 0) != errno.ENODEV:
            return  # the next writer can tell, and sweeps it
    if made.protocol:
        _unpinned(host, spot, made.id)
    _removed(guard.path)


def _unpinned(host: Host, spot: Spot, dispatcher: int) -> None:
    from bpfimg.dispatcher import _libxdp

    with suppress(KernelError):
        _libxdp.remove(host.bpffs, spot.ifindex, dispatcher)


def _removed(path: str) -> None:
    with suppress(KernelError):
        _guard.remove(path)
