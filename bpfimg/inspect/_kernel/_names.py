"""What interfaces are called now: a record says what they were called when a program was attached to them."""

from __future__ import annotations

import os

from bpfimg.errors import Error
from bpfimg.kernel import netlink, netns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.load import LinkRecord


class Names:
    """Names by interface index, for each network namespace asked one time; to be thrown away after one listing."""

    def __init__(self) -> None:
        self._here = netns.inode(None)
        self._known: dict[tuple[str | None, int | None], dict[int, str] | None] = {}

    def now(self, record: LinkRecord, ifindex: int) -> str | None:
        """The name of the interface that the link is on; empty when it has left the namespace of the record.

        None where that namespace cannot be looked into.
        """
        place = (record.netns, record.netns_inode)
        if place not in self._known:
            self._known[place] = self._interfaces(*place)
        names = self._known[place]
        return None if names is None else names.get(ifindex, "")

    def _interfaces(self, path: str | None, inode: int | None) -> dict[int, str] | None:
        try:
            if inode != self._here and (path is None or os.stat(path).st_ino != inode):
                return None
            found = netns.call(None if inode == self._here else path, netlink.interfaces)
        except (OSError, ValueError, Error):
            return None
        return {index: name for name, index in found.items()}
