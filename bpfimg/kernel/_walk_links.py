"""Links with what the kernel says of their targets.

A name or a list behind a pointer takes a second call with room for it. As links of one kind mostly come one after the
other, the room is offered at once where the last link would have needed it.
"""

from __future__ import annotations

import struct

from bpfimg._value import row
from bpfimg.kernel import _abi as abi
from bpfimg.kernel._syscall import ORDER, address
from bpfimg.kernel._walk_calls import Calls, packed, text_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Facts = dict[str, object]

_NAME = 4096
_MOST = 1024  # functions or places of one link that are asked for
_HEAD = packed(abi.LINK_INFO, "type id prog_id")

# kind of link -> its part of the info, the fields; a name comes first where there is one, with its length
_FIELDS = {
    abi.LINK_RAW_TRACEPOINT: ("raw_tracepoint", "tp_name tp_name_len cookie"),
    abi.LINK_TRACING: ("tracing", "attach_type target_obj_id target_btf_id cookie"),
    abi.LINK_CGROUP: ("cgroup", "cgroup_id attach_type"),
    abi.LINK_ITER: ("iter", "target_name target_name_len"),
    abi.LINK_NETNS: ("netns", "netns_ino attach_type"),
    abi.LINK_XDP: ("xdp", "ifindex"),
    abi.LINK_KPROBE_MULTI: ("kprobe_multi", "count flags missed"),
    abi.LINK_STRUCT_OPS: ("struct_ops", "map_id"),
    abi.LINK_NETFILTER: ("netfilter", "pf hooknum priority flags"),
    abi.LINK_TCX: ("tcx", "ifindex attach_type"),
    abi.LINK_UPROBE_MULTI: ("uprobe_multi", "path path_size count flags pid"),
    abi.LINK_NETKIT: ("netkit", "ifindex attach_type"),
    abi.LINK_SOCKMAP: ("sockmap", "map_id attach_type"),
}
_UPROBE = ("perf_event.uprobe", "file_name name_len offset cookie ref_ctr_offset")
_KPROBE = ("perf_event.kprobe", "func_name name_len offset addr missed cookie")
# enum bpf_perf_event_type; 0 is an older kernel, which says nothing
_PERF_WORDS = ("", "uprobe", "uretprobe", "kprobe", "kretprobe", "tracepoint", "event")
_PERF = (
    None,
    _UPROBE,
    _UPROBE,
    _KPROBE,
    _KPROBE,
    ("perf_event.tracepoint", "tp_name name_len cookie"),
    ("perf_event.event", "config type cookie"),
)
_TEXTS = ("tp_name", "target_name", "file_name", "func_name", "path")
_LENGTHS = ("tp_name_len", "target_name_len", "name_len", "path_size")


@row(frozen=True, slots=True)
class Link:
    """A link: `facts` are the fields of its kind by the kernel's names, a name behind a pointer as `name`.

    `perf` is uprobe, uretprobe, kprobe, kretprobe, tracepoint or event for a link of a perf event, where the kernel
    tells. `addresses` and `offsets` are those of multi links, the first thousand.
    """

    id: int
    type: int
    prog_id: int
    facts: Facts


def links() -> Iterator[Link]:
    """Every link, in ascending order of ids."""
    return LinkReader().everything()


