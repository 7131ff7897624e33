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
_GETQDISC, _GETTFILTER = 38, 46
_ERROR, _DONE = 2, 3
_CLSACT = 0xFFFFFFF1
_PARENTS = {"ingress": 0xFFFFFFF2, "egress": 0xFFFFFFF3}  # TC_H_CLSACT with its two classes
_KIND, _OPTIONS, _BPF_ID = 1, 2, 11
_NESTED = 0x3FFF  # without the flags for nesting and byte order
_BUFFER = 1 << 18
_MOST = 256  # buffers of one dump: more filters than anybody has
_PATIENCE = 2.0  # seconds; the kernel answers at once


@value(frozen=True, slots=True)
class Filter:
    """A BPF filter: where it is, the kernel id of its program, and what tc(8) calls handle and pref."""

    ifindex: int
    direction: str
    prog_id: int
    handle: int
    priority: int


def filters() -> tuple[Filter, ...]:
    """Returns the BPF filters of all interfaces of this network namespace, whoever made them.

    Empty where nobody has clsact or ingress on an interface, and where the kernel does not tell.
    """
    found: list[Filter] = []
    for ifindex, kind in _qdiscs().items():
        # the old `ingress` has no egress, but answers for it with the same filters
        for direction in ("ingress", "egress") if kind == b"clsact" else ("ingress",):
            for body in _dumped(_GETTFILTER, ifindex, _PARENTS[direction]):
                found += _filter(body, ifindex, direction)
    return tuple(found)


def _qdiscs() -> dict[int, bytes]:
    """Interface index -> what is at its ingress hook: `clsact` or `ingress`."""
    found = {}
    for body in _dumped(_GETQDISC, 0, 0):
        _, ifindex, _, parent, _ = _TCMSG.unpack_from(body)
        kind = dict(_attributes(body[_TCMSG.size :])).get(_KIND, b"").rstrip(b"\0")
        if parent == _CLSACT and kind in (b"clsact", b"ingress"):
            found[ifindex] = kind
    return found


def _dumped(kind: int, ifindex: int, parent: int) -> list[bytes]:
    """The bodies, each with its `struct tcmsg`, that the kernel sends in answer to a dump."""
    import socket

    request = _TCMSG.pack(0, ifindex, 0, parent, 0)
    header = _HEADER.pack(_HEADER.size + len(request), kind, _REQUEST_DUMP, 1, 0)
    found: list[bytes] = []
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
        return []
    return found


def read(data: bytes) -> tuple[list[bytes], bool]:
    """The bodies in one buffer of a dump, and whether it was the last."""
    found: list[bytes] = []
    at = 0
    while at + _HEADER.size <= len(data):
        length, kind, *_ = _HEADER.unpack_from(data, at)
        if kind in (_ERROR, _DONE) or not _HEADER.size <= length <= len(data) - at:
            return found, True
        if length >= _HEADER.size + _TCMSG.size:
            found.append(data[at + _HEADER.size : at + length])
        at += length + 3 & ~3
    return found, False


def _filter(body: bytes, ifindex: int, direction: str) -> Iterator[Filter]:
    _, _, handle, _, info = _TCMSG.unpack_from(body)
    attributes = dict(_attributes(body[_TCMSG.size :]))
    if attributes.get(_KIND, b"").rstrip(b"\0") != b"bpf":
        return
    number = dict(_attributes(attributes.get(_OPTIONS, b""))).get(_BPF_ID, b"")
    if len(number) == 4:  # else a classic filter, or the head of its chain
        (prog_id,) = struct.unpack("=I", number)
        yield Filter(ifindex, direction, prog_id, handle, info >> 16)


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if not _ATTRIBUTE.size <= length <= len(data) - at:
            return
        yield kind & _NESTED, data[at + _ATTRIBUTE.size : at + length]
        at += length + 3 & ~3
