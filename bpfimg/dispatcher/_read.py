"""What a hook runs: the chain there, ours or libxdp's, or what else is in its place. Nothing is changed."""

from __future__ import annotations

import errno
import time

from bpfimg._value import replace, value
from bpfimg.dispatcher._guard import Guard, guard_of, guards
from bpfimg.dispatcher._model import Chain, Member, Spot
from bpfimg.dispatcher._plan import Plan
from bpfimg.dispatcher._raced import Raced
from bpfimg.dispatcher._words import ALWAYS
from bpfimg.errors import KernelError
from bpfimg.kernel import abi, bpf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpfimg.dispatcher._libxdp import Found
    from bpfimg.load import Host, LinkRecord

_TRIES = 8
_FIRST_WAIT = 0.002  # seconds; doubled each time


@value(frozen=True, slots=True)
class Seen:
    """What a hook runs: `running` is the kernel id of the program there (XDP; for tc that of our chain), 0 for none.

    `chain` is None where that is no chain; `guard` is our directory of it, None for a dispatcher that somebody else
    has put there, whose pins are `found`. `by_link`: a bpf_link holds the interface.
    """

    spot: Spot
    running: int = 0
    mode: str = ""
    by_link: bool = False
    chain: Chain | None = None
    guard: Guard | None = None
    found: Found | None = None


def read(host: Host, spot: Spot, links: Sequence[LinkRecord] | None = None) -> Seen:
    """What the hook runs, asked inside its namespace.

    `links` are our links to XDP chains, for members of dispatchers that others have put together since; None: they are
    looked up. What others change while it is looked at is looked at again; Raced when that does not end.
    """
    if spot.hook != "xdp":
        return _tc(host, spot)
    for attempt in range(_TRIES):
        try:
            return _xdp(host, spot, links)
        except Raced:
            time.sleep(_FIRST_WAIT * 2**attempt)
    return _xdp(host, spot, links)


def _xdp(host: Host, spot: Spot, links: Sequence[LinkRecord] | None) -> Seen:
    from bpfimg.dispatcher import _xdp as hook

    there = hook.state(spot.ifindex)
    program = there.program
    seen = Seen(spot, program, there.mode)
    if not program:
        return seen
    guard = guard_of(host, spot, program) or _moved(host, spot, program)
    if guard is not None and guard.record is not None:
        chain = guard.record.at(spot).chain(program, seen.mode)
        return replace(seen, chain=chain, guard=guard)
    seen = replace(seen, by_link=there.by_link)
    from bpfimg.dispatcher import _libxdp

    found = _libxdp.read(host.bpffs, spot.ifindex, program)
    if found is None:
        return seen
    if links is None:
        links = our_links(host)
    return replace(seen, chain=_foreign(spot, found, seen.mode, links), found=found)


def our_links(host: Host) -> tuple[LinkRecord, ...]:
    """Our links to XDP chains."""
    from bpfimg.load import members

    return tuple(
        link for load in host.loads() for link in load.links if link.how == members.MEMBER and link.hook == "xdp"
    )


def _link_of(program: int, spot: Spot, links: Sequence[LinkRecord]) -> int:
    """Our link by which a program is in the chain of that hook: one program may be in several chains. Where none was
    made for it, the interface may have moved here, if there is one link only."""
    its = [link for link in links if link.program_id == program]
    here = [link for link in its if (link.netns_inode, link.ifindex) == (spot.inode, spot.ifindex)]
    return here[0].id if here else its[0].id if len(its) == 1 else 0


def _foreign(spot: Spot, found: Found, mode: str, links: Sequence[LinkRecord]) -> Chain:
    slots = tuple(
        Member(
            slot.program,
            slot.name,
            slot.priority,
            slot.mask | ALWAYS,  # libxdp's tools set it; without, nothing might let the chain go on
            link=_link_of(slot.program, spot, links),
            frags=bool(slot.flags & 0x20),  # BPF_F_XDP_HAS_FRAGS
        )
        for slot in found.slots
    )
    damage = (found.damage,) if found.damage else ()
    return Chain(spot, Plan("xdp", slots), "freplace", "netlink", found.dispatcher, mode, found.version, damage=damage)


def _moved(host: Host, spot: Spot, program: int) -> Guard | None:
    """The directory of a chain that came here with its interface: it is called after where it was made."""
    for guard in guards(host):
        record = guard.record
        if guard.dispatcher != program or record is None or record.spot.hook != "xdp":
            continue
        if not _runs_there(record.spot, program):
            return guard
    return None


def _runs_there(spot: Spot, program: int) -> bool:
    """True while the hook runs that program; another interface may have its number by now."""
    from bpfimg.dispatcher import _xdp as hook
    from bpfimg.errors import AttachError
    from bpfimg.kernel import netns
    from bpfimg.load import members

    there, path = members.again(spot.netns, spot.inode)
    try:
        return there and netns.call(path, hook.state, spot.ifindex).program == program
    except (AttachError, KernelError):
        return False  # it has gone


def _tc(host: Host, spot: Spot) -> Seen:
    from bpfimg.dispatcher import _tc as hook

    for guard in sorted(guards(host), key=lambda each: f"/{spot.name}/" not in each.path):
        record = guard.record
        if record is None:
            if f"/{spot.name}/" in guard.path and _is_on_hook(spot, guard):
                return Seen(spot, guard.dispatcher, guard=guard)
            continue
        if (record.spot.hook, record.spot.direction) != (spot.hook, spot.direction):
            continue
        running = hook.running(record.way, spot, guard.entry, record.handle, record.priority)
        if running and running == guard.dispatcher and (record.way == "clsact" or _is_in_chain(spot, running)):
            return Seen(spot, running, chain=record.at(spot).chain(running), guard=guard)
    return Seen(spot)


def _is_on_hook(spot: Spot, guard: Guard) -> bool:
    """True when the interface runs the chain of a directory whose record is lost, by one way or the other."""
    from bpfimg.kernel import netlink

    if _is_in_chain(spot, guard.dispatcher):
        return True
    with netlink.dumps() as dumps:
        return any((each.ifindex, each.prog_id) == (spot.ifindex, guard.dispatcher) for each in netlink.filters(dumps))


def _is_in_chain(spot: Spot, program: int) -> bool:
    """True when the TCX chain of the interface has the program: interfaces of all namespaces share numbers."""
    try:
        programs, _, _ = bpf.prog_query(spot.ifindex, abi.ATTACH_TYPES.index(f"tcx_{spot.direction}"))
    except KernelError as error:
        if error.errno != errno.ENODEV:
            raise
        return False
    return program in programs
