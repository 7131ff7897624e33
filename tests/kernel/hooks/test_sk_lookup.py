"""sk_lookup: each new connection of a namespace is seen before its socket is looked up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bpfimg import inspect
from bpfimg.errors import AttachError, SlotsFull
from bpfimg.load._attach import check
from bpfimg.load._hooks import Netns
from tests.support import loads
from tests.support.features import hook, needs
from tests.support.objects import example

if TYPE_CHECKING:
    from bpfimg.load import Host
    from tests.support.netns import Namespace

pytestmark = [pytest.mark.kernel, hook("sk_lookup"), needs("sk-lookup")]

_KNOCK = """
import socket, sys
s = socket.socket()
s.settimeout(5)
print(s.connect_ex((sys.argv[1], int(sys.argv[2]))))
"""


def knock(ns: Namespace, port: int = 7777) -> str:
    """Tries to connect to a port where nobody listens."""
    return ns.exec(["python3", "-I", "-S", "-c", _KNOCK, ns.address, str(port)], peer=True).stdout.strip()


def test_connections_are_counted_until_the_program_is_detached(host: Host, ns: Namespace) -> None:
    loaded = loads.run(host, example("sk_lookup_counter"), Netns("sk_lookup", ns.path))
    assert knock(ns) == "111", "refused: nobody listens"
    assert loads.counted(loaded) == 1
    loads.detach(host, loaded.links[0].id)
    knock(ns)
    assert loads.counted(loaded) == 1


def test_other_namespaces_are_left_alone(host: Host, ns: Namespace) -> None:
    loaded = loads.run(host, example("sk_lookup_counter"), Netns("sk_lookup", f"/var/run/netns/{ns.peer}"))
    knock(ns)
    assert loads.counted(loaded) == 0


def test_where_it_is(host: Host, ns: Namespace) -> None:
    loads.run(host, example("sk_lookup_counter"), Netns("sk_lookup", ns.name))
    (link,) = inspect.host(host).links
    assert (link.hook, link.target, link.state) == ("sk_lookup", f"netns {ns.name}", "attached")
    assert link.record is not None
    assert link.record.netns == ns.path


def test_a_namespace_takes_64(host: Host, ns: Namespace) -> None:
    loaded = loads.only_load(host, example("sk_lookup_counter"))
    with host.writer() as writer:
        for _ in range(64):
            writer.attach(loaded.id, Netns("sk_lookup", ns.path))
        with pytest.raises(SlotsFull, match="the kernel takes 64"):
            writer.attach(loaded.id, Netns("sk_lookup", ns.path))


def test_the_namespace_may_go_before_the_link(host: Host) -> None:
    with loads.doomed_namespace() as doomed:
        loaded = loads.run(host, example("sk_lookup_counter"), Netns("sk_lookup", doomed.path))
        loads.sh("ip", "netns", "del", doomed.name)
        assert loads.becomes_stale(host)
        loads.detach(host, loaded.links[0].id)


def test_no_such_namespace(host: Host) -> None:
    with pytest.raises(AttachError, match=r"no network namespace .*nowhere"):
        check(Netns("sk_lookup", "nowhere"))
