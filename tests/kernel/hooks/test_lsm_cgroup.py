"""lsm_cgroup: a security hook of one control group, on kernels that have trampolines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import NotSupported, UsageError
from bpfimg.load._hooks import Cgroup as Hook
from tests.support import loads
from tests.support.features import hook, lacks, needs
from tests.support.objects import example

if TYPE_CHECKING:
    from bpfimg.load import Host
    from tests.support.cgroups import Cgroup

pytestmark = [pytest.mark.kernel, hook("cgroup lsm_cgroup"), needs("cgroup-link")]

_SOCKET = "import socket; socket.socket()"


@needs("lsm-cgroup")
def test_sockets_are_counted_until_the_program_is_detached(host: Host, cgroup: Cgroup) -> None:
    loaded = loads.run(host, example("lsm_cgroup_counter"), Hook(cgroup.path))
    assert loaded.links[0].where == f"{cgroup.path} lsm_cgroup"
    cgroup.exec(["python3", "-I", "-S", "-c", _SOCKET])
    assert loads.counted(loaded) == 1
    loads.detach(host, loaded.links[0].id)
    cgroup.exec(["python3", "-I", "-S", "-c", _SOCKET])
    assert loads.counted(loaded) == 1


@needs("lsm-cgroup")
def test_the_target_may_be_said_where_the_section_leaves_it_open(host: Host, cgroup: Cgroup) -> None:
    data = loads.counting("lsm_cgroup", "open", 1)
    with loads.nothing_left(host), pytest.raises(UsageError, match="names nothing to be bound to"):
        loads.run(host, data, Hook(cgroup.path))
    loaded = loads.run(host, data, Hook(cgroup.path, target="socket_create"))
    cgroup.exec(["python3", "-I", "-S", "-c", _SOCKET])
    assert loads.hits(loaded) == 1


@lacks("lsm-cgroup")
def test_a_kernel_that_refuses_trampolines_says_so(host: Host, cgroup: Cgroup) -> None:
    with loads.nothing_left(host), pytest.raises(NotSupported, match="trampolines"):
        loads.run(host, example("lsm_cgroup_counter"), Hook(cgroup.path))
