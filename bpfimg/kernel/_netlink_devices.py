"""Interfaces as rtnetlink dumps them, all in one answer, with their XDP programs."""

from __future__ import annotations

import struct

from bpfimg._value import value
from bpfimg.kernel._netlink_dump import Dumps, attribute, attributes, text, word

_IFINFOMSG = struct.Struct("=BxHiII")
_GETLINK = 18
_NAME, _LINKINFO, _EXT_MASK, _XDP = 3, 18, 29, 43
_KIND = 1
_SKIP_STATS = 1 << 3  # RTEXT_FILTER_SKIP_STATS
# IFLA_XDP_HW_PROG_ID, _DRV_, _SKB_: the order in which packets meet them
_MODES = ((7, "offload"), (5, "native"), (6, "generic"))


@value(frozen=True, slots=True)
class Device:
    """An interface: `kind` is veth, netkit and so on, empty for hardware; `xdp` its programs as (mode, program id)."""

    ifindex: int
    name: str
    kind: str
    xdp: tuple[tuple[str, int], ...]


def devices(dumps: Dumps) -> tuple[Device, ...]:
    """Returns the interfaces of this network namespace."""
    request = _IFINFOMSG.pack(0, 0, 0, 0, 0) + attribute(_EXT_MASK, struct.pack("=I", _SKIP_STATS))
    return tuple(map(_device, dumps.ask(_GETLINK, request, _IFINFOMSG.size)))


def _device(body: bytes) -> Device:
    found = dict(attributes(body[_IFINFOMSG.size :]))
    kind = dict(attributes(found[_LINKINFO])).get(_KIND, b"") if _LINKINFO in found else b""
    xdp: tuple[tuple[str, int], ...] = ()
    if len(found.get(_XDP, b"")) > 8:  # more than "nothing attached"
        programs = dict(attributes(found[_XDP]))
        xdp = tuple((mode, word(programs[number])) for number, mode in _MODES if number in programs)
    return Device(_IFINFOMSG.unpack_from(body)[2], text(found.get(_NAME, b"")), text(kind), xdp)
