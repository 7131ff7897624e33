"""Taking programs of others out of a chain."""

from __future__ import annotations

from bpfimg.dispatcher._change import Order, change_hook
from bpfimg.dispatcher._read import read
from bpfimg.dispatcher._spot import spot_of
from bpfimg.errors import AttachError, UsageError, quoted
from bpfimg.load import hooks, members

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.dispatcher._model import Spot
    from bpfimg.dispatcher._plan import Plan
    from bpfimg.load import Host


def evict(host: Host, interface: str, program: int, netns: str | None = None) -> None:
    """See `load._chains`."""
    hook = hooks.Xdp(interface, netns=netns)
    members.at(interface, netns, lambda place: _evicted(host, spot_of(hook, place), program))


def _evicted(host: Host, spot: Spot, program: int) -> None:
    def edit(plan: Plan, limit: int) -> Plan:
        member = plan.member(program)
        if member is None:
            raise AttachError(
                f"program {program} is not in the chain of {spot.words}, expected one of"
                f" {', '.join(str(each.program) for each in plan.members) or 'none'}",
                hint=f"`bpfimg status {spot.interface}` shows what runs there",
            )
        if member.link:
            raise UsageError(
                f"program {program} ({quoted(member.name)}) is ours, by link {member.link}",
                hint=f"`bpfimg detach {member.link}` takes it off",
            )
        return plan.left(program)

    if read(host, spot).chain is None:
        raise AttachError(f"{spot.words} runs no chain of programs", hint="`bpfimg list --all` shows what it runs")
    change_hook(host, spot, Order(edit))
