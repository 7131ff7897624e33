"""Why a driver refuses to run an XDP program natively, in words: LINK_CREATE gives nothing but a number.

The numbers are those of drivers/net: veth.c, virtio_net.c, tun.c, and of dev_xdp_attach() in net/core/dev.c.
"""

from __future__ import annotations

import errno

from bpfimg._value import value
from bpfimg.kernel import netlink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.errors import KernelError
    from bpfimg.load._attach import Loaded
    from bpfimg.load._families._place import Place

_PAGE = 3000  # a frame of more bytes may not fit into a page beside what XDP needs there
_SIZE = (errno.ERANGE, errno.EINVAL, errno.EOPNOTSUPP)
_WORDS = {
    errno.EOPNOTSUPP: "it has no XDP of its own",
    errno.ERANGE: "its frames, or those of its peer, may be larger than a program without fragments can take",
    errno.EINVAL: "its settings do not go with XDP",
    errno.ENOMEM: "it has too few queues or too little memory for XDP",
    errno.ENOSPC: "it has fewer receive queues than its peer has transmit queues",
    524: "it has no XDP of its own",
}
_HINTS = {
    errno.EINVAL: "receive offloads such as LRO stand in the way in some drivers: `ethtool -k` shows them",
    errno.ENOMEM: "`ethtool -L` gives an interface more queues",
    errno.ENOSPC: "`ethtool -L` gives an interface more queues",
}


@value(frozen=True, slots=True)
class Refusal:
    """What the driver means, and what a person can do about it (may be empty)."""

    text: str
    hint: str

    def __str__(self) -> str:
        return f"{self.text}; {self.hint}" if self.hint else self.text


def refused_by_driver(
    error: KernelError, place: Place, *, frags: bool, lacking: str = "the program is"
) -> Refusal | None:
    """The refusal of a program that the network stack would run in generic mode; None for any other error.

    To be asked inside the interface's namespace. `frags`: it is built for fragments; `lacking` says what is not.
    """
    if error.errno not in _WORDS:
        return None
    driver, who = _driver(place)
    mtu = netlink.interface_mtu(place.interface) or 0
    word = {errno.EOPNOTSUPP: "EOPNOTSUPP", 524: "ENOTSUPP"}.get(error.errno) or errno.errorcode[error.errno]
    large = mtu > _PAGE and error.errno in _SIZE and (error.errno != errno.EOPNOTSUPP or driver == "virtio_net")
    if not frags and (large or error.errno == errno.ERANGE):
        size = f"frames of MTU {mtu} come in fragments" if large else _WORDS[errno.ERANGE]
        return Refusal(
            f"{who} refuses it: {size}, and {lacking} not built for fragments ({word})",
            'build it as xdp.frags (SEC("xdp.frags")), or make the MTU smaller',
        )
    if frags and large:
        return Refusal(f"{who} refuses it: MTU {mtu} is more than it takes with XDP ({word})", "make the MTU smaller")
    return Refusal(f"{who} refuses it: {_WORDS[error.errno]} ({word})", _HINTS.get(error.errno, ""))


def has_none(place: Place) -> str:
    """What is to be said of an interface whose driver was not even asked."""
    return f"{_driver(place)[1]} has no XDP of its own"


def _driver(place: Place) -> tuple[str, str]:
    driver = netlink.interface_driver(place.interface)
    return driver, f"the driver {driver}" if driver else "its driver"


def takes_fragments(program: Loaded) -> bool:
    """True for a program whose section says that it is built for fragments."""
    from bpfimg import bytecode

    rule = bytecode.section_rule(program.section)
    return rule is not None and rule.frags
