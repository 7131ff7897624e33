"""sock_ops: TCP connections of a control group are counted, until the program is taken off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bpfimg.load._hooks import Cgroup as Hook
from tests.support import loads
from tests.support.features import hook, needs
from tests.support.objects import example

if TYPE_CHECKING:
    from bpfimg.load import Host
    from tests.support.cgroups import Cgroup
    from tests.support.netns import Namespace

pytestmark = [pytest.mark.kernel, hook("cgroup sock_ops"), needs("cgroup-link")]

_CONNECT = "import socket; l = socket.create_server(('10.77.0.1', 0)); socket.create_connection(l.getsockname())"


def test_connections_are_counted_until_the_program_is_detached(host: Host, ns: Namespace, cgroup: Cgroup) -> None:
    loads.sh("ip", "-n", ns.name, "link", "set", "lo", "up")
    connect = ["nsenter", f"--net={ns.path}", "python3", "-I", "-S", "-c", _CONNECT]
    loaded = loads.run(host, example("sockops_counter"), Hook(cgroup.path))
    assert loaded.links[0].where == f"{cgroup.path} sock_ops"
    cgroup.exec(connect)
    assert loads.counted(loaded) == 2, "both ends are of the group"
    loads.detach(host, loaded.links[0].id)
    cgroup.exec(connect)
    assert loads.counted(loaded) == 2
