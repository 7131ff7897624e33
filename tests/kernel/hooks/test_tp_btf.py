"""tp_btf: bound to a tracepoint when it is loaded, and so without a trampoline on every kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import AttachError
from bpfimg.load import hooks
from tests.support import loads, tracing
from tests.support.features import hook, needs
from tests.support.objects import example

if TYPE_CHECKING:
    from bpfimg.load import Host

pytestmark = [pytest.mark.kernel, hook("tp_btf")]


@needs("tp-btf")
@pytest.mark.parametrize("target", [None, "sched_switch"])
def test_switches_are_counted_until_the_program_is_detached(target: str | None, host: Host) -> None:
    link = tracing.counts_until_detached(host, example("tp_btf_counter"), hooks.Tracing("tp_btf", target))
    assert (link.where, link.details) == ("sched_switch", {"target": "sched_switch"})


@needs("tp-btf")
def test_the_hook_says_another_than_the_section(host: Host) -> None:
    data = tracing.program("tp_btf/sched_switch")
    link = tracing.counts_until_detached(host, data, hooks.Tracing("tp_btf", "hrtimer_start"), counter="hits")
    assert link.where == "hrtimer_start"
    assert host.loads()[0].record.programs[0].target == "hrtimer_start"  # type: ignore[union-attr]


@needs("tp-btf")
def test_what_is_loaded_already_stays_bound(host: Host) -> None:
    loaded = loads.only_load(host, example("tp_btf_counter"))
    with pytest.raises(AttachError, match="was bound to sched_switch when it was loaded, expected sched_wakeup"):
        loads.attach(host, loaded.id, hooks.Tracing("tp_btf", "sched_wakeup"))
    assert loads.attach(host, loaded.id, hooks.Tracing("tp_btf")).where == "sched_switch"


@needs("tp-btf")
def test_a_name_that_is_not_there(host: Host) -> None:
    with loads.nothing_left(host), pytest.raises(AttachError, match="this kernel has no tracepoint sched_swich"):
        loads.run(host, example("tp_btf_counter"), hooks.Tracing("tp_btf", "sched_swich"))
