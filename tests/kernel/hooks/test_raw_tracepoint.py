"""raw_tracepoint: the name alone, and no tracefs; some have something that programs may write to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import AttachError
from bpfimg.load import hooks
from tests.support import loads, tracing
from tests.support.features import hook, needs
from tests.support.netns import tracefs
from tests.support.objects import example

if TYPE_CHECKING:
    from bpfimg.load import Host

pytestmark = [pytest.mark.kernel, hook("raw_tracepoint")]


@needs("raw-tracepoint")
def test_switches_are_counted_until_the_program_is_detached(host: Host) -> None:
    link = tracing.counts_until_detached(host, example("raw_tracepoint_counter"), hooks.RawTracepoint("sched_switch"))
    assert (link.where, link.how, link.parts) == ("sched_switch", "link", 0)


@needs("raw-tracepoint")
def test_a_program_that_may_write(host: Host) -> None:
    """It writes nothing here, so any tracepoint will do."""
    data = tracing.program("raw_tracepoint.w/sched_switch")
    link = tracing.counts_until_detached(host, data, hooks.RawTracepoint("sched_switch"), counter="hits")
    assert host.loads()[0].record is not None
    assert host.loads()[0].record.programs[0].type == "raw_tracepoint_writable"  # type: ignore[union-attr]
    assert link.where == "sched_switch"


@needs("raw-tracepoint")
def test_one_that_writes_where_nothing_may_be_written(host: Host) -> None:
    data = tracing.program("raw_tracepoint.w", "hit(); *(__u64 *)ctx[0] = 1; return 0;")
    with (
        loads.nothing_left(host),
        pytest.raises(AttachError, match="reads or writes more than raw tracepoint") as caught,
    ):
        loads.run(host, data, hooks.RawTracepoint("sched_switch"))
    assert "nbd_send_request" in caught.value.hint


@needs("raw-tracepoint")
def test_a_name_that_is_not_there_is_answered_with_those_near_it(host: Host) -> None:
    with (
        tracefs(),
        loads.nothing_left(host),
        pytest.raises(AttachError, match="no raw tracepoint sched_swich") as caught,
    ):
        loads.run(host, example("raw_tracepoint_counter"), hooks.RawTracepoint("sched_swich"))
    assert "sched_switch" in caught.value.hint
