"""The chains that hooks run now, ours and those of libxdp's tools; no lock is taken, and nothing is changed."""

from __future__ import annotations

from bpfimg.dispatcher._guard import guards
from bpfimg.dispatcher._model import Chain, Spot
from bpfimg.dispatcher._read import our_links, read
from bpfimg.errors import Error
from bpfimg.kernel import netlink, netns
from bpfimg.load import members

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bpfimg.load import Host, LinkRecord


def chains(host: Host, namespaces: Mapping[int, str | None] | None = None) -> tuple[Chain, ...]:
    """Returns every chain in running order of its members, in these network namespaces (inode -> path, None for the
    caller's own); by default the caller's own and those that ip-netns(8) or a record of ours names.

    A dispatcher of libxdp's that cannot be read has no members, and `damage`. What cannot be looked at is left out.
    """
    found: dict[tuple[int, int, str], Chain] = {}
    for inode, path in (namespaces if namespaces is not None else _namespaces(host)).items():
        try:
            for chain in netns.call(path, _here, host, inode, path):
                found[chain.spot.inode, chain.spot.ifindex, chain.spot.direction] = chain
        except (Error, OSError):
            continue  # it has gone meanwhile, or is not for us
    return tuple(found[key] for key in sorted(found))


def _namespaces(host: Host) -> dict[int, str | None]:
    found: dict[int, str | None] = {netns.inode(None): None}
    for path in members.named():
        try:
            found.setdefault(netns.inode(path), path)
        except Error:
            continue
    wanted = [
        (link.netns_inode, link.netns) for load in host.loads() for link in load.links if link.how == members.MEMBER
    ]
    wanted += [(each.record.spot.inode, each.record.spot.netns) for each in guards(host) if each.record is not None]
    for inode, known in wanted:
        if inode and inode not in found:
            there, again = members.again(known, inode)
            if there:
                found[inode] = again
    return found


def _here(host: Host, inode: int, path: str | None) -> list[Chain]:
    with netlink.dumps() as dumps:
        devices = netlink.devices(dumps)
    tc = [each.record.spot.direction for each in guards(host) if each.record and each.record.spot.hook == "tc"]
    links = our_links(host)
    found = []
    for device in devices:
        spots = [Spot("xdp", "", device.name, device.ifindex, path, inode)] if device.xdp else []
        spots += [Spot("tc", each, device.name, device.ifindex, path, inode) for each in dict.fromkeys(tc)]
        for spot in spots:
            chain = _chain(host, spot, links)
            if chain is not None:
                found.append(chain)
    return found


def _chain(host: Host, spot: Spot, links: Sequence[LinkRecord]) -> Chain | None:
    try:
        return read(host, spot, links).chain
    except Error:
        return None  # the interface went away
