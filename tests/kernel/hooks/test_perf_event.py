"""perf_event: samples on every CPU or of one process, by frequency or by events."""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import AttachError, KernelError, NotSupported, UsageError
from bpfimg.kernel import bpf, perf
from bpfimg.load import hooks
from bpfimg.load._attach import check
from tests.support import loads, tracing
from tests.support.features import hook, needs
from tests.support.objects import example

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from bpfimg.kernel import Fd
    from bpfimg.load import Host, Load

pytestmark = [pytest.mark.kernel, hook("perf_event")]


def _work() -> None:
    end = time.process_time() + 0.06
    while time.process_time() < end:
        pass


def _touch() -> None:
    """New memory has no pages until each is touched."""
    with mmap.mmap(-1, 1000 * mmap.PAGESIZE) as memory:
        memory.madvise(mmap.MADV_NOHUGEPAGE)
        for at in range(0, len(memory), mmap.PAGESIZE):
            memory[at] = 1


@pytest.fixture(autouse=True)
def _needed() -> None:
    needs("perf-link")


def test_the_clock_is_counted_on_every_cpu_until_the_program_is_detached(host: Host) -> None:
    link = tracing.counts_until_detached(host, example("perf_event_counter"), hooks.PerfEvent(frequency=999), _work)
    assert link.where == "cpu-clock, 999 a second"
    assert link.details == {"cpus": len(perf.online_cpus())}
    assert link.parts == len(perf.online_cpus()) - 1


@pytest.mark.parametrize(
    ("event", "act"),
    [
        ("task-clock", _work),
        ("page-faults", _touch),
        ("minor-faults", _touch),
        ("faults", _touch),
        ("context-switches", tracing.nap),
        ("cs", tracing.nap),
    ],
)
def test_software_events(event: str, act: Callable[[], None], host: Host) -> None:
    link = tracing.counts_until_detached(host, example("perf_event_counter"), hooks.PerfEvent(event), act)
    assert link.where.startswith(f"{event}, ")


def test_one_in_so_many(host: Host) -> None:
    own = os.getpid()
    each = loads.run(host, example("perf_event_counter"), hooks.PerfEvent("page-faults", pid=own), "each")
    seldom = hooks.PerfEvent("page-faults", period=100, pid=own)
    some = loads.run(host, example("perf_event_counter"), seldom, "some")
    _touch()
    assert loads.counted(each) >= 50 * loads.counted(some) > 0


def test_one_process_and_what_it_starts(host: Host) -> None:
    with subprocess.Popen(["sh", "-c", "read x; true & wait; read x"], stdin=subprocess.PIPE) as other:
        assert other.stdin is not None
        loaded = loads.run(host, example("perf_event_counter"), hooks.PerfEvent("page-faults", pid=other.pid))
        assert loaded.links[0].where == f"page-faults of process {other.pid}, each"
        before = _settled(loaded)
        _touch()
        assert loads.counted(loaded) == before, "that was not it"
        other.stdin.write(b"\n")
        other.stdin.flush()
        deadline = time.monotonic() + 60
        while loads.counted(loaded) == before and time.monotonic() < deadline:
            time.sleep(0.01)
        assert loads.counted(loaded) > before
        other.stdin.write(b"\n")
    loads.detach(host, loaded.links[0].id)


def _settled(loaded: Load) -> int:
    """The counter once the process that was just started has come to wait."""
    last = -1
    while (now := loads.counted(loaded)) != last:
        last = now
        time.sleep(0.1)
    return last


def test_each_thread_of_a_process_has_its_event(host: Host) -> None:
    gone = threading.Event()
    threads = [threading.Thread(target=gone.wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        link = loads.run(host, example("perf_event_counter"), hooks.PerfEvent("cs", pid=os.getpid())).links[0]
        assert link.details == {"threads": len(os.listdir("/proc/self/task"))}
        assert link.parts >= 3
    finally:
        gone.set()
        for thread in threads:
            thread.join()


def test_one_cpu(host: Host) -> None:
    cpu = perf.online_cpus()[-1]
    link = loads.run(host, example("perf_event_counter"), hooks.PerfEvent(cpu=cpu)).links[0]
    assert (link.where, link.parts) == (f"cpu-clock of CPU {cpu}, 99 a second", 0)


def test_a_cpu_or_process_that_is_not_there(host: Host) -> None:
    with loads.nothing_left(host):
        with pytest.raises(AttachError, match="CPU 4095 does not run, expected one of 0"):
            loads.run(host, example("perf_event_counter"), hooks.PerfEvent(cpu=4095))
        with pytest.raises(AttachError, match="there is no process 4194305"):
            loads.run(host, example("perf_event_counter"), hooks.PerfEvent(pid=4194305))
        with pytest.raises(AttachError):
            check(hooks.PerfEvent(cpu=4095))


def test_a_cpu_that_went_while_it_was_asked_for_is_left_out(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list of CPUs was true a moment ago: played, as taking a CPU away takes it from everybody."""
    opened = perf.perf_event

    def gone(*arguments: Any, cpu: int, **named: Any) -> Fd:
        if cpu == 4095:
            raise KernelError("played", errno=errno.ENODEV)
        return opened(*arguments, cpu=cpu, **named)

    online = perf.online_cpus()
    monkeypatch.setattr(perf, "perf_event", gone)
    monkeypatch.setattr(perf, "online_cpus", lambda: (4095, *online))
    link = loads.run(host, example("perf_event_counter"), hooks.PerfEvent()).links[0]
    assert link.details == {"cpus": len(online)}


@pytest.mark.skipif(len(perf.online_cpus()) == bpf.possible_cpus(), reason="every CPU runs here, unlike in guests")
def test_a_cpu_that_does_not_run_has_no_event(host: Host) -> None:
    stopped = min(set(range(bpf.possible_cpus())) - set(perf.online_cpus()))
    with pytest.raises(AttachError, match=f"CPU {stopped} does not run, expected one of 0"):
        check(hooks.PerfEvent(cpu=stopped))
    link = loads.run(host, example("perf_event_counter"), hooks.PerfEvent()).links[0]
    assert link.details == {"cpus": len(perf.online_cpus())}


def test_an_event_that_is_not_known() -> None:
    with pytest.raises(UsageError, match="event 'cpu-clok' is not known") as caught:
        hooks.PerfEvent("cpu-clok")
    assert "cpu-clock" in caught.value.hint


@pytest.mark.parametrize("event", ["cycles", "r003c"])
def test_counters_of_the_processor_or_the_sentence_without(event: str, host: Host) -> None:
    """Emulated processors have none; whether others show them is not a matter of the kernel."""
    wanted = hooks.PerfEvent(event, period=100_000)
    with contextlib.suppress(NotSupported):
        check(wanted)
        assert loads.run(host, example("perf_event_counter"), wanted).links[0].where == f"{event}, one in 100000"
        return
    with pytest.raises(NotSupported, match=f"this machine counts no {event}") as caught:
        check(wanted)
    assert caught.value.feature == "hardware-events"
    assert "cpu-clock" in caught.value.hint
