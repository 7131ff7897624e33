"""Whether what we attached is still where it was attached to, and if not, why."""

from __future__ import annotations

import os

from bpfimg._value import value
from bpfimg.errors import KernelError
from bpfimg.kernel import abi, bpf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.kernel import walk
    from bpfimg.load import Host, LinkRecord

#: how a member of a chain is attached
MEMBER = "dispatcher"
_DEVICE = "its interface has gone, or it was detached by force"
#: kind of link -> the field that is 0 once it leads nowhere, and what that means
_GONE = {
    abi.LINK_XDP: ("ifindex", _DEVICE),
    abi.LINK_TCX: ("ifindex", _DEVICE),
    abi.LINK_NETKIT: ("ifindex", _DEVICE),
    abi.LINK_CGROUP: ("cgroup_id", "its control group has gone, or it was detached by force"),
    abi.LINK_NETNS: ("netns_ino", "its network namespace has gone, or it was detached by force"),
    abi.LINK_STRUCT_OPS: ("map_id", "it was detached by force"),
    abi.LINK_SOCKMAP: ("map_id", "its map has gone, or it was detached by force"),
}


@value(frozen=True, slots=True)
class State:
    """What became of an attachment: `reason` is empty while it is attached. `links` are the kernel's, in order."""

    reason: str = ""
    links: tuple[walk.Link, ...] = ()
    ifindex: int | None = None

    @property
    def word(self) -> str:
        """attached or stale."""
        return "stale" if self.reason else "attached"


def gone(link: walk.Link) -> str:
    """Why a link leads nowhere any more; empty while it does."""
    field, words = _GONE.get(link.type, ("", ""))
    return words if field and not link.facts.get(field) else ""


def state(host: Host, record: LinkRecord, pin: str, reader: walk.LinkReader) -> State | None:
    """What became of one of our attachments; None when it was taken away meanwhile."""
    if record.how == MEMBER:  # its chain says more, see _chained
        return State(ifindex=record.ifindex) if os.path.lexists(pin) else None
    if record.how != "link":
        if host.has_filter(record):
            return State(ifindex=record.ifindex)
        return State(_lost(record)) if os.path.lexists(pin) else None
    found = _link(pin, reader)
    if found is None:
        return State("its pin is not that of a link any more") if os.path.lexists(pin) else None
    folder = pin.rpartition("/")[0]
    parts = [_link(f"{folder}/part-{number}", reader) for number in range(1, record.parts + 1)]
    links = tuple(each for each in (found, *parts) if each is not None)
    ifindex = found.facts.get("ifindex")
    reason = next(filter(None, map(gone, links)), "") or _parts(record, parts) or _file(host, record)
    if reason and not os.path.lexists(pin):
        return None  # detached between opening it and asking about it
    return State(reason, links, ifindex if isinstance(ifindex, int) else None)


def _lost(record: LinkRecord) -> str:
    what = "its filter has gone" if record.how == "clsact" else "its program was taken off"
    return f"{what}, or what it was attached to has"


def _link(pin: str, reader: walk.LinkReader) -> walk.Link | None:
    try:
        with bpf.get(pin) as fd:
            return reader.link(fd.fileno()) if bpf.kind(fd) == "link" else None
    except KernelError:
        return None


def _parts(record: LinkRecord, parts: list[walk.Link | None]) -> str:
    missing = parts.count(None)
    return f"{missing} of its {record.parts + 1} kernel links are missing" if missing else ""


def _file(host: Host, record: LinkRecord) -> str:
    """A probe stays in the file that it was put into: what took its place runs without it."""
    asked = record.hook == "netfilter" or "file" in (record.details or {})
    changed = host.changed(record) if asked else ""
    return f"{changed}; what runs from it is traced on" if changed.startswith("the file") else changed
