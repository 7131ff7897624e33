"""flow_dissector: packets of a namespace are seen while they are told apart into flows; one program for each."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from bpfimg import inspect
from bpfimg.errors import Busy
from bpfimg.load._hooks import Netns
from tests.support import loads
from tests.support.features import VARIABLE, hook, needs
from tests.support.objects import example

if TYPE_CHECKING:
    from bpfimg.load import Host
    from tests.support.netns import Namespace

pytestmark = [pytest.mark.kernel, hook("flow_dissector"), needs("flow-dissector")]


def test_packets_are_counted_until_the_program_is_detached(host: Host, ns: Namespace) -> None:
    # Receive packet steering is what asks for a packet's flow.
    steer = f"mount -t sysfs sysfs /sys && echo 1 > /sys/class/net/{ns.interface}/queues/rx-0/rps_cpus"
    ns.exec(["unshare", "--mount", "sh", "-c", steer])  # sysfs shows the interfaces of whoever mounted it
    loaded = loads.run(host, example("flow_dissector_counter"), Netns("flow_dissector", ns.path))
    assert ns.ping(3)
    seen = loads.counted(loaded)
    assert seen >= 3
    loads.detach(host, loaded.links[0].id)
    assert ns.ping(1)
    assert loads.counted(loaded) == seen


def test_a_namespace_takes_one(host: Host, ns: Namespace) -> None:
    loaded = loads.run(host, example("flow_dissector_counter"), Netns("flow_dissector", ns.path), "mine")
    with loads.nothing_left(host), pytest.raises(Busy, match=r"already runs a flow_dissector: .*'mine'") as caught:
        loads.run(host, example("flow_dissector_counter"), Netns("flow_dissector", ns.path))
    assert f"`bpfimg detach {loaded.links[0].id}`" in caught.value.hint
    loads.run(host, example("flow_dissector_counter"), Netns("flow_dissector", f"/var/run/netns/{ns.peer}"), "other")


@pytest.mark.skipif(VARIABLE not in os.environ, reason="only in a guest may the first network namespace be touched")
def test_the_first_namespace_is_refused_while_another_has_one(host: Host, ns: Namespace) -> None:
    loads.run(host, example("flow_dissector_counter"), Netns("flow_dissector", ns.path))
    with loads.nothing_left(host), pytest.raises(Busy, match="that of the host's first network namespace is for all"):
        loads.run(host, example("flow_dissector_counter"), Netns("flow_dissector", "/proc/self/ns/net"))


def test_where_it_is(host: Host, ns: Namespace) -> None:
    loads.run(host, example("flow_dissector_counter"), Netns("flow_dissector", ns.path))
    (link,) = inspect.host(host).links
    assert (link.hook, link.target, link.state) == ("flow_dissector", f"netns {ns.name}", "attached")
