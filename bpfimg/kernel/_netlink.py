"""Interfaces of the network namespace that the calling thread is in; see `_netns.call`."""

from __future__ import annotations

# The C half of `socket`: the other half costs 2 ms (enum, selectors) that `bpfimg run` should not pay.
import _socket
import sys

from bpfimg.errors import AttachError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.kernel._netlink_devices import Device
    from bpfimg.kernel._netlink_dump import Dumps
    from bpfimg.kernel._netlink_hooks import Hooked
    from bpfimg.kernel._netlink_tc import Action, Filter

_NAME_LIMIT = 15  # IFNAMSIZ without the final NUL
_SIOCGIFMTU, _SIOCETHTOOL, _ETHTOOL_GDRVINFO = 0x8921, 0x8946, 3


def interfaces() -> dict[str, int]:
    """Returns name -> index of every interface here."""
    return {name: index for index, name in _socket.if_nameindex()}


def interface_index(name: str) -> int:
    """Returns the index of an interface; AttachError when there is none, with near names in the hint."""
    try:
        return _socket.if_nametoindex(name)
    except (OSError, ValueError, UnicodeError):
        raise AttachError(f"no interface {name[:64]!r}", hint=_near(name)) from None


def interface_name(index: int) -> str | None:
    """Returns the name of an interface; None when there is none with this index."""
    try:
        return _socket.if_indextoname(index)
    except (OSError, OverflowError):
        return None


def filters(dumps: Dumps | None = None) -> tuple[Filter, ...]:
    """Returns the BPF filters of traffic control on every interface here, whoever made them."""
    from bpfimg.kernel._netlink_tc import filters as dumped

    return dumped(dumps)


def dumps() -> Dumps:
    """Opens a socket for `devices`, `actions` and `filters`, to be closed; OSError as the kernel answers."""
    from bpfimg.kernel._netlink_dump import Dumps as Socket

    return Socket()


def devices(dumps: Dumps) -> tuple[Device, ...]:
    """Returns the interfaces here with their XDP programs."""
    from bpfimg.kernel._netlink_devices import devices as dumped

    return dumped(dumps)


def actions(dumps: Dumps) -> tuple[Action, ...]:
    """Returns the BPF actions of traffic control here."""
    from bpfimg.kernel._netlink_tc import actions as dumped

    return dumped(dumps)


def netfilter() -> tuple[Hooked, ...]:
    """Returns the BPF programs on the hooks of netfilter here."""
    from bpfimg.kernel._netlink_hooks import netfilter as dumped

    return dumped()


def _near(name: str) -> str:
    from difflib import get_close_matches

    names = sorted(interfaces())
    near = get_close_matches(name[:_NAME_LIMIT], names, n=5, cutoff=0.5) or names[:8]
    return f"there is: {', '.join(near)}" if near else ""


def interface_mtu(name: str) -> int | None:
    """Returns the MTU of an interface here; None when the kernel does not say."""
    answer = _asked(_SIOCGIFMTU, name, bytes(16))
    return None if answer is None else int.from_bytes(answer[16:20], sys.byteorder)


def interface_driver(name: str) -> str:
    """Returns the name of an interface's driver, as `ethtool -i` shows it; empty when it has none."""
    from array import array

    # struct ethtool_drvinfo: cmd, driver[32], and more, 196 bytes in all; ifr_data points to it.
    drvinfo = array("B", _ETHTOOL_GDRVINFO.to_bytes(4, sys.byteorder) + bytes(192))
    pointer = drvinfo.buffer_info()[0].to_bytes(8, sys.byteorder)
    if _asked(_SIOCETHTOOL, name, pointer + bytes(8)) is None:
        return ""
    return bytes(drvinfo[4:36]).split(b"\0")[0].decode("ascii", "replace")


def _asked(request: int, name: str, data: bytes) -> bytes | None:
    """One ioctl(2) about an interface: what comes back, None when it is refused."""
    import fcntl

    socket = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC)
    try:
        return fcntl.ioctl(socket.fileno(), request, name.encode()[:_NAME_LIMIT].ljust(16, b"\0") + data + bytes(8))
    except OSError:
        return None
    finally:
        socket.close()
