"""Our clsact filter: one of many, told apart by its handle and preference. Called inside the network namespace."""

from __future__ import annotations

import errno

from bpfimg.dispatcher._raced import Raced
from bpfimg.errors import AttachError, Busy, KernelError
from bpfimg.kernel import bpf, libbpf, netlink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.dispatcher._model import Spot
    from bpfimg.kernel import Fd
    from bpfimg.load import members

_MOST = 0xFFFF  # the kernel keeps a filter's preference in 16 bits; 0 would let it choose
# ENOENT, EINVAL, ENODEV: no such filter, no clsact, no such interface
_GONE = (errno.ENOENT, errno.EINVAL, errno.ENODEV)


def preference(priority: int) -> int:
    """The preference of a filter for that priority: the same number, within what the kernel takes."""
    return min(max(priority, 1), _MOST)


def add(place: members.Place, direction: str, program: Fd, preference: int, handle: int) -> tuple[int, int]:
    """Adds a filter; (handle, preference). Busy: there is one with both already."""
    try:
        return libbpf.tc_attach(place.ifindex, direction, program, priority=preference, handle=handle)
    except KernelError as error:
        raise _refused(place, direction, preference, handle, error) from error


def running(ifindex: int, direction: str, handle: int, preference: int) -> int:
    """The kernel id of the program of that filter; 0 where there is none."""
    return libbpf.tc_query(ifindex, direction, handle, preference) or 0


def exchange(spot: Spot, handle: int, preference: int, old: Fd, new: Fd) -> None:
    """Exchanges the program of a filter in one step. Raced: it is gone, or runs another than `old`.

    The kernel replaces without comparing: so it is looked at before, and whether the new one runs is looked at after.
    """
    there = running(spot.ifindex, spot.direction, handle, preference)
    expected, wanted = (bpf.program_info(each, memlock=False).id for each in (old, new))
    if there != expected:
        raise Raced(f"the filter of {spot.words} runs {_shown(there)}, expected program {expected}")
    try:
        libbpf.tc_attach(spot.ifindex, spot.direction, new, priority=preference, handle=handle, replace=True)
    except KernelError as error:
        if error.errno in _GONE:
            raise Raced(f"the filter of {spot.words} went away: {error}") from error
        raise
    there = running(spot.ifindex, spot.direction, handle, preference)
    if there != wanted:
        raise Raced(f"the filter of {spot.words} runs {_shown(there)} after it was given program {wanted}")


def remove(ifindex: int, direction: str, handle: int, preference: int, expected: int) -> bool:
    """Removes a filter when it runs that program; False when it does not, or is gone."""
    if running(ifindex, direction, handle, preference) != expected:
        return False
    try:
        libbpf.tc_detach(ifindex, direction, handle, preference)
    except KernelError as error:
        if error.errno in _GONE:
            return False
        raise
    return True


def _shown(program: int) -> str:
    return f"program {program}" if program else "nothing"


def _refused(
    place: members.Place, direction: str, preference: int, handle: int, error: KernelError
) -> AttachError | KernelError:
    if netlink.interface_name(place.ifindex) is None:
        return AttachError(f"no interface {place.interface!r}: it was removed while the program was being attached")
    if error.errno == errno.EEXIST:
        there = running(place.ifindex, direction, handle, preference)
        return Busy(
            f"{place.interface} {direction} has a filter with handle {handle:#x} and preference {preference} already",
            owner=f"program {there}",
            hint=f"`tc filter show dev {place.interface} {direction}` shows it",
        )
    return KernelError(f"cannot attach to {place.interface} {direction}: {error}", errno=error.errno, hint=error.hint)
