"""Pins of dispatchers that run nowhere: told from those that run where we are not.

That a dispatcher is in the kernel proves nothing, since its pins hold it; and one that is not on an interface here may
be on one elsewhere, as `xdp-loader clean` does not ask. So every network namespace in sight is looked into: our own,
those that ip-netns(8) knows and those of all processes.
"""

from __future__ import annotations

import os

from bpfimg.dispatcher._libxdp_pins import GRACE, sweep
from bpfimg.errors import Error, KernelError
from bpfimg.kernel import bpf, netlink, netns
from bpfimg.load import members

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

_ENOENT = 2
_PROCESSES = 4096  # looked at: more may be there than time


def sweep_stale(mount: str, running: Collection[int], grace: float = GRACE) -> tuple[tuple[int, int], ...]:
    """Removes the pins of dispatchers that no interface in sight runs; returns (interface index, program id) of each.

    `running` are ids of dispatchers that are known to run. Nothing is removed where a namespace cannot be looked into.
    """
    sight: list[frozenset[int] | None] = []

    def is_attached(ifindex: int, dispatcher: int) -> bool:
        if dispatcher in running:
            return True
        if not _exists(dispatcher):
            return False
        if not sight:
            sight.append(_in_sight())
        return sight[0] is None or dispatcher in sight[0]

    return sweep(mount, is_attached, grace)


def _exists(program: int) -> bool:
    try:
        bpf.program_by_id(program).close()
    except KernelError as error:
        return error.errno != _ENOENT
    return True


def _in_sight() -> frozenset[int] | None:
    """The ids of all XDP programs on interfaces of every namespace in sight; None: one of them is closed to us."""
    found: set[int] = set()
    for inode, path in _namespaces().items():
        try:
            found |= netns.call(path, _here)
        except (Error, OSError):
            if path is None or _leads_to(path, inode):
                return None
    return frozenset(found)


def _here() -> set[int]:
    with netlink.dumps() as dumps:
        return {program for device in netlink.devices(dumps) for _, program in device.xdp}


def _namespaces() -> dict[int, str | None]:
    """Inode -> a path that leads there, None for our own."""
    found: dict[int, str | None] = {netns.inode(None): None}
    processes = [name for name in os.listdir("/proc") if name.isdigit()][:_PROCESSES]
    for path in (*members.named(), *(f"/proc/{process}/ns/net" for process in processes)):
        try:
            found.setdefault(os.stat(path).st_ino, path)
        except OSError:
            continue  # it has gone
    return found


def _leads_to(path: str, inode: int) -> bool:
    """True while it still does: a namespace that has gone meanwhile runs nothing."""
    try:
        return os.stat(path).st_ino == inode
    except OSError:
        return False
