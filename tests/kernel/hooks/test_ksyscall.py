"""ksyscall and kretsyscall: a system call by its name in the manual, as it begins or as it returns."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import AttachError, NotSupported
from bpfimg.load import hooks
from tests.support import loads, tracing
from tests.support.features import hook, lacks, needs
from tests.support.objects import example

if TYPE_CHECKING:
    from bpfimg.load import Host

pytestmark = pytest.mark.kernel


@pytest.fixture(params=[pytest.param(word, marks=hook(word)) for word in ("ksyscall", "kretsyscall")])
def word(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def syscall(word: str, name: str) -> hooks.Ksyscall:
    return hooks.Ksyscall(name, ret=word == "kretsyscall")


@needs("ksyscall")
def test_calls_are_counted_until_the_program_is_detached(word: str, host: Host) -> None:
    link = tracing.counts_until_detached(host, example("kprobe_counter"), syscall(word, "getppid"), os.getppid)
    assert (link.hook, link.where) == (word, "getppid")
    assert link.details is not None
    assert str(link.details["function"]).endswith("sys_getppid")


@needs("ksyscall")
def test_a_call_that_is_not_there(word: str, host: Host) -> None:
    with loads.nothing_left(host), pytest.raises(AttachError, match="no system call opensesame"):
        loads.run(host, example("kprobe_counter"), syscall(word, "opensesame"))


@lacks("ksyscall")
def test_a_kernel_without_kprobes(word: str, host: Host) -> None:
    with loads.nothing_left(host), pytest.raises(NotSupported, match="this kernel was built without kprobes"):
        loads.run(host, example("kprobe_counter"), syscall(word, "getppid"))
