"""fexit: a function of the kernel or a module as it returns, with its arguments and its result."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import AttachError, Busy, NotSupported, VerifierError
from bpfimg.load import hooks
from tests.support import loads, tracing
from tests.support.features import hook, lacks, needs

if TYPE_CHECKING:
    from bpfimg.load import Host
    from tests.support.netns import Namespace

pytestmark = [pytest.mark.kernel, hook("fexit")]


@needs("trampolines")
@pytest.mark.parametrize("target", [None, tracing.NAP])
def test_calls_are_counted_until_the_program_is_detached(target: str | None, host: Host) -> None:
    data = tracing.program(f"fexit/{tracing.NAP}")
    link = tracing.counts_until_detached(host, data, hooks.Tracing("fexit", target), counter="hits")
    assert (link.where, link.how, link.details) == (tracing.NAP, "link", {"target": tracing.NAP})


@needs("trampolines")
def test_the_hook_says_another_than_the_section(host: Host) -> None:
    data = tracing.program("fexit/vfs_read")
    link = tracing.counts_until_detached(host, data, hooks.Tracing("fexit", tracing.NAP), counter="hits")
    assert link.where == tracing.NAP


@needs("trampolines")
def test_a_section_that_names_nothing_takes_what_the_hook_says(host: Host) -> None:
    tracing.counts_until_detached(host, tracing.program("fexit"), hooks.Tracing("fexit", tracing.NAP), counter="hits")


@needs("trampolines")
def test_a_program_that_sleeps_where_nothing_may(host: Host) -> None:
    data = tracing.program("fexit.s")
    with loads.nothing_left(host), pytest.raises(VerifierError, match="is not sleepable"):
        loads.run(host, data, hooks.Tracing("fexit", "security_task_getpgid"))


@needs("trampolines")
def test_a_program_is_there_once(host: Host) -> None:
    loaded = loads.run(host, tracing.program("fexit"), hooks.Tracing("fexit", tracing.NAP))
    with pytest.raises(Busy, match="is at do_nanosleep already, and can be there once") as caught:
        loads.attach(host, loaded.id, hooks.Tracing("fexit"))
    assert f"bpfimg detach {loaded.links[0].id}" in caught.value.hint
    loads.detach(host, loaded.links[0].id)
    assert loads.attach(host, loaded.id, hooks.Tracing("fexit")).where == tracing.NAP


@needs("trampolines")
def test_a_function_of_a_module(host: Host, ns: Namespace) -> None:
    wanted = hooks.Tracing("fexit", "veth_xmit", "veth")
    link = tracing.counts_until_detached(host, tracing.program("fexit"), wanted, lambda: ns.ping(1), counter="hits")
    assert (link.where, link.details) == ("veth:veth_xmit", {"target": "veth_xmit", "module": "veth"})


@needs("trampolines")
def test_a_function_that_is_not_of_that_module(host: Host) -> None:
    data = tracing.program("fexit")
    with loads.nothing_left(host), pytest.raises(AttachError, match="of the kernel itself, expected veth"):
        loads.run(host, data, hooks.Tracing("fexit", tracing.NAP, "veth"))
    with loads.nothing_left(host), pytest.raises(AttachError, match="module no_such is not loaded"):
        loads.run(host, data, hooks.Tracing("fexit", tracing.NAP, "no_such"))


@needs("trampolines")
def test_a_function_that_is_not_there(host: Host) -> None:
    data = tracing.program("fexit")
    with loads.nothing_left(host), pytest.raises(AttachError, match="kernel has no function do_nanoslep") as caught:
        loads.run(host, data, hooks.Tracing("fexit", "do_nanoslep"))
    assert tracing.NAP in caught.value.hint


@lacks("trampolines")
def test_a_kernel_that_refuses_trampolines(host: Host) -> None:
    data = tracing.program("fexit")
    with loads.nothing_left(host), pytest.raises(NotSupported, match="programs that need BPF trampolines") as caught:
        loads.run(host, data, hooks.Tracing("fexit", tracing.NAP))
    assert caught.value.feature == "trampolines"
