"""What a program that runs others is loaded as: its types, and of what is made of them licence and flags."""

from __future__ import annotations

from bpfimg.kernel import abi

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpfimg.load import members

TYPES = {"xdp": abi.PROG_TYPE_XDP, "tc": abi.PROG_TYPE_SCHED_CLS}
#: XDP's is what libbpf has for SEC("xdp"): the kernel lets a program move only between dispatchers of one attach type,
#: and tail calls of members find their maps made for the same. For tc none serves both directions and both ways
ATTACH_TYPES = {"xdp": abi.ATTACH_XDP, "tc": 0}
HAS_FRAGS, DEV_BOUND_ONLY = 1 << 5, 1 << 6  # flags of programs: BPF_F_XDP_HAS_FRAGS, BPF_F_XDP_DEV_BOUND_ONLY
_LICENSE_MAX = 127
#: the kernel's `license_is_gpl_compatible` (include/linux/license.h)
_GPL = ("GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL")


def is_gpl(license: str) -> bool:
    """Whether the kernel gives a program of that licence the functions that it gives only to those of the GPL."""
    return license in _GPL


def license_of(codes: Sequence[members.Code]) -> str:
    """The licence of all: theirs if it is one; GPL when each is compatible with it; else all of them, by name."""
    found = list(dict.fromkeys(code.license for code in codes))
    if len(found) > 1 and all(map(is_gpl, found)):
        return "GPL"
    return ", ".join(found)[:_LICENSE_MAX]


def flags_of(codes: Sequence[members.Code]) -> int:
    """The flags of all: what one asks for, but packets of several buffers only where each takes them."""
    asked = 0
    for code in codes:
        asked |= code.flags
    return asked if all(code.flags & HAS_FRAGS for code in codes) else asked & ~HAS_FRAGS
