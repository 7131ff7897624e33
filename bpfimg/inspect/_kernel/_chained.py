"""Members of chains as links: what the chain on a hook says of each, and the kernel's links that hold its slots.

A fused program contains its members, and the kernel knows nothing of them: they are attached while the hook runs the
program that our record of the chain is about. The slot of a freplace dispatcher is filled while there is a link to it.
"""

from __future__ import annotations

from bpfimg import dispatcher
from bpfimg._value import replace, value
from bpfimg.errors import AttachError, Error, KernelError
from bpfimg.inspect._kernel._views import LinkView, word
from bpfimg.kernel import abi, bpf, netlink, netns, walk
from bpfimg.load import hooks, members

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from bpfimg.dispatcher import Chain, Member
    from bpfimg.inspect._kernel._holders import Holders
    from bpfimg.load import Host, LinkRecord


@value(frozen=True, slots=True)
class Seat:
    """The place of a program in a chain; `link` is the kernel's that holds its slot, None where it needs none, or has
    lost it: then `empty` is True."""

    chain: Chain
    position: int
    member: Member
    link: walk.Link | None
    empty: bool


class Chained:
    """The chains in sight, asked by our link, by hook and by program."""

    def __init__(self, chains: Sequence[Chain], links: Iterable[walk.Link] | None) -> None:
        self.chains = tuple(chains)
        self._tells = links is not None  # without CAP_SYS_ADMIN the kernel does not tell of links
        dispatchers = {chain.dispatcher for chain in chains if chain.builder == "freplace"}
        self._slots: dict[tuple[object, int], walk.Link] = {}
        for link in (links or ()) if dispatchers else ():
            if link.type == abi.LINK_TRACING and link.facts.get("target_obj_id") in dispatchers:
                self._slots[link.facts["target_obj_id"], link.prog_id] = link
        self._ours: dict[int, Seat] = {}
        for seat in self.seats():
            if seat.member.link:
                self._ours[seat.member.link] = seat

    @classmethod
    def of(cls, host: Host, namespaces: Mapping[int, str | None] | None = None) -> Chained:
        """Those that are on hooks now."""
        found = dispatcher.chains(host, namespaces)
        if not any(chain.builder == "freplace" for chain in found):
            return cls(found, ())
        try:
            return cls(found, list(walk.links()))
        except KernelError:
            return cls(found, None)

    def seats(self) -> Iterator[Seat]:
        """Every member of every chain, in running order."""
        for chain in self.chains:
            for position, member in enumerate(chain.plan.members):
                link = self._slots.get((chain.dispatcher, member.program))
                empty = chain.builder == "freplace" and link is None and self._tells
                yield Seat(chain, position, member, link, empty)

    def own(self, view: LinkView) -> LinkView:
        """One of our links, now that its chain is known."""
        if view.record is None or view.how != members.MEMBER:
            return view
        seat = self._ours.get(view.id or 0)
        if seat is None:
            return replace(view, state="stale", reason=lost(view.record), ifindex=view.record.ifindex, moved=False)
        chain = seat.chain
        found = replace(view, **_of_seat(seat), moved=chain.spot.inode != (view.record.netns_inode or chain.spot.inode))
        details = {**(view.record.details or {}), **_facts(seat)}
        if seat.member.program != view.program_id:
            details["runs_as"] = seat.member.program
        return replace(found, details=details)

    def foreign(self) -> Iterator[LinkView]:
        """Members that others have put into a chain."""
        for seat in self.seats():
            if seat.member.link:
                continue
            details = {**_facts(seat), "by": "libxdp" if seat.chain.spot.hook == "xdp" else ""}
            about: dict[str, Any] = _of_seat(seat)
            yield LinkView(
                id=None, program_id=seat.member.program, hook=seat.chain.spot.hook, how=members.MEMBER,
                **{**about, "details": details},
            )  # fmt: skip

    def slots(self) -> frozenset[int]:
        """The kernel's links that hold slots: they are shown as members."""
        return frozenset(link.id for link in self._slots.values())

    def carried(self, view: LinkView) -> Chain | None:
        """The chain that a program carries as its dispatcher, on the hook of that view."""
        if view.how == members.MEMBER:
            return None
        for chain in self.chains:
            if chain.dispatcher == view.program_id and view.ifindex in (None, chain.spot.ifindex):
                return chain
        return None


