"""What the inventory says in words, without a kernel."""

from __future__ import annotations

import re
import time

import pytest

from bpfimg import inspect
from bpfimg.errors import KernelError
from bpfimg.inspect._kernel._states import gone
from bpfimg.inspect._kernel._views import moment, word
from bpfimg.kernel import abi, walk
from bpfimg.load import Host


def test_numbers_have_words_and_unknown_ones_are_still_shown() -> None:
    assert word(abi.PROGRAM_TYPES, 6) == "xdp"
    assert word(abi.PROGRAM_TYPES, 999) == "type 999"
    assert word(abi.PROGRAM_TYPES, -1) == "type -1"


def test_a_moment_since_boot_is_a_time_of_day() -> None:
    now = moment(time.clock_gettime_ns(time.CLOCK_BOOTTIME))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", now)
    assert abs(time.time() - _seconds(now)) < 5


def _seconds(text: str) -> int:
    import calendar

    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))


@pytest.mark.parametrize(
    ("kind", "ifindex", "state"),
    [("xdp", 3, "attached"), ("xdp", 0, "stale"), ("tcx", 0, "stale"), ("perf_event", None, "attached")],
)
def test_a_link_without_a_device_is_stale(kind: str, ifindex: int | None, state: str) -> None:
    number = list(abi.LINK_TYPES).index(kind)
    assert bool(gone(walk.Link(1, number, 2, {"ifindex": ifindex}))) == (state == "stale")


def test_without_bpffs_there_is_a_hint(tmp_path: object) -> None:
    with pytest.raises(KernelError) as caught:
        inspect.host(Host(str(tmp_path)))
    assert "mount -t bpf" in caught.value.hint
