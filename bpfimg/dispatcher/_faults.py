"""What is wrong with chains and with what is pinned of them, in words. Nothing is changed."""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.dispatcher._guard import guard_of, guards
from bpfimg.dispatcher._seen import chains
from bpfimg.errors import quoted
from bpfimg.load import members

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bpfimg.dispatcher._model import Chain
    from bpfimg.load import Host


@value(frozen=True, slots=True)
class Fault:
    """One thing: `id` is a stable word, `where` a hook or a path."""

    id: str
    where: str
    what: str


def faults(host: Host, namespaces: Mapping[int, str | None] | None = None) -> tuple[Fault, ...]:
    """Returns what is wrong with the chains in these network namespaces (see `chains`), and what is pinned of chains
    that run nowhere in sight."""
    found = chains(host, namespaces)
    running = {chain.dispatcher for chain in found}
    return tuple([fault for chain in found for fault in _chain(host, chain)] + [*_pinned(host, running)])


def _chain(host: Host, chain: Chain) -> Iterator[Fault]:
    where = f"{chain.spot.hook} {chain.spot.words}"
    ours = any(member.link for member in chain.plan.members)
    for words in chain.damage:
        yield Fault("unshared-chain" if ours else "damaged-chain", where, f"dispatcher {chain.dispatcher}: {words}")
    if not ours:
        return
    if chain.builder == "fused":
        yield from _codes(host, chain, where)
    if chain.builder != "freplace" or chain.way != "netlink" or chain.damage:
        return
    guarded = guard_of(host, chain.spot, chain.dispatcher) is not None
    if not guarded and _has_moved(host, chain):
        return  # its pins are called after the place where it was: the next change of it makes others
    from bpfimg.dispatcher import _libxdp_pins

    folder = _libxdp_pins.folder_of(host.bpffs, chain.spot.ifindex, chain.dispatcher)
    missing = _libxdp_pins.missing(folder, len(chain.plan))
    if missing:
        what = f"{folder} lacks {', '.join(missing)}: tools of libxdp cannot see the chain; our own pins keep it"
        yield Fault("unshared-chain", where, what)
    if not guarded:
        what = f"another tool has put dispatcher {chain.dispatcher} together; bpfimg has no pins of its own of it yet"
        yield Fault("unguarded-chain", where, what)


def _has_moved(host: Host, chain: Chain) -> bool:
    """True when the interface was moved to another network namespace, and the chain with it."""
    return any(guard.dispatcher == chain.dispatcher for guard in guards(host))


def _codes(host: Host, chain: Chain, where: str) -> Iterator[Fault]:
    for member in chain.plan.members:
        home = members.home(host, member.link)
        programs = home.load.record.programs if home is not None and home.load.record is not None else ()
        record = next((each for each in programs if each.id == member.program), None)
        if home is None or record is None or members.code_of(home.load, record) is None:
            what = f"what {quoted(member.name)} is made of cannot be read: the chain runs on, and cannot be changed"
            yield Fault("lost-code", where, what)


def _pinned(host: Host, running: set[int]) -> Iterator[Fault]:
    """What is pinned of chains that no hook in sight runs; those with lost members of ours stay until these go."""
    from bpfimg.dispatcher import _libxdp_pins

    ours, links = set(), {link.id for load in host.loads() for link in load.links}
    for guard in guards(host):
        ours.add(guard.dispatcher)
        if guard.record is None:
            yield Fault(
                "damaged-chain", guard.path, "the record of this chain cannot be read: who is in it is not known"
            )
        elif guard.dispatcher not in running and not any(each.link in links for each in guard.record.plan.members):
            yield Fault("stale-chain", guard.path, f"program {guard.dispatcher} runs nowhere in sight any more")
    for ifindex, number in _libxdp_pins.candidates(host.bpffs, _libxdp_pins.GRACE):
        if number not in running and number not in ours:
            path = _libxdp_pins.folder_of(host.bpffs, ifindex, number)
            yield Fault("stale-dispatcher", path, f"program {number} runs nowhere in sight any more")
