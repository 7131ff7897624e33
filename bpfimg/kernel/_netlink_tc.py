"""The BPF filters and actions of traffic control, as rtnetlink dumps them: libbpf can only ask for one whose handle is
known.

The layouts are those of `linux/rtnetlink.h`, `linux/pkt_cls.h` and `linux/tc_act/tc_bpf.h`.
"""

from __future__ import annotations

import struct

from bpfimg._value import value
from bpfimg.kernel._netlink_dump import Dumps, attribute, attributes, text, word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_TCMSG, _ACTION = struct.Struct("=BxxxiIII"), struct.Struct("=IIiii")
_GETQDISC, _GETTFILTER, _GETACTION = 38, 46, 50
_CLSACT = 0xFFFFFFF1
_PARENTS = {"ingress": 0xFFFFFFF2, "egress": 0xFFFFFFF3}  # TC_H_CLSACT with its two classes
_KIND, _OPTIONS, _BPF_NAME, _BPF_ID = 1, 2, 7, 11
_ACTIONS, _ACTION_PARMS, _ACTION_NAME, _ACTION_ID = 1, 2, 6, 9
_MOST_QDISCS = 4096


@value(frozen=True, slots=True)
class Filter:
    """A BPF filter: where it is, the kernel id of its program, and what tc(8) calls handle and pref.

    `qdisc` is clsact or ingress, or another kind with its handle (`htb 1:`), which is on the way out.
    """

    ifindex: int
    direction: str
    prog_id: int
    handle: int
    priority: int
    qdisc: str = "clsact"
    name: str = ""


@value(frozen=True, slots=True)
class Action:
    """A BPF action: its index, as tc(8) calls it, the kernel id of its program, how many filters use it."""

    index: int
    prog_id: int
    bound: int
    name: str


def filters(dumps: Dumps | None = None) -> tuple[Filter, ...]:
    """Returns the BPF filters of all interfaces of this network namespace, whoever made them.

    Empty where there is no qdisc that could have some, and where the kernel does not tell.
    """
    if dumps is None:
        try:
            with Dumps() as own:
                return filters(own)
        except OSError:
            return ()
    found: list[Filter] = []
    for ifindex, kind, handle, parent in _qdiscs(dumps):
        qdisc = kind
        if parent == _CLSACT:
            # the old `ingress` has no egress, but answers for it with the same filters
            places = [(way, _PARENTS[way]) for way in ("ingress", "egress") if kind == "clsact" or way == "ingress"]
        else:
            places = [("egress", handle)]
            qdisc = f"{kind} {handle >> 16:x}:"
        for direction, place in places:
            for body in dumps.ask(_GETTFILTER, _TCMSG.pack(0, ifindex, 0, place, 0), _TCMSG.size):
                found += _filter(body, ifindex, direction, qdisc)
    return tuple(found)


def clsact_kind(ifindex: int) -> str:
    """Returns what stands in the place of clsact on an interface: clsact, ingress, or empty for nothing."""
    try:
        with Dumps() as dumps:
            found = dumps.ask(_GETQDISC, _TCMSG.pack(0, ifindex, 0, 0, 0), _TCMSG.size)
    except OSError:
        return ""
    for body in found:  # those of all interfaces: the question's number is not looked at
        _, number, _, parent, _ = _TCMSG.unpack_from(body)
        if (number, parent) == (ifindex, _CLSACT):
            return text(dict(attributes(body[_TCMSG.size :])).get(_KIND, b""))
    return ""


def _qdiscs(dumps: Dumps) -> Iterator[tuple[int, str, int, int]]:
    """(Interface index, kind, handle, parent) of each that may have filters."""
    for body in dumps.ask(_GETQDISC, _TCMSG.pack(0, 0, 0, 0, 0), _TCMSG.size)[:_MOST_QDISCS]:
        _, ifindex, handle, parent, _ = _TCMSG.unpack_from(body)
        kind = text(dict(attributes(body[_TCMSG.size :])).get(_KIND, b""))
        if parent == _CLSACT and kind not in ("clsact", "ingress"):
            continue
        if handle:  # qdiscs that an interface is born with have none
            yield ifindex, kind, handle, parent


def _filter(body: bytes, ifindex: int, direction: str, qdisc: str = "clsact") -> Iterator[Filter]:
    _, _, handle, _, info = _TCMSG.unpack_from(body)
    found = dict(attributes(body[_TCMSG.size :]))
    if found.get(_KIND, b"").rstrip(b"\0") != b"bpf":
        return
    options = dict(attributes(found.get(_OPTIONS, b"")))
    number = word(options.get(_BPF_ID, b""))
    if number:  # else a classic filter, or the head of its chain
        yield Filter(ifindex, direction, number, handle, info >> 16, qdisc, text(options.get(_BPF_NAME, b"")))


def actions(dumps: Dumps) -> tuple[Action, ...]:
    """Returns the BPF actions of this network namespace, which filters of any kind may use."""
    wanted = attribute(_ACTIONS, attribute(1, attribute(_KIND, b"bpf\0")))
    found: list[Action] = []
    for body in dumps.ask(_GETACTION, bytes(4) + wanted, 4):
        for _, table in ((n, c) for n, c in attributes(body[4:]) if n == _ACTIONS):
            for _, each in attributes(table):
                options = dict(attributes(dict(attributes(each)).get(_OPTIONS, b"")))
                number, parms = word(options.get(_ACTION_ID, b"")), options.get(_ACTION_PARMS, b"")
                if number and len(parms) >= _ACTION.size:
                    index, _, _, _, bound = _ACTION.unpack_from(parms)
                    found.append(Action(index, number, bound, text(options.get(_ACTION_NAME, b""))))
    return tuple(found)