class LinkReader:
    """Tells of one link after the other, each by a descriptor, with buffers that are made once."""

    __slots__ = ("_calls", "_forms", "_name", "_offers", "_template")

    def __init__(self) -> None:
        self._calls = Calls(abi.LINK_GET_NEXT_ID, abi.LINK_GET_FD_BY_ID)
        self._name = bytearray(8 * _NAME)  # a multi link would take the length for a number of addresses
        self._template = b""
        self._offers: dict[tuple[int, int], bytes] = {}
        self._forms: dict[tuple[int, int], tuple[struct.Struct, tuple[str, ...], bool]] = {}

    def everything(self) -> Iterator[Link]:
        """Every link of the kernel."""
        for fd in self._calls.opened():
            found = self.link(fd)
            if found is not None:
                yield found

    def link(self, fd: int) -> Link | None:
        """What the kernel says of a link; None when it is none."""
        calls, name, offered = self._calls, self._name, self._template
        name[0] = 0
        length = calls.ask(fd, offered)
        if length < 0 and offered:  # what was offered is nothing for this link
            offered, length = b"", calls.ask(fd)
        if length < 0:
            return None
        kind, number, prog_id = _HEAD.unpack_from(calls.info)
        perf = int.from_bytes(calls.info[16:20], ORDER) if kind == abi.LINK_PERF_EVENT else 0
        wanted = self._offer(kind, perf)
        if wanted != offered:
            name[0] = 0
            longer = calls.ask(fd, wanted)
            if longer < 0:  # it does not tell its name
                calls.ask(fd)
            else:
                length = longer
        self._template = wanted
        return Link(number, kind, prog_id, self._facts(fd, kind, perf, length))

    def _offer(self, kind: int, perf: int) -> bytes:
        """The info with which a link of that kind is asked."""
        key = (kind, perf)
        if key not in self._offers:
            part, names = _fields(kind, perf)
            text = next((name for name in names if name in _TEXTS), None)
            template = bytearray()
            if text is not None:
                length = next(name for name in names if name in _LENGTHS)
                template = bytearray(256)
                for field, content in ((text, address(self._name)), (length, _NAME)):
                    offset, width = abi.LINK_INFO[f"{part}.{field}"]
                    template[offset : offset + width] = content.to_bytes(width, ORDER)
            self._offers[key] = bytes(template)
        return self._offers[key]

    def _facts(self, fd: int, kind: int, perf: int, length: int) -> Facts:
        key = (kind, perf)
        if key not in self._forms:
            part, fields = _fields(kind, perf)
            told = [n for n in fields if n not in _TEXTS + _LENGTHS and sum(abi.LINK_INFO[f"{part}.{n}"]) <= length]
            self._forms[key] = (
                packed(abi.LINK_INFO, " ".join(f"{part}.{name}" for name in told)),
                tuple(told),
                any(name in _TEXTS for name in fields),
            )
        form, fields_told, named = self._forms[key]
        facts: Facts = dict(zip(fields_told, form.unpack_from(self._calls.info), strict=True))
        if named:
            facts["name"] = text_at(self._name)
        if kind == abi.LINK_PERF_EVENT and perf < len(_PERF_WORDS):
            facts["perf"] = _PERF_WORDS[perf]
        elif kind == abi.LINK_NETFILTER:
            facts["priority"] = _signed(facts["priority"])
        elif kind == abi.LINK_ITER:
            facts |= self._iterated(str(facts["name"]))
        elif kind in (abi.LINK_KPROBE_MULTI, abi.LINK_UPROBE_MULTI):
            facts |= self._many(fd, kind, facts)
        return facts

    def _iterated(self, name: str) -> Facts:
        """What of its target an iterator looks at: a map, a control group, a task; all of it where there is 0."""
        info = self._calls.info

        def word(field: str) -> int:
            offset, width = abi.LINK_INFO[f"iter.{field}"]
            return int.from_bytes(info[offset : offset + width], ORDER)

        if name in ("bpf_map_elem", "bpf_sk_storage_map", "sockmap"):
            return {"map_id": word("map.map_id")}
        if name == "cgroup":
            return {"cgroup_id": word("cgroup.cgroup_id"), "order": word("cgroup.order")}
        return {"tid": word("task.tid"), "pid": word("task.pid")} if name.startswith("task") else {}

    def _many(self, fd: int, kind: int, facts: Facts) -> Facts:
        """The functions' addresses, or the places in the file."""
        count = min(int(str(facts.get("count", 0))), _MOST)
        part, field = ("kprobe_multi", "addrs") if kind == abi.LINK_KPROBE_MULTI else ("uprobe_multi", "offsets")
        if not count:
            return {}
        room, template = bytearray(8 * count), bytearray(256)
        for name, content in ((field, address(room)), ("count", count)):
            offset, width = abi.LINK_INFO[f"{part}.{name}"]
            template[offset : offset + width] = content.to_bytes(width, ORDER)
        # ENOSPC for more than there is room for: the first ones are there all the same
        self._calls.ask(fd, bytes(template))
        numbers = struct.unpack(f"={count}Q", room)
        return {"addresses" if field == "addrs" else "offsets": numbers}


def _fields(kind: int, perf: int) -> tuple[str, list[str]]:
    part, names = _FIELDS.get(kind, ("", ""))
    if kind == abi.LINK_PERF_EVENT:
        part, names = (_PERF[perf] if perf < len(_PERF) else None) or ("", "")
    return part, names.split()


def _signed(word: object) -> int:
    number = int(str(word))
    return number - (1 << 32) if number >> 31 else number
