"""kretprobe: a function, or all that fit a pattern, as they return."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import NotSupported, UsageError
from bpfimg.load import hooks
from tests.support import loads, tracing
from tests.support.features import hook, lacks, needs
from tests.support.netns import tracefs
from tests.support.objects import example

if TYPE_CHECKING:
    from bpfimg.load import Host

pytestmark = [pytest.mark.kernel, hook("kretprobe")]


@needs("kprobe")
def test_returns_are_counted_until_the_program_is_detached(host: Host) -> None:
    link = tracing.counts_until_detached(host, example("kprobe_counter"), hooks.Kprobe(tracing.NAP, ret=True))
    assert (link.hook, link.where) == ("kretprobe", tracing.NAP)


@needs("kprobe", "tracefs")
@pytest.mark.parametrize("section", ["kretprobe", "kretprobe.multi/x"])
def test_all_that_fit_a_pattern(section: str, host: Host) -> None:
    pattern = hooks.Kprobe(pattern="hrtimer_nanosl*", ret=True)
    with tracefs():
        link = tracing.counts_until_detached(host, tracing.program(section), pattern, counter="hits")
    assert link.hook == "kretprobe"


def test_a_return_has_no_offset() -> None:
    with pytest.raises(UsageError, match="an offset goes with the entry of one function only"):
        hooks.Kprobe(tracing.NAP, 4, ret=True)


@lacks("kprobe")
def test_a_kernel_without_kprobes(host: Host) -> None:
    with loads.nothing_left(host), pytest.raises(NotSupported, match="this kernel was built without kprobes"):
        loads.run(host, example("kprobe_counter"), hooks.Kprobe(tracing.NAP, ret=True))
