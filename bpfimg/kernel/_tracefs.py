"""Tracepoints: their ids from tracefs, their events from perf_event_open(2)."""

from __future__ import annotations

import os

from bpfimg.errors import AttachError, NotSupported
from bpfimg.kernel import _abi as abi
from bpfimg.kernel import _mounts
from bpfimg.kernel._fd import Fd
from bpfimg.kernel._syscall import fill, perf_event_open

_PERF_ATTR_SIZE = 128
_MOUNT_HINT = "mount -t tracefs tracefs /sys/kernel/tracing; in a container bind-mount the host's"


def tracepoint_event(group: str, name: str) -> Fd:
    """Opens the tracepoint `group/name` for every task and CPU; a program is attached to it by `link_create`.

    AttachError: there is no such tracepoint, the hint lists near names. NotSupported: tracefs is not mounted.
    """
    number = tracepoint_id(group, name)
    values = {
        "type": abi.PERF_TYPE_TRACEPOINT,
        "size": _PERF_ATTR_SIZE,
        "config": number,
        "sample_period": 1,
        "wakeup_events": 1,
    }
    # Which CPU does not matter: the link's program runs on every one.
    result = perf_event_open(fill(abi.PERF_ATTR, values, _PERF_ATTR_SIZE), cpu=0)
    if result < 0:
        from bpfimg.errors import KernelError
        from bpfimg.kernel._failure import permission_hint, reason

        hint = permission_hint(("CAP_PERFMON",), "opening a perf event") if result in (-1, -13) else ""
        message = f"cannot open tracepoint {group}/{name} (perf_event_open): {reason(-result)}"
        raise KernelError(message, errno=-result, hint=hint)
    return Fd(result)


def tracepoint_id(group: str, name: str) -> int:
    """Returns the number by which perf_event_open(2) knows a tracepoint."""
    if not _is_name(group) or not _is_name(name):
        raise AttachError(f"no tracepoint {group[:64]!r}/{name[:64]!r}, expected GROUP/NAME of letters, digits and '_'")
    events = _events()
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


def _is_name(text: str) -> bool:
    return bool(text) and all(c.isascii() and (c.isalnum() or c in "_-") for c in text)


def _events() -> str:
    mounts = _mounts.of_type("tracefs")
    # Asking for a path below debugfs mounts tracefs there, so a host with only debugfs has it too.
    mounts += tuple(f"{mount}/tracing" for mount in _mounts.of_type("debugfs"))
    for mount in mounts:
        if os.path.isdir(f"{mount}/events"):
            return f"{mount}/events"
    raise NotSupported("tracefs is not mounted, so tracepoints cannot be found", feature="tracefs", hint=_MOUNT_HINT)


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
    return f"near it: {', '.join(names[:5])}" if names else ""
