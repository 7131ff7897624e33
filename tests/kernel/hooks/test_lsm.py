"""lsm: the kernel asks the program whether something is allowed."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import AttachError, NotSupported
from bpfimg.load import hooks
from bpfimg.load._families import _tracing
from tests.support import loads, tracing
from tests.support.features import hook, lacks, needs
from tests.support.objects import example

if TYPE_CHECKING:
    from pathlib import Path

    from bpfimg.load import Host

pytestmark = [pytest.mark.kernel, hook("lsm")]


def _open() -> None:
    os.close(os.open("/proc/self/stat", os.O_RDONLY))


@needs("lsm")
def test_files_are_counted_until_the_program_is_detached(host: Host) -> None:
    data = tracing.program("lsm", "hit(); return (int)ctx[1];")
    link = tracing.counts_until_detached(host, data, hooks.Tracing("lsm", "file_open"), _open, counter="hits")
    assert (link.where, link.details) == ("file_open", {"target": "file_open"})


@needs("lsm")
def test_it_may_say_no_until_it_is_detached(host: Host) -> None:
    ask = "while read x; do if true < /proc/self/stat; then echo yes; else echo no; fi; done"
    with subprocess.Popen(["sh", "-c", ask], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=-3) as other:

        def answer() -> bytes:
            assert other.stdin is not None
            assert other.stdout is not None
            other.stdin.write(b"\n")
            other.stdin.flush()
            return other.stdout.readline()

        assert answer() == b"yes\n"
        values = {"pid": str(other.pid), "forbid": "true"}
        loaded = loads.run(host, example("lsm_counter"), hooks.Tracing("lsm"), globals=values)
        assert answer() == b"no\n"
        assert loads.counted(loaded) == 1
        _open()
        loads.detach(host, loaded.links[0].id)
        assert answer() == b"yes\n"
        assert loads.counted(loaded) == 1
        assert other.stdin is not None
        other.stdin.close()


@needs("lsm")
def test_a_program_that_may_sleep(host: Host) -> None:
    data = tracing.program("lsm.s/file_open", "hit(); return (int)ctx[1];")
    tracing.counts_until_detached(host, data, hooks.Tracing("lsm"), _open, counter="hits")


@needs("lsm")
def test_a_hook_that_is_not_there(host: Host) -> None:
    with loads.nothing_left(host), pytest.raises(AttachError, match="kernel has no LSM hook file_opened") as caught:
        loads.run(host, example("lsm_counter"), hooks.Tracing("lsm", "file_opened"))
    assert "file_open" in caught.value.hint


@needs("lsm")
def test_a_kernel_that_asks_no_programs(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Debian's is when lsm= on its command line leaves bpf out: played, for it takes a boot."""
    active = tmp_path / "lsm"
    active.write_text("capability,landlock,apparmor")
    monkeypatch.setattr(_tracing, "_ACTIVE", str(active))
    with loads.nothing_left(host), pytest.raises(NotSupported, match="asks no BPF programs about security") as caught:
        loads.run(host, example("lsm_counter"), hooks.Tracing("lsm"))
    assert caught.value.feature == "lsm"
    assert "add bpf to lsm=" in caught.value.hint


@lacks("lsm")
def test_a_kernel_that_refuses_trampolines(host: Host) -> None:
    """Also one that lists bpf among its security modules: only a load tells."""
    with loads.nothing_left(host), pytest.raises(NotSupported, match="programs that need BPF trampolines"):
        loads.run(host, example("lsm_counter"), hooks.Tracing("lsm"))
