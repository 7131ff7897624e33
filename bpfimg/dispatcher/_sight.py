"""The network namespaces that can be reached, and what their interfaces run: what is not in sight may still run."""

from __future__ import annotations

import os

from bpfimg.errors import AttachError, Error
from bpfimg.kernel import netlink, netns, walk
from bpfimg.load import members

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bpfimg.load import Host


def namespaces(host: Host) -> dict[int, str | None]:
    """Inode -> a path, None for our own: those with a name, those that something is mounted on, those of processes."""
    found: dict[int, str | None] = {netns.inode(None): None}
    for path in _paths(host):
        try:
            found.setdefault(os.stat(path).st_ino, path)
        except OSError:
            continue  # it has gone meanwhile
    return found


def _paths(host: Host) -> Iterator[str]:
    yield from members.named()
    yield from sorted(path for _, _, root, path in walk.seen_by("self", ("nsfs",)) if root.startswith("net:["))
    for load in host.loads():
        yield from (link.netns for link in load.links if link.netns is not None)
    for name in os.listdir("/proc"):
        if name.isdigit():
            yield f"/proc/{name}/ns/net"


def dispatchers(places: Mapping[int, str | None]) -> frozenset[int]:
    """The kernel ids of the XDP programs that interfaces of these namespaces run."""
    found: set[int] = set()
    for path in places.values():
        try:
            found.update(netns.call(path, _programs))
        except (AttachError, OSError, Error):
            continue  # it has gone meanwhile, or is none
    return frozenset(found)


def _programs() -> set[int]:
    with netlink.dumps() as dumps:
        return {program for device in netlink.devices(dumps) for _, program in device.xdp}
