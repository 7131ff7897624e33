"""The BPF filters on an interface, as rtnetlink dumps them: libbpf can only ask for one whose handle is known.

The layouts are those of `linux/netlink.h`, `linux/rtnetlink.h` and `linux/pkt_cls.h`.
"""

from __future__ import annotations

import struct

from bpfimg._value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_HEADER, _TCMSG, _ATTRIBUTE = struct.Struct("=IHHII"), struct.Struct("=BxxxiIII"), struct.Struct("=HH")
_REQUEST_DUMP = 1 | 0x300
_NEWTFILTER, _GETTFILTER = 44, 46
_ERROR, _DONE = 2, 3
_PARENTS = {"ingress": 0xFFFFFFF2, "egress": 0xFFFFFFF3}  # TC_H_CLSACT with its two classes
_KIND, _OPTIONS, _BPF_ID = 1, 2, 11
_NESTED = 0x3FFF  # without the flags for nesting and byte order
_BUFFER = 1 << 18
_MOST = 256  # buffers of one dump: more filters than anybody has
_PATIENCE = 2.0  # seconds; the kernel answers at once


@value(frozen=True, slots=True)
class Filter:
    """A BPF filter: the kernel id of its program, and what tc(8) calls handle and pref."""

    prog_id: int
    handle: int
    priority: int


def filters(ifindex: int, direction: str) -> tuple[Filter, ...]:
    """Returns the BPF filters of an interface of this network namespace, whoever made them.

    Empty where there is no clsact or ingress, or no interface (any more).
    """
    import socket

    request = _TCMSG.pack(0, ifindex, 0, _PARENTS[direction], 0)
    header = _HEADER.pack(_HEADER.size + len(request), _GETTFILTER, _REQUEST_DUMP, 1, 0)
    found: list[Filter] = []
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE) as route:
            route.settimeout(_PATIENCE)
            route.send(header + request)
            for _ in range(_MOST):
                more, done = read(route.recv(_BUFFER))
                found += more
                if done:
                    break
    except OSError:
        return ()
    return tuple(found)


def read(data: bytes) -> tuple[list[Filter], bool]:
    """The filters in one buffer of a dump, and whether it was the last."""
    found: list[Filter] = []
    at = 0
    while at + _HEADER.size <= len(data):
        length, kind, *_ = _HEADER.unpack_from(data, at)
        if kind in (_ERROR, _DONE) or not _HEADER.size <= length <= len(data) - at:
            return found, True
        body = data[at + _HEADER.size : at + length]
        if kind == _NEWTFILTER and len(body) >= _TCMSG.size:
            found += _filter(body)
        at += length + 3 & ~3
    return found, False


def _filter(body: bytes) -> Iterator[Filter]:
    _, _, handle, _, info = _TCMSG.unpack_from(body)
    attributes = dict(_attributes(body[_TCMSG.size :]))
    if attributes.get(_KIND, b"").rstrip(b"\0") != b"bpf":
        return
    number = dict(_attributes(attributes.get(_OPTIONS, b""))).get(_BPF_ID, b"")
    if len(number) == 4:  # else a classic filter, or the head of its chain
        (prog_id,) = struct.unpack("=I", number)
        yield Filter(prog_id, handle, info >> 16)


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if not _ATTRIBUTE.size <= length <= len(data) - at:
            return
        yield kind & _NESTED, data[at + _ATTRIBUTE.size : at + length]
        at += length + 3 & ~3
