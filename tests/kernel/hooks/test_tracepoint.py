"""tracepoint: found by group and name, wherever tracefs is; the record knows what the kernel may not tell."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import AttachError, KernelError
from bpfimg.load import hooks
from tests.support import loads, tracing
from tests.support.features import hook, needs
from tests.support.netns import tracefs
from tests.support.objects import example

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.load import Host

pytestmark = [pytest.mark.kernel, hook("tracepoint")]


@pytest.fixture(autouse=True)
def _tracefs() -> Iterator[None]:
    needs("tracefs")
    with tracefs():
        yield


def test_calls_are_counted_until_the_program_is_detached(host: Host) -> None:
    link = tracing.counts_until_detached(
        host, example("tracepoint_counter"), hooks.Tracepoint("syscalls", "sys_enter_getpid"), os.getpid
    )
    assert (link.hook, link.where, link.how) == ("tracepoint", "syscalls/sys_enter_getpid", "link")


def test_one_program_is_on_several_at_once(host: Host) -> None:
    loaded = loads.only_load(host, example("tracepoint_counter"))
    for name in ("sys_enter_getpid", "sys_enter_getppid"):
        loads.attach(host, loaded.id, hooks.Tracepoint.parse(f"syscalls:{name}"))
    before = loads.counted(loaded)
    os.getppid()
    assert loads.counted(loaded) > before


def test_a_name_that_is_not_there_is_answered_with_those_near_it(host: Host) -> None:
    with (
        loads.nothing_left(host),
        pytest.raises(AttachError, match="no tracepoint syscalls/sys_enter_getpidd") as caught,
    ):
        loads.run(host, example("tracepoint_counter"), hooks.Tracepoint("syscalls", "sys_enter_getpidd"))
    assert "syscalls/sys_enter_getpid" in caught.value.hint


def test_a_program_that_reads_more_than_there_is(host: Host) -> None:
    data = tracing.program("tracepoint", "hit(); return ctx[30] & 1;")
    with (
        loads.nothing_left(host),
        pytest.raises(KernelError, match="reads more than tracepoint syscalls/sys_enter_getpid"),
    ):
        loads.run(host, data, hooks.Tracepoint("syscalls", "sys_enter_getpid"))