def _of_seat(seat: Seat) -> dict[str, Any]:
    """What a chain says of a member, as fields of its link."""
    chain, spot, link = seat.chain, seat.chain.spot, seat.link
    why = f"slot {seat.position} of dispatcher {chain.dispatcher} is empty: the link that held it has gone"
    return {
        "kernel_id": link.id if link is not None else None,
        "target": spot.words,
        "state": "stale" if seat.empty else "attached",
        "reason": why if seat.empty else "",
        "ifindex": spot.ifindex,
        "type": word(abi.LINK_TYPES, link.type) if link is not None else "",
        "interface": spot.interface,
        "direction": spot.direction or None,
        "netns": spot.netns,
        "netns_inode": spot.inode,
        "priority": seat.member.priority,
        "position": seat.position,
        "proceed_on": chain.proceed_on(seat.member),
        "members": len(chain.plan),
        "builder": chain.builder,
        "protocol": chain.protocol,
    }


def _facts(seat: Seat) -> dict[str, object]:
    chain, returns = seat.chain, seat.member.returns
    found: dict[str, object] = {"dispatcher": chain.dispatcher, "way": chain.way}
    found |= {"mode": chain.mode} if chain.mode else {}
    if returns is not None:
        known = {number: name for name, number in hooks.ACTIONS[chain.spot.hook].items()}
        found["results"] = tuple(known.get(result, str(result)) for result in returns)
    return found


def lost(record: LinkRecord) -> str:
    """Why a member of ours is in no chain that a hook runs, as far as that can be told."""
    there, path = members.again(record.netns, record.netns_inode)
    if not there:
        return "its network namespace has gone, and its interface with it"
    try:
        return netns.call(path, _missing, record)
    except (AttachError, OSError):
        return "its network namespace has gone, and its interface with it"


def _missing(record: LinkRecord) -> str:
    if netlink.interface_name(record.ifindex or 0) is None:
        return "its interface has gone, or was moved to another network namespace"
    if record.hook != "xdp":
        return "the dispatcher that it was in was taken off"
    with netlink.dumps() as dumps:
        running = next((each.xdp for each in netlink.devices(dumps) if each.ifindex == record.ifindex), ())
    if not running:
        return "XDP was taken off its interface"
    return f"its interface runs program {running[0][1]}{_name(running[0][1])}, which is not a dispatcher that has it"


def _name(program: int) -> str:
    try:
        with bpf.program_by_id(program) as fd:
            return f" ({bpf.program_info(fd, memlock=False).name})"
    except KernelError:
        return ""


def within(host: Host, namespaces: Mapping[int, str | None], links: Sequence[walk.Link], unseen: list[str]) -> Chained:
    """The chains in these namespaces; what cannot be looked at is said."""
    try:
        return Chained(dispatcher.chains(host, namespaces), links)
    except Error as error:
        unseen.append(f"chains of programs: {error}")
        return Chained((), ())


def joined(views: Iterable[LinkView], chained: Chained, held: Holders) -> list[LinkView]:
    """Links and places with the members of chains: in the place of the kernel's links that hold slots, and of what is
    attached by itself as the only member; dispatchers say what they carry."""
    slots, direct = chained.slots(), {each.dispatcher for each in chained.chains if each.builder == "direct"}
    views = list(views)
    carriers = {view.program_id: view for view in views if view.program_id in direct and view.how != members.MEMBER}
    found = [_carrying(chained.own(view), carriers) for view in views if view.id is not None]
    for view in views:
        if view.id is None and view.kernel_id not in slots and view.program_id not in direct:
            found.append(_marked(view, chained))
    for view in chained.foreign():
        number = view.kernel_id
        found.append(replace(view, held_by=held.of("link", number) if number is not None else ()))
    return found


def _carrying(view: LinkView, carriers: Mapping[int, LinkView]) -> LinkView:
    """A member that is attached by itself has the kernel's link, where that is one, for its own."""
    if view.builder != "direct" or view.program_id not in carriers:
        return view
    carrier = carriers[view.program_id]
    return replace(view, kernel_id=carrier.kernel_id, type=carrier.type, held_by=carrier.held_by)


def _marked(view: LinkView, chained: Chained) -> LinkView:
    """A dispatcher says what it carries."""
    chain = chained.carried(view)
    if chain is None:
        return view
    details = {**view.details, "programs": [each.program for each in chain.plan.members]}
    if chain.damage:
        details["damage"] = "; ".join(chain.damage)
    return replace(view, details=details, members=len(chain.plan), builder=chain.builder, protocol=chain.protocol)
