"""Mending chains under the lock: what killed writers left goes, what others took away is pinned again."""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress

from bpfimg.dispatcher import _guard
from bpfimg.dispatcher._chain_record import ChainRecord
from bpfimg.dispatcher._read import Seen, read
from bpfimg.dispatcher._spot import recorded_spot, there
from bpfimg.errors import Error, KernelError
from bpfimg.kernel import bpf
from bpfimg.load import members

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpfimg.dispatcher._model import Spot
    from bpfimg.dispatcher._plan import Plan
    from bpfimg.load import Host, LinkRecord


def sweep(host: Host, links: Sequence[LinkRecord]) -> None:
    """Removes what is pinned of chains that no hook runs and no link of ours is in; pins again what others removed.

    What cannot be looked at stays as it is.
    """
    kept = list(_guard.guards(host))
    running: dict[tuple[int, int, str], Seen] = {}
    for key, spot in {_key(spot): spot for spot in _spots(kept, links)}.items():
        with suppress(Error):
            seen = there(spot, lambda now: _mended(host, now))
            if seen is not None:
                running[key] = seen
    if os.path.isdir(f"{host.bpffs}/xdp"):
        from bpfimg.dispatcher import _libxdp_pins

        with suppress(Error):
            _libxdp_pins.sweep_drafts(host.bpffs)
    alive = {seen.running for seen in running.values() if seen.chain is not None}
    for guard in kept:
        if guard.dispatcher not in alive or not _is_of(guard, running):
            _sweep(host, guard, running)
        elif guard.record is not None and not any(member.link for member in guard.record.plan.members):
            _guard.remove(guard.path)  # a writer that took our last member off was killed: libxdp's pins suffice


def _mended(host: Host, spot: Spot) -> Seen:
    """What the hook runs, mended if that was needed; asked in its namespace."""
    seen = read(host, spot)
    return read(host, spot) if _mend(host, seen) else seen


def _key(spot: Spot) -> tuple[int, int, str]:
    return spot.inode, spot.ifindex, spot.direction


def _spots(kept: Sequence[_guard.Guard], links: Sequence[LinkRecord]) -> list[Spot]:
    found = [guard.record.spot for guard in kept if guard.record is not None]
    return found + [recorded_spot(link) for link in links if link.how == members.MEMBER]


def _is_of(guard: _guard.Guard, running: dict[tuple[int, int, str], Seen]) -> bool:
    """True for the directory of the chain that its hook runs."""
    return any(seen.guard is not None and seen.guard.path == guard.path for seen in running.values())


def _mend(host: Host, seen: Seen) -> bool:
    """Gives a dispatcher that others have put together with members of ours a guard, and libxdp its pins back.

    True where there was something to mend.
    """
    chain = seen.chain
    if chain is None or chain.builder != "freplace" or chain.spot.hook != "xdp":
        return False
    from bpfimg.dispatcher import _libxdp

    if not any(member.link for member in chain.plan.members):
        return False
    if _has_empty_slots(seen, len(chain.plan)):
        from bpfimg.dispatcher._change import Order, change_hook

        change_hook(host, seen.spot, Order(lambda plan, limit: plan, anew=True))
        return True
    if seen.guard is None:
        assert seen.found is not None
        with _libxdp.opened(seen.found) as slots:
            if len(slots) == len(chain.plan):
                record = ChainRecord(seen.spot, chain.plan, "freplace", "netlink", chain.protocol)
                _guard.publish(host, chain.dispatcher, record, slots)
        return True
    if not _libxdp.is_published(host.bpffs, seen.spot.ifindex, chain.dispatcher, len(chain.plan)):
        _republish(host, seen, seen.guard, chain.plan)
        return True
    return False


def _has_empty_slots(seen: Seen, count: int) -> bool:
    """True when a program of the chain does not run in it, because nothing holds its link any more."""
    if seen.guard is not None:
        return not all(os.path.lexists(seen.guard.slot(number, "link")) for number in range(count))
    return seen.found is not None and not all(slot.attached for slot in seen.found.slots)


