"""Interfaces of the network namespace that the calling thread is in; see `_netns.call`."""

from __future__ import annotations

# The C half of `socket`: the other half costs 2 ms (enum, selectors) that `bpfimg run` should not pay.
import _socket

from bpfimg.errors import AttachError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.kernel._netlink_tc import Filter

_NAME_LIMIT = 15  # IFNAMSIZ without the final NUL


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


def filters() -> tuple[Filter, ...]:
    """Returns the BPF filters of traffic control on every interface here, whoever made them."""
    from bpfimg.kernel._netlink_tc import filters as dumped

    return dumped()


def _near(name: str) -> str:
    from difflib import get_close_matches

    names = sorted(interfaces())
    near = get_close_matches(name[:_NAME_LIMIT], names, n=5, cutoff=0.5) or names[:8]
    return f"there is: {', '.join(near)}" if near else ""
