"""fmod_ret: a program answers in the place of a function of the kernel."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import AttachError, NotSupported, VerifierError
from bpfimg.kernel import functions
from bpfimg.load import hooks
from tests.support import loads, tracing
from tests.support.features import hook, lacks, needs
from tests.support.objects import example

if TYPE_CHECKING:
    from bpfimg.load import Host

pytestmark = [pytest.mark.kernel, hook("fmod_ret")]


@needs("fmod-ret")
def test_the_answer_is_the_programs_until_it_is_detached(host: Host) -> None:
    own = os.getpid()
    loaded = loads.run(host, example("fmod_ret_counter"), hooks.Tracing("fmod_ret"), globals={"pid": str(own)})
    with pytest.raises(PermissionError):
        os.getpgid(own)
    assert loads.counted(loaded) == 1
    assert loaded.links[0].where == "security_task_getpgid"
    loads.detach(host, loaded.links[0].id)
    os.getpgid(own)
    assert loads.counted(loaded) == 1


@needs("fmod-ret")
def test_the_hook_says_another_than_the_section(host: Host) -> None:
    own = os.getpid()
    wanted = hooks.Tracing("fmod_ret", "security_task_getsid" if _has_getsid() else "security_task_getpgid")
    loaded = loads.run(host, example("fmod_ret_counter"), wanted, globals={"pid": str(own)})
    assert loaded.links[0].where == wanted.target


def _has_getsid() -> bool:
    return functions.exists("security_task_getsid")


@needs("fmod-ret")
def test_a_function_whose_answer_may_not_be_changed(host: Host) -> None:
    data = tracing.program("fmod_ret")
    with loads.nothing_left(host), pytest.raises(VerifierError) as caught:
        loads.run(host, data, hooks.Tracing("fmod_ret", tracing.NAP))
    assert "not modifiable" in caught.value.log


@needs("fmod-ret")
def test_a_function_that_is_not_there(host: Host) -> None:
    with loads.nothing_left(host), pytest.raises(AttachError, match="no function security_task_getpgidd") as caught:
        loads.run(host, example("fmod_ret_counter"), hooks.Tracing("fmod_ret", "security_task_getpgidd"))
    assert "security_task_getpgid" in caught.value.hint


@lacks("fmod-ret")
def test_a_kernel_that_refuses_trampolines(host: Host) -> None:
    with loads.nothing_left(host), pytest.raises(NotSupported, match="programs that need BPF trampolines"):
        loads.run(host, example("fmod_ret_counter"), hooks.Tracing("fmod_ret"))
