"""The ways for a program to be on ingress or egress of an interface: a TCX link, or a clsact filter.

Both exchange the program in one step, in place: no packet meets none, or two. A TCX link is exchanged only if it has
the program that is expected (LINK_UPDATE); for a filter that is looked at before, and again after the exchange.
Filters and links of others stay as they are, and where they are.

Each function enters the network namespace of its spot by itself, or runs at once where the caller is inside already.
"""

from __future__ import annotations

import errno

from bpfimg._value import value
from bpfimg.dispatcher import _tc_filter as filters
from bpfimg.dispatcher._raced import Raced
from bpfimg.errors import AttachError, KernelError, NotSupported
from bpfimg.kernel import bpf, netns
from bpfimg.load import members

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.dispatcher._model import Spot
    from bpfimg.kernel import Fd

TCX, CLSACT = "tcx", "clsact"
# ENOENT, ENODEV, ENOLINK: the filter, the interface, a link whose interface has gone
_GONE = (errno.ENOENT, errno.ENODEV, errno.ENOLINK)


@value(frozen=True, slots=True)
class Started:
    """What is on the hook now: a TCX link that lives as long as it is open or pinned, or handle and preference of a
    filter, which lives with its interface."""

    link: Fd | None
    handle: int = 0
    priority: int = 0


def way(host_tc: str) -> str:
    """`tcx` or `clsact`, as a host has it in `tc`; "auto" is TCX wherever the kernel has it.

    NotSupported(feature="tcx"): it insists on TCX, and the kernel has none.
    """
    if host_tc == CLSACT:
        return CLSACT
    from bpfimg.kernel import features

    if features.has("tcx") is not False:
        return TCX
    if host_tc == TCX:
        raise NotSupported("this kernel has no TCX (it came with 6.6)", feature="tcx", hint="let it be a clsact filter")
    return CLSACT


def start(
    way: str, spot: Spot, dispatcher: Fd, priority: int, scene: members.Scene, *, handle: int = 0, name: str = ""
) -> Started:
    """Puts a program on a direction where we have none. AttachError: no such interface, or namespace.

    TCX: the link stands where a tcx hook of that priority would, among those of `scene`. clsact (made where there is
    none): a filter with that handle (0: the kernel chooses), its preference the priority, as far as 1 to 65535 have it.
    """
    path = _path(spot)

    def inside() -> Started:
        place = members.Place(spot.interface, spot.ifindex, spot.netns, spot.inode)
        if way == CLSACT:
            return Started(None, *filters.add(place, spot.direction, dispatcher, filters.preference(priority), handle))
        program = members.Loaded(dispatcher.fileno(), bpf.program_info(dispatcher, memlock=False).id, name)
        return Started(members.tcx_link(program, place, spot.direction, priority, scene))

    return netns.call(path, inside)


def running(way: str, spot: Spot, link_pin: str, handle: int, priority: int) -> int:
    """The kernel id of the program that our entry on the hook runs; 0 where that, its interface or namespace are gone.

    `link_pin` is where the TCX link is pinned; the other two are those of a filter.
    """
    if way == TCX:
        return _of_link(link_pin, spot)
    there, path = members.again(spot.netns, spot.inode)
    if not there:
        return 0
    try:
        return netns.call(path, filters.running, spot.ifindex, spot.direction, handle, priority)
    except AttachError:
        return 0  # the namespace went away since we looked


def swap(  # noqa: PLR0917  # what `Started` has, and two programs
    way: str, spot: Spot, link: Fd | None, handle: int, priority: int, old: Fd, new: Fd
) -> None:
    """Exchanges the program of our entry in one step: each packet meets the old one or the new one.

    Raced: our entry has gone, or runs another program than `old`. AttachError: the new one is in the TCX chain already.
    """
    if way == CLSACT:
        netns.call(_path(spot), filters.exchange, spot, handle, priority, old, new)
        return
    if link is None:
        raise Raced(f"the TCX link of {spot.words} is gone")
    try:
        bpf.link_update(link, new, old_prog=old)
    except KernelError as error:
        raise _not_exchanged(spot, link, old, new, error) from error


def stop(  # noqa: PLR0917
    way: str, spot: Spot, link: Fd | None, handle: int, priority: int, expected: int
) -> bool:
    """Takes our entry off, when it runs that program; False when it does not, or is gone. clsact itself stays.

    A TCX link dangles afterwards, until its last descriptor and pin are gone.
    """
    if way == TCX:
        return link is not None and _detached(link, expected)
    there, path = members.again(spot.netns, spot.inode)
    if not there:
        return False
    try:
        return netns.call(path, filters.remove, spot.ifindex, spot.direction, handle, priority, expected)
    except AttachError:
        return False


def _path(spot: Spot) -> str | None:
    there, path = members.again(spot.netns, spot.inode)
    if not there:
        raise AttachError(f"the network namespace of {spot.words} is gone", hint="`bpfimg list` shows what is left")
    return path


def _of_link(link_pin: str, spot: Spot) -> int:
    try:
        with bpf.get(link_pin) as link:
            found = bpf.link_info(link)
    except KernelError as error:
        if error.errno != errno.ENOENT:
            raise
        return 0  # nothing is pinned there
    return found.prog_id if found.ifindex == spot.ifindex else 0


def _detached(link: Fd, expected: int) -> bool:
    found = bpf.link_info(link)
    if not found.ifindex or found.prog_id != expected:
        return False
    try:
        bpf.link_detach(link)
    except KernelError as error:
        if error.errno in _GONE:
            return False
        raise
    return True


def _not_exchanged(spot: Spot, link: Fd, old: Fd, new: Fd, error: KernelError) -> Exception:
    """Why LINK_UPDATE refused: EPERM for another old program, or as for any program; EEXIST; ENOLINK."""
    found = bpf.link_info(link)
    if error.errno in _GONE or not found.ifindex:
        return Raced(f"the TCX link of {spot.words} is gone: {error}")
    there = bpf.program_info(old, memlock=False).id
    if found.prog_id != there:
        return Raced(f"the TCX link of {spot.words} runs program {found.prog_id}, expected {there}")
    number = bpf.program_info(new, memlock=False).id
    if error.errno == errno.EEXIST:
        return AttachError(
            f"program {number} is in the TCX chain of {spot.words} already; TCX takes a program once",
            hint="load it a second time to have it twice",
        )
    return KernelError(f"cannot exchange the program of {spot.words}: {error}", errno=error.errno, hint=error.hint)
