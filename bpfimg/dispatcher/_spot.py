"""Finding the hook of a member again: its interface may have another name, number or namespace by now, or be gone."""

from __future__ import annotations

from contextlib import suppress

from bpfimg.dispatcher._guard import guards
from bpfimg.dispatcher._model import Spot
from bpfimg.dispatcher._read import Seen, read
from bpfimg.errors import AttachError, KernelError
from bpfimg.kernel import netlink, netns
from bpfimg.load import members

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    from bpfimg.load import Hook, Host, LinkRecord

    T = TypeVar("T")


def spot_of(hook: Hook, place: members.Place) -> Spot:
    """The hook of a member that is to be attached."""
    direction = getattr(hook, "direction", "")
    return Spot(hook.word, direction, place.interface, place.ifindex, place.netns, place.inode)


def recorded_spot(record: LinkRecord) -> Spot:
    """The hook of a member as it was when it was attached."""
    return Spot(
        record.hook,
        record.direction or "",
        record.interface or "",
        record.ifindex or 0,
        record.netns,
        record.netns_inode or 0,
    )


def there(spot: Spot, function: Callable[[Spot], T]) -> T | None:
    """Returns `function(spot)`, called in the namespace of the hook with the present name of its interface; None when
    one of the two is gone."""
    found, path = members.again(spot.netns, spot.inode)
    if not found:
        return None

    def inside() -> T | None:
        name = netlink.interface_name(spot.ifindex)
        if name is None:
            return None
        return function(Spot(spot.hook, spot.direction, name, spot.ifindex, path, spot.inode))

    try:
        return netns.call(path, inside)
    except AttachError:
        if members.again(spot.netns, spot.inode)[0]:
            raise
        return None  # the namespace went away since we looked


def with_member(host: Host, record: LinkRecord, function: Callable[[Seen], T]) -> T | None:
    """Returns `function(seen)` for the hook that runs the chain with this member, called in its namespace; None where
    no hook in sight does."""

    def look(spot: Spot) -> tuple[bool, T | None]:
        seen = read(host, spot)
        if seen.chain is None or member_of(seen, record) is None:
            return False, None
        return True, function(seen)

    for spot in _spots(host, record):
        answer = there(spot, look)
        if answer is not None and answer[0]:
            return answer[1]
    return None


def member_of(seen: Seen, record: LinkRecord) -> int | None:
    """The program by which a link of ours is in the chain; None when it is not."""
    if seen.chain is None:
        return None
    member = seen.chain.plan.of_link(record.id)
    if member is None and seen.guard is None:
        member = seen.chain.plan.member(record.program_id)  # others have put it together: they know no links of ours
    return member.program if member is not None else None


def _spots(host: Host, record: LinkRecord) -> Iterator[Spot]:
    recorded = recorded_spot(record)
    yield recorded
    mine = [
        guard.dispatcher
        for guard in guards(host)
        if guard.record is not None and guard.record.plan.of_link(record.id) is not None
    ]
    if mine:
        from bpfimg.dispatcher import _sight

        for path in _sight.namespaces().values():
            with suppress(AttachError, KernelError):
                yield from netns.call(path, _here, recorded, path, frozenset(mine))


def _here(recorded: Spot, path: str | None, programs: frozenset[int]) -> list[Spot]:
    """Hooks of this namespace that may run one of these programs, but for the place that was looked at already."""
    inode = netns.inode(None)
    with netlink.dumps() as dumps:
        devices = netlink.devices(dumps)
        filters = {each.ifindex for each in netlink.filters(dumps) if each.prog_id in programs}
    return [
        Spot(recorded.hook, recorded.direction, device.name, device.ifindex, path, inode)
        for device in devices
        if (device.ifindex, inode) != (recorded.ifindex, recorded.inode)
        and (
            (recorded.hook == "tc" and (device.ifindex in filters or not filters))
            or any(program in programs for _, program in device.xdp)
        )
    ]
