"""fentry and fexit: a function of the kernel or a module as it is called, or as it returns, with its types; bound to it
when it is loaded."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import AttachError, Busy, NotSupported, VerifierError
from bpfimg.load import Origin, hooks, prepare
from tests.support import loads, tracing
from tests.support.features import hook, lacks, needs
from tests.support.objects import example

if TYPE_CHECKING:
    from bpfimg.load import Host
    from tests.support.netns import Namespace

pytestmark = pytest.mark.kernel


@pytest.fixture(params=[pytest.param(word, marks=hook(word)) for word in ("fentry", "fexit")])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@needs("trampolines")
@pytest.mark.parametrize("target", [None, tracing.NAP])
def test_calls_are_counted_until_the_program_is_detached(kind: str, target: str | None, host: Host) -> None:
    data = tracing.program(f"{kind}/{tracing.NAP}")
    link = tracing.counts_until_detached(host, data, hooks.Tracing(kind, target), counter="hits")
    assert (link.where, link.how, link.details) == (tracing.NAP, "link", {"target": tracing.NAP})


@needs("trampolines")
def test_the_hook_says_another_than_the_section(kind: str, host: Host) -> None:
    data = tracing.program(f"{kind}/vfs_read")
    link = tracing.counts_until_detached(host, data, hooks.Tracing(kind, tracing.NAP), counter="hits")
    assert link.where == tracing.NAP


@needs("trampolines")
def test_a_section_that_names_nothing_takes_what_the_hook_says(kind: str, host: Host) -> None:
    tracing.counts_until_detached(host, tracing.program(kind), hooks.Tracing(kind, tracing.NAP), counter="hits")


@needs("trampolines")
def test_a_program_that_sleeps_where_nothing_may(kind: str, host: Host) -> None:
    data = tracing.program(f"{kind}.s")
    with loads.nothing_left(host), pytest.raises(VerifierError, match="is not sleepable"):
        loads.run(host, data, hooks.Tracing(kind, "security_task_getpgid"))


@needs("trampolines")
def test_a_program_is_there_once(kind: str, host: Host) -> None:
    loaded = loads.run(host, tracing.program(kind), hooks.Tracing(kind, tracing.NAP))
    with pytest.raises(Busy, match="is at do_nanosleep already, and can be there once") as caught:
        loads.attach(host, loaded.id, hooks.Tracing(kind))
    assert f"bpfimg detach {loaded.links[0].id}" in caught.value.hint
    loads.detach(host, loaded.links[0].id)
    assert loads.attach(host, loaded.id, hooks.Tracing(kind)).where == tracing.NAP


@needs("trampolines")
def test_a_function_of_a_module(kind: str, host: Host, ns: Namespace) -> None:
    wanted = hooks.Tracing(kind, "veth_xmit", "veth")
    link = tracing.counts_until_detached(host, tracing.program(kind), wanted, lambda: ns.ping(1), counter="hits")
    assert (link.where, link.details) == ("veth:veth_xmit", {"target": "veth_xmit", "module": "veth"})


@needs("trampolines")
def test_a_function_that_is_not_of_that_module(kind: str, host: Host) -> None:
    data = tracing.program(kind)
    with loads.nothing_left(host), pytest.raises(AttachError, match="of the kernel itself, expected veth"):
        loads.run(host, data, hooks.Tracing(kind, tracing.NAP, "veth"))
    with loads.nothing_left(host), pytest.raises(AttachError, match="module no_such is not loaded"):
        loads.run(host, data, hooks.Tracing(kind, tracing.NAP, "no_such"))


@needs("trampolines")
def test_a_function_that_is_not_there(kind: str, host: Host) -> None:
    data = tracing.program(kind)
    with loads.nothing_left(host), pytest.raises(AttachError, match="kernel has no function do_nanoslep") as caught:
        loads.run(host, data, hooks.Tracing(kind, "do_nanoslep"))
    assert tracing.NAP in caught.value.hint


@lacks("trampolines")
def test_a_kernel_that_refuses_trampolines(kind: str, host: Host) -> None:
    data = tracing.program(kind)
    with loads.nothing_left(host), pytest.raises(NotSupported, match="programs that need BPF trampolines") as caught:
        loads.run(host, data, hooks.Tracing(kind, tracing.NAP))
    assert caught.value.feature == "trampolines"


@hook("fentry", "fexit")
@needs("trampolines")
def test_two_programs_of_one_object_with_one_map(host: Host) -> None:
    """The example: calls, and those of them that slept in full."""
    pairs = [(name, hooks.Tracing(kind)) for name, kind in (("count_calls", "fentry"), ("count_failures", "fexit"))]
    with prepare(example("fentry_counter"), name="app", hooks=pairs, globals={"pid": str(os.getpid())}) as prepared:
        prepared.load()
        with host.writer() as writer:
            loaded = writer.run(prepared, Origin("app"))
    assert [link.hook for link in loaded.links] == ["fentry", "fexit"]
    tracing.nap()
    assert loads.counted(loaded) == 1
