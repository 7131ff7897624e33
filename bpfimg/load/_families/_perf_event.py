"""Samples: an event on each CPU, or for each thread of a process, and a link for each."""

from __future__ import annotations

import errno
import os
from contextlib import ExitStack

from bpfimg.errors import AttachError, KernelError, NotSupported
from bpfimg.kernel import perf
from bpfimg.load._attach import Attachment
from bpfimg.load._families._perf_link import linked
from bpfimg.load._families._recorded import recorded
from bpfimg.load._hooks import _events as events

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.kernel import Fd
    from bpfimg.load._attach import Loaded, Scene
    from bpfimg.load._hooks import PerfEvent

_FREQUENCY = 99  # a second: off the beat of what happens each 10 ms
_GONE = (errno.ENODEV, errno.ESRCH)


def check(hook: PerfEvent) -> None:
    """UsageError: no such event; AttachError: that CPU does not run, no such process; NotSupported: no such counter."""
    with ExitStack() as stack:
        for event in _events(hook, most=1):
            stack.enter_context(event)


def attach(program: Loaded, hook: PerfEvent, scene: Scene) -> Attachment:
    """Attaches to the event on every CPU that runs now, or on each thread that the process has now.

    A CPU that comes later has no event. Threads and children that a process starts later have theirs.
    """
    with ExitStack() as stack:
        links = [stack.enter_context(linked(program, event, f"event {hook.event}")) for event in _events(hook)]
        stack.pop_all()
    place = "CPU" if hook.pid is None else "thread"
    of = _of(hook)
    where = f"{hook.event}{f' of {of}' if of else ''}, {_rate(hook)}"
    record = recorded(program, hook, where, details={f"{place}s".lower(): len(links)}, parts=len(links) - 1)
    return Attachment(record, links[0], links[0].fileno(), parts=links[1:])


def _of(hook: PerfEvent) -> str:
    process = "" if hook.pid is None else f"process {hook.pid}"
    cpu = "" if hook.cpu is None else f"CPU {hook.cpu}"
    return " on ".join(each for each in (process, cpu) if each)


def _rate(hook: PerfEvent) -> str:
    period, frequency = _sampling(hook)
    if frequency:
        return f"{frequency} a second"
    return "each" if period == 1 else f"one in {period}"


def _sampling(hook: PerfEvent) -> tuple[int, int]:
    """(Period, frequency), one of which is 0."""
    if hook.period is not None:
        return hook.period, 0
    if hook.frequency is not None:
        return 0, hook.frequency
    return (1, 0) if events.is_seldom(hook.event) else (0, _FREQUENCY)


def _events(hook: PerfEvent, most: int | None = None) -> list[Fd]:
    """The event of each place; those of CPUs or threads that have gone meanwhile are left out."""
    type, config = events.numbers(hook.event)
    period, frequency = _sampling(hook)
    places = _places(hook)
    with ExitStack() as stack:
        found: list[Fd] = []
        last: KernelError | None = None
        for pid, cpu in places:
            try:
                event = perf.perf_event(
                    type,
                    config,
                    f"event {hook.event}",
                    period=period,
                    frequency=frequency,
                    pid=pid,
                    cpu=cpu,
                    inherit=pid >= 0,
                )
            except KernelError as error:
                if error.errno not in _GONE or type == events.HARDWARE:
                    raise _refused(error, hook, type) from error
                last = error
                continue
            found.append(stack.enter_context(event))
            if len(found) == most:
                break
        if not found:
            raise _none(hook, last)
        stack.pop_all()
    return found


def _places(hook: PerfEvent) -> list[tuple[int, int]]:
    """(Thread or -1, CPU or -1) for each event."""
    online = perf.online_cpus()
    if hook.cpu is not None and hook.cpu not in online:
        shown = ", ".join(map(str, online))
        raise AttachError(f"CPU {hook.cpu} does not run, expected one of {shown}")
    if hook.pid is None:
        return [(-1, cpu) for cpu in (online if hook.cpu is None else (hook.cpu,))]
    try:
        threads = sorted(map(int, os.listdir(f"/proc/{hook.pid}/task")))
    except OSError:
        raise AttachError(f"there is no process {hook.pid}") from None
    return [(thread, -1 if hook.cpu is None else hook.cpu) for thread in threads]


def _refused(error: KernelError, hook: PerfEvent, type: int) -> KernelError | AttachError:
    if type != events.SOFTWARE and error.errno in (errno.ENOENT, errno.EOPNOTSUPP, errno.ENODEV):
        return NotSupported(
            f"this machine counts no {hook.event}: it has no such hardware counter, or (a virtual machine) hides it",
            feature="hardware-events",
            errno=error.errno,
            hint="cpu-clock samples without one",
        )
    if error.errno == errno.EINVAL and hook.frequency is not None:
        return AttachError(
            f"the kernel does not sample {hook.event} {hook.frequency} times a second",
            hint="kernel.perf_event_max_sample_rate is the most",
        )
    return error


def _none(hook: PerfEvent, error: KernelError | None) -> AttachError | KernelError:
    if hook.pid is not None:
        return AttachError(f"process {hook.pid} has ended")
    return error or AttachError("no CPU runs")
