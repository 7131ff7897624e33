"""Perf events that programs are attached to: probes of functions, tracepoints, samples; perf_event_open(2)."""

from __future__ import annotations

import errno
import os

from bpfimg._value import value
from bpfimg.errors import KernelError, NotSupported
from bpfimg.kernel import _abi as abi
from bpfimg.kernel._fd import Fd
from bpfimg.kernel._syscall import address, fill, perf_event_open

_SOURCES = "/sys/bus/event_source/devices"
_ATTR_SIZE = 128
_BY_FREQUENCY, _INHERIT = 1 << 10, 1 << 1  # bits of perf_event_attr: `freq`, `inherit`
_CPUS = "/sys/devices/system/cpu/online"


@value(frozen=True, slots=True)
class Source:
    """A kind of events that the kernel numbers as it boots: kprobe, uprobe. `return_bit` is that of the return."""

    type: int
    return_bit: int


def source(name: str) -> Source:
    """Returns how the kernel numbers its `kprobe` or `uprobe` events; NotSupported when it has none."""
    try:
        with open(f"{_SOURCES}/{name}/type", encoding="ascii") as file:
            number = int(file.read())
        with open(f"{_SOURCES}/{name}/format/retprobe", encoding="ascii") as file:
            bit = int(file.read().strip().removeprefix("config:"))
    except FileNotFoundError:
        if not os.path.isdir(_SOURCES):
            raise NotSupported(
                f"{_SOURCES} is not there, so {name} events cannot be found",
                feature="sysfs",
                hint="mount -t sysfs sysfs /sys",
            ) from None
        hint = "tracepoints need none: tracepoint, raw_tracepoint, tp_btf" if name == "kprobe" else ""
        raise NotSupported(f"this kernel was built without {name}s", feature=name, hint=hint) from None
    return Source(number, 1 << bit)


def perf_event(
    type: int,
    config: int,
    what: str,
    *,
    name: str = "",
    number: int = 0,
    period: int = 1,
    frequency: int = 0,
    pid: int = -1,
    cpu: int = 0,
    inherit: bool = False,
) -> Fd:
    """Opens an event of every task (or of `pid`) on one CPU (-1: any); `what` names it in the KernelError.

    `name` and `number` are what kprobe and uprobe events take: a function or path, and an offset. It samples
    `frequency` times a second, or each `period` events.
    """
    text = bytearray(os.fsencode(name) + b"\0")
    values: dict[str, int | bytes] = {
        "type": type,
        "size": _ATTR_SIZE,
        "config": config,
        "sample_period": frequency or period,
        "disabled": (_BY_FREQUENCY if frequency else 0) | (_INHERIT if inherit else 0),
        "wakeup_events": 1,
        "config1": address(text) if name else 0,
        "config2": number,
    }
    result = perf_event_open(fill(abi.PERF_ATTR, values, _ATTR_SIZE), cpu, pid)
    if result < 0:
        raise _refused(what, -result, type)
    return Fd(result)


def _refused(what: str, number: int, type: int) -> KernelError:
    from bpfimg.kernel._capabilities import paranoid, to_open
    from bpfimg.kernel._failure import permission_hint, reason

    hint = ""
    if number in (errno.EPERM, errno.EACCES):
        uprobe = _is_uprobe(type)
        hint = permission_hint(to_open(uprobe=uprobe), "opening it")
        if hint and not uprobe and paranoid() > 2:
            hint += f"; kernel.perf_event_paranoid is {paranoid()}, and at 2 CAP_PERFMON would do"
    return KernelError(f"cannot open {what} (perf_event_open): {reason(number)}", errno=number, hint=hint)


def _is_uprobe(type: int) -> bool:
    try:
        return type == source("uprobe").type
    except KernelError:
        return False


def online_cpus() -> tuple[int, ...]:
    """Returns the numbers of the CPUs that run now."""
    try:
        with open(_CPUS, encoding="ascii") as file:
            return tuple(listed(file.read()))
    except OSError:
        return tuple(range(os.cpu_count() or 1))


def listed(text: str) -> list[int]:
    """Reads the kernel's lists of numbers: `0-3,6`."""
    found: list[int] = []
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        if first:
            found += range(int(first), int(last or first) + 1)
    return found
