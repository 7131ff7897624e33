"""Where a device hook is: an interface in a network namespace, and finding that namespace again later."""

from __future__ import annotations

import os

from bpfimg._value import value
from bpfimg.errors import AttachError, KernelError
from bpfimg.kernel import netlink, netns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    T = TypeVar("T")

_MAX_PROCESSES = 4096  # looked at when a namespace is searched


@value(frozen=True, slots=True)
class Place:
    """An interface of the namespace with that inode; `netns` is the path that led there, None for the caller's own."""

    interface: str
    ifindex: int
    netns: str | None
    inode: int


def at(interface: str, name: str | None, function: Callable[[Place], T]) -> T:
    """Returns `function(place)`, run inside the namespace `name`; AttachError when interface or namespace is absent."""
    path = None if name is None else os.path.abspath(netns.path_of(name))

    def inside() -> T:
        return function(Place(interface, _index(interface, name), path, netns.inode(None)))

    return netns.call(path, inside)


def within(name: str | None, function: Callable[[Place], T]) -> T:
    """Returns `function(place)`, run inside the namespace `name`, for hooks of a namespace as a whole: no interface."""
    path = None if name is None else os.path.abspath(netns.path_of(name))
    return netns.call(path, lambda: function(Place("", 0, path, netns.inode(None))))


def shown(place: Place) -> str:
    """A namespace in words: the name that ip-netns(8) knows, its path, or what /proc calls it."""
    if place.netns is None:
        return f"net:[{place.inode}]"
    folder, name = os.path.split(place.netns)
    return f"netns {name if folder in ('/var/run/netns', '/run/netns') else place.netns}"


def check(interface: str, name: str | None) -> None:
    """AttachError when there is no such interface, or no such namespace."""
    at(interface, name, lambda place: None)


def _index(interface: str, name: str | None) -> int:
    try:
        return netlink.interface_index(interface)
    except AttachError as error:
        if name is None:
            raise
        raise AttachError(f"{error} in network namespace {name}", hint=error.hint) from error


def is_there(place: Place) -> bool:
    """True while the interface still exists; to be asked inside its namespace."""
    return netlink.interface_name(place.ifindex) is not None


def again(path: str | None, inode: int | None) -> tuple[bool, str | None]:
    """Finds a recorded namespace: (True, its path, or None for the caller's own); (False, None) when it is gone.

    The path may be of another process, or used by another namespace by now, so the inode decides.
    """
    if inode is None or netns.inode(None) == inode:
        return True, None
    for candidate in _candidates(path):
        try:
            if os.stat(candidate).st_ino == inode and _is_namespace(candidate):
                return True, candidate
        except OSError:
            continue
    return False, None


def named() -> list[str]:
    """The paths of the namespaces that ip-netns(8) knows, but those that lead nowhere."""
    paths = [f"/run/netns/{name}" for name in sorted(_names("/run/netns"))]
    return [path for path in paths if _is_namespace(path)]


def _is_namespace(path: str) -> bool:
    try:
        return os.stat(path).st_dev == os.stat("/proc/self/ns/net").st_dev  # else the file that nothing is mounted on
    except OSError:
        return False


def _candidates(path: str | None) -> Iterator[str]:
    if path is not None:
        yield path
    for name in _names("/run/netns"):
        yield f"/run/netns/{name}"
    for process in [name for name in _names("/proc") if name.isdigit()][:_MAX_PROCESSES]:
        yield f"/proc/{process}/ns/net"


def _names(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except OSError:
        return []


def refused(place: Place, error: KernelError) -> AttachError | KernelError:
    """The error for a refused attach: the interface went away meanwhile, or the kernel's own words with the place."""
    if not is_there(place):
        return AttachError(f"no interface {place.interface!r}: it was removed while the program was being attached")
    return KernelError(f"cannot attach to {place.interface}: {error}", errno=error.errno, hint=error.hint)
