"""Tracepoints: their ids and names from tracefs."""

from __future__ import annotations

import os

from bpfimg.errors import AttachError, NotSupported
from bpfimg.kernel import _abi as abi
from bpfimg.kernel import _mounts
from bpfimg.kernel._perf import perf_event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.kernel._fd import Fd

_EACCES = 13
_MOUNT_HINT = "mount -t tracefs tracefs /sys/kernel/tracing; in a container bind-mount the host's"
_NEAR = 5


def tracepoint_event(group: str, name: str) -> Fd:
    """Opens the tracepoint `group/name` for every task and CPU; a program is attached to it by `link_create`.

    AttachError: there is no such tracepoint, the hint lists near names. NotSupported: tracefs is not mounted.
    """
    # Which CPU does not matter: the link's program runs on every one.
    return perf_event(abi.PERF_TYPE_TRACEPOINT, tracepoint_id(group, name), f"tracepoint {group}/{name}")


def tracepoint_id(group: str, name: str) -> int:
    """Returns the number by which perf_event_open(2) knows a tracepoint."""
    if not _is_name(group) or not _is_name(name):
        raise AttachError(f"no tracepoint {group[:64]!r}/{name[:64]!r}, expected GROUP/NAME of letters, digits and '_'")
    events = f"{mount()}/events"
    try:
        with open(f"{events}/{group}/{name}/id", encoding="ascii") as file:
            return int(file.read())
    except FileNotFoundError:
        raise AttachError(f"no tracepoint {group}/{name} in {events}", hint=_near(events, group, name)) from None
    except OSError as error:
        from bpfimg.errors import KernelError
        from bpfimg.kernel._failure import reason

        number = error.errno or 0
        raise KernelError(f"cannot read {events}/{group}/{name}/id: {reason(number)}", errno=number) from error


def near_names(name: str) -> list[str]:
    """Returns names of tracepoints, without their groups, that resemble `name`; none where tracefs is not mounted."""
    from difflib import get_close_matches

    try:
        with open(f"{mount()}/available_events", encoding="ascii", errors="replace") as file:
            known = {line.strip().partition(":")[2] for line in file}
    except (OSError, NotSupported):
        return []
    return get_close_matches(name, sorted(known), _NEAR)


def mount() -> str:
    """Returns where tracefs is: by itself, or below debugfs. NotSupported: nowhere."""
    mounts = _mounts.of_type("tracefs")
    # Asking for a path below debugfs mounts tracefs there, so a host with only debugfs has it too.
    mounts += tuple(f"{place}/tracing" for place in _mounts.of_type("debugfs"))
    for place in mounts:
        if os.path.isdir(f"{place}/events"):
            return place
    if mounts and not os.access(mounts[0], os.X_OK):
        from bpfimg.errors import KernelError
        from bpfimg.kernel._failure import permission_hint, reason

        hint = permission_hint(("CAP_DAC_READ_SEARCH",), "reading what only root may read")
        raise KernelError(f"cannot look into tracefs at {mounts[0]}: {reason(_EACCES)}", errno=_EACCES, hint=hint)
    raise NotSupported("tracefs is not mounted, so tracepoints cannot be found", feature="tracefs", hint=_MOUNT_HINT)


def _is_name(text: str) -> bool:
    return bool(text) and all(c.isascii() and (c.isalnum() or c in "_-") for c in text)


def _near(events: str, group: str, name: str) -> str:
    from difflib import get_close_matches

    try:
        groups = os.listdir(events)
        if group in groups:
            names = [f"{group}/{found}" for found in get_close_matches(name, sorted(os.listdir(f"{events}/{group}")))]
        else:
            names = [f"{found}/{name}" for found in sorted(groups) if os.path.isdir(f"{events}/{found}/{name}")]
            names = names or [f"{found}/…" for found in get_close_matches(group, sorted(groups))]
    except OSError:
        return ""
    return f"near it: {', '.join(names[:_NEAR])}" if names else ""
