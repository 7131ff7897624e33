"""kprobe: one function by its name, with an offset, of a module; or every function that fits a pattern."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import AttachError, NotSupported
from bpfimg.kernel import features
from bpfimg.load import hooks
from bpfimg.load._attach import check
from bpfimg.load._families import _kprobe_many
from bpfimg.load._foresee import foresee
from tests.support import loads, tracing
from tests.support.features import hook, lacks, needs
from tests.support.netns import tracefs
from tests.support.objects import example

if TYPE_CHECKING:
    from bpfimg.load import Host
    from tests.support.netns import Namespace

pytestmark = [pytest.mark.kernel, hook("kprobe")]


@needs("kprobe")
def test_calls_are_counted_until_the_program_is_detached(host: Host) -> None:
    link = tracing.counts_until_detached(host, example("kprobe_counter"), hooks.Kprobe(tracing.NAP))
    assert (link.where, link.how, link.parts) == (tracing.NAP, "link", 0)


@needs("kprobe")
def test_a_place_behind_the_entry(host: Host) -> None:
    """Behind the 5 bytes that every function that can be traced begins with on x86, or the 4 of others."""
    offset = 4 if os.uname().machine == "aarch64" else _behind_entry()
    link = tracing.counts_until_detached(host, example("kprobe_counter"), hooks.Kprobe(tracing.NAP, offset))
    assert link.where == f"{tracing.NAP}+{offset:#x}"


def _behind_entry() -> int:
    """9 where the function begins with endbr64, else 5."""
    for offset in (9, 5):
        try:
            check(hooks.Kprobe(tracing.NAP, offset))
        except AttachError:
            continue
        return offset
    pytest.fail("no instruction where one is expected")


@needs("kprobe")
def test_a_place_that_is_not_at_an_instruction(host: Host) -> None:
    wrong = [offset for offset in range(1, 5) if not _is_instruction(offset)]
    assert wrong
    with loads.nothing_left(host), pytest.raises(AttachError, match=f"no instruction begins at offset {wrong[0]:#x}"):
        loads.run(host, example("kprobe_counter"), hooks.Kprobe(tracing.NAP, wrong[0]))


@needs("kprobe")
def test_a_place_behind_the_function(host: Host) -> None:
    with loads.nothing_left(host), pytest.raises(AttachError, match="offset 0x10000 is behind the end of do_nanosleep"):
        loads.run(host, example("kprobe_counter"), hooks.Kprobe(tracing.NAP, 0x10000))


def _is_instruction(offset: int) -> bool:
    try:
        check(hooks.Kprobe(tracing.NAP, offset))
    except AttachError:
        return False
    return True


@needs("kprobe")
def test_a_function_of_a_module(host: Host, ns: Namespace) -> None:
    link = tracing.counts_until_detached(
        host, example("kprobe_counter"), hooks.Kprobe("veth_xmit", module="veth"), lambda: ns.ping(1)
    )
    assert (link.where, link.spec["module"]) == ("veth:veth_xmit", "veth")


@needs("kprobe")
def test_names_that_are_not_there_are_answered_with_those_near_them(host: Host) -> None:
    def refused(hook: hooks.Kprobe) -> tuple[str, str]:
        with loads.nothing_left(host), pytest.raises(AttachError) as caught:
            loads.run(host, example("kprobe_counter"), hook)
        return str(caught.value), caught.value.hint

    said, hint = refused(hooks.Kprobe("do_nanoslep"))
    assert said == "this kernel has no function do_nanoslep"
    assert tracing.NAP in hint
    assert "inlined" in hint
    said, hint = refused(hooks.Kprobe("veth_xmitt", module="veth"))
    assert said == "module veth has no function veth_xmitt"
    assert "veth:veth_xmit" in hint
    said, hint = refused(hooks.Kprobe("x", module="no_such_module"))
    assert said == "module no_such_module is not loaded, so it has no function x"
    said, _ = refused(hooks.Kprobe(pattern="no_such_function_*"))
    assert said == "no function that can be traced fits no_such_function_*"


@needs("kprobe")
def test_a_function_that_nobody_may_probe(host: Host) -> None:
    with loads.nothing_left(host), pytest.raises(AttachError, match="the kernel lets nobody probe"):
        loads.run(host, example("kprobe_counter"), hooks.Kprobe("kprobe_dispatcher"))


@needs("kprobe", "tracefs")
@pytest.mark.parametrize("section", ["kprobe", "kprobe.multi", "kprobe.multi/whatever"])
def test_all_that_fit_a_pattern(section: str, host: Host) -> None:
    """By one link where the kernel has such, by one for each function else; whatever the section says."""
    pattern = hooks.Kprobe(pattern="hrtimer_nanosl*")
    with tracefs():
        link = tracing.counts_until_detached(host, tracing.program(section), pattern, counter="hits")
    assert link.details is not None
    assert "hrtimer_nanosleep" in link.details["names"]  # type: ignore[operator]
    count = link.details["functions"]
    assert link.where == f"hrtimer_nanosl* ({count} function{'' if count == 1 else 's'})"


@needs("kprobe", "tracefs")
@pytest.mark.parametrize("module", [None, "veth"])
def test_a_pattern_of_one_module(module: str | None, host: Host, ns: Namespace) -> None:
    with tracefs():
        link = tracing.counts_until_detached(
            host, example("kprobe_counter"), hooks.Kprobe(pattern="veth_xm*", module=module), lambda: ns.ping(1)
        )
    assert link.details is not None
    assert "veth_xmit" in link.details["names"]  # type: ignore[operator]


@needs("kprobe-multi", "tracefs")
def test_hundreds_of_functions_in_one_link(host: Host) -> None:
    with tracefs():
        link = tracing.counts_until_detached(host, example("kprobe_counter"), hooks.Kprobe(pattern="vfs_*"), _read)
    assert link.parts == 0
    assert link.details is not None
    assert int(str(link.details["functions"])) > 20


@needs("kprobe", "tracefs")
@lacks("kprobe-multi")
def test_a_link_for_each_where_there_is_no_other_way(host: Host) -> None:
    with tracefs():
        link = tracing.counts_until_detached(host, example("kprobe_counter"), hooks.Kprobe(pattern="vfs_rea*"), _read)
    assert link.details is not None
    assert link.parts == int(str(link.details["functions"])) - 1 > 0


def _read() -> None:
    with open("/proc/self/stat", "rb") as file:
        file.read()


@needs("kprobe", "tracefs")
def test_a_pattern_foreseen(host: Host) -> None:
    one = "one link" if features.has("kprobe-multi") else "a link each"
    with tracefs():
        said = foresee(hooks.Kprobe(pattern="hrtimer_nanosl*"), host)
    assert said.endswith(f"by {one}")


@needs("kprobe", "tracefs")
@lacks("kprobe-multi")
def test_too_many_for_a_link_each(host: Host) -> None:
    with tracefs(), loads.nothing_left(host), pytest.raises(NotSupported, match="expected at most 128") as caught:
        loads.run(host, example("kprobe_counter"), hooks.Kprobe(pattern="tcp_*"))
    assert caught.value.feature == "kprobe-multi"
    assert "kprobe_multi, CONFIG_FPROBE" in str(caught.value)


@needs("kprobe", "tracefs")
def test_what_was_loaded_for_one_function_gets_a_link_for_each(host: Host) -> None:
    loaded = loads.only_load(host, example("kprobe_counter"))
    with tracefs():
        link = loads.attach(host, loaded.id, hooks.Kprobe(pattern="hrtimer_*"))
        assert link.details is not None
        assert link.parts == int(str(link.details["functions"])) - 1 > 1
        tracing.nap()
        assert loads.counted(loaded) > 0
        with pytest.raises((AttachError, NotSupported), match=f"expected at most {_kprobe_many.MOST}"):
            loads.attach(host, loaded.id, hooks.Kprobe(pattern="tcp_*"))


@needs("kprobe-multi", "tracefs")
def test_what_was_loaded_for_many_takes_one(host: Host) -> None:
    loaded = loads.only_load(host, tracing.program("kprobe.multi"))
    link = loads.attach(host, loaded.id, hooks.Kprobe(tracing.NAP))
    assert link.where == tracing.NAP
    tracing.nap()
    assert loads.hits(loaded) > 0
    with tracefs(), pytest.raises(AttachError, match="this kernel has no function do_nanoslep"):
        loads.attach(host, loaded.id, hooks.Kprobe("do_nanoslep"))


@lacks("kprobe")
@pytest.mark.parametrize("wanted", [hooks.Kprobe("do_nanosleep"), hooks.Kprobe(pattern="vfs_*")])
def test_a_kernel_without_kprobes(wanted: hooks.Kprobe, host: Host) -> None:
    with loads.nothing_left(host), pytest.raises(NotSupported, match="this kernel was built without kprobes") as caught:
        loads.run(host, example("kprobe_counter"), wanted)
    assert caught.value.feature == "kprobe"
    assert "tracepoint" in caught.value.hint
    with pytest.raises(NotSupported):
        check(wanted)