def _republish(host: Host, seen: Seen, guard: _guard.Guard, plan: Plan) -> None:
    from bpfimg.dispatcher import _libxdp

    with ExitStack() as stack:
        slots = [
            (
                stack.enter_context(bpf.get(guard.slot(number, "link"))),
                stack.enter_context(bpf.get(guard.slot(number, "prog"))),
            )
            for number in range(len(plan))
        ]
        _libxdp.remove(host.bpffs, seen.spot.ifindex, guard.dispatcher)
        _libxdp.publish(host.bpffs, seen.spot.ifindex, guard.dispatcher, slots)


def _sweep(host: Host, guard: _guard.Guard, running: dict[tuple[int, int, str], Seen]) -> None:
    record = guard.record
    if record is None:  # its pins may be all that keeps a chain together
        if not _runs(guard):
            _guard.remove(guard.path)
        return
    seen = running.get(_key(record.spot))
    superseded = seen is not None and seen.chain is not None and seen.guard is not None
    # its interface may have moved, and another one of the same number have come into its place
    if (superseded or not _has_members(host, record)) and not _runs(guard):
        remove(host, guard)


def _is_on_hook(guard: _guard.Guard) -> bool:
    """True while the link that is pinned in it is on the TCX hook of an interface, and runs its program: the same link
    is pinned in two while one takes the place of the other."""
    try:
        with bpf.get(guard.entry) as fd:
            found = bpf.link_info(fd)
    except KernelError:
        return False
    return bool(found.ifindex) and (guard.record is None or found.prog_id == guard.dispatcher)


def _has_members(host: Host, record: ChainRecord, but: int = 0) -> bool:
    """True when a link of ours is in it that counts."""
    for member in record.plan.members:
        home = members.home(host, member.link) if member.link and member.link != but else None
        if home is not None and home.committed:
            return True
    return False


def _runs(guard: _guard.Guard) -> bool:
    """True when a hook runs it, or may run it where we cannot look."""
    if _is_on_hook(guard):
        return True
    if guard.record is not None and guard.record.way == "tcx":
        return False  # its link says it, wherever the interface is
    from bpfimg.dispatcher import _sight

    programs = _sight.hooked_programs()
    return programs is None or guard.dispatcher in programs


def remove(host: Host, guard: _guard.Guard) -> None:
    """Removes what is pinned of a chain, by us and for libxdp's tools."""
    if guard.record is not None and guard.record.protocol:
        from bpfimg.dispatcher import _libxdp

        with suppress(KernelError):
            _libxdp.remove(host.bpffs, guard.record.spot.ifindex, guard.dispatcher)
    _guard.remove(guard.path)


def release_lost(host: Host, record: LinkRecord) -> None:
    """Removes what is pinned of chains that no hook in sight runs, where this link was the last of ours in them.

    A TCX link needs no namespace to be taken off: it may be in one that the kernel is taking down just now.
    """
    for guard in list(_guard.guards(host)):
        if guard.record is None or guard.record.plan.of_link(record.id) is None:
            continue
        if _has_members(host, guard.record, but=record.id):
            continue
        if _is_on_hook(guard):
            with suppress(KernelError), bpf.get(guard.entry) as link:
                bpf.link_detach(link)
        if not _runs(guard):
            remove(host, guard)


def collect(host: Host) -> tuple[str, ...]:
    """Removes pins of libxdp's dispatchers, also of others, that no interface of a namespace in sight runs; returns
    the directories that went. Those younger than ten seconds stay: others pin a dispatcher before they attach it."""
    from bpfimg.dispatcher import _libxdp
    from bpfimg.dispatcher._libxdp_stale import sweep_stale

    running = [guard.dispatcher for guard in _guard.guards(host)]
    return tuple(_libxdp.folder_of(host.bpffs, *each) for each in sweep_stale(host.bpffs, running))
