"""The network namespaces that can be reached, and what their interfaces run: what is not in sight may still run."""

from __future__ import annotations

import os

from bpfimg.errors import Error
from bpfimg.kernel import netlink, netns
from bpfimg.load import members

_PROCESSES = 1 << 16  # looked at, at most, in a tenth of a second


def namespaces() -> dict[int, str | None]:
    """Inode -> a path, None for our own: those with a name, those that something is mounted on, those of processes."""
    from bpfimg.kernel import walk

    found: dict[int, str | None] = {netns.inode(None): None}
    mounts = sorted(path for _, _, root, path in walk.seen_by("self", ("nsfs",)) if root.startswith("net:["))
    processes = [f"/proc/{process}/ns/net" for process in _processes()[:_PROCESSES]]
    for path in (*members.named(), *mounts, *processes):
        try:
            found.setdefault(os.stat(path).st_ino, path)
        except OSError:
            continue  # it has gone meanwhile
    return found


def _processes() -> list[str]:
    return [name for name in os.listdir("/proc") if name.isdigit()]


def hooked_programs() -> frozenset[int] | None:
    """The ids of all XDP programs and tc filters of interfaces of every namespace in sight; None: one of them is closed
    to us, or there are more processes than are looked at."""
    if len(_processes()) > _PROCESSES:
        return None
    found: set[int] = set()
    for inode, path in namespaces().items():
        try:
            found |= netns.call(path, _here)
        except (Error, OSError):
            if path is None or _leads_to(path, inode):
                return None
    return frozenset(found)


def _here() -> set[int]:
    with netlink.dumps() as dumps:
        xdp = {program for device in netlink.devices(dumps) for _, program in device.xdp}
        return xdp | {each.prog_id for each in netlink.filters(dumps)}


def _leads_to(path: str, inode: int) -> bool:
    """True while it still does: a namespace that has gone meanwhile runs nothing."""
    try:
        return os.stat(path).st_ino == inode
    except OSError:
        return False
