"""netkit: packets of either end of a pair are counted, in the order of priorities, until the program is taken off."""

from __future__ import annotations

import os
import secrets
import socket
import struct
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from bpfimg import inspect
from bpfimg.errors import AttachError, NotSupported, SlotsFull, UsageError
from bpfimg.kernel import abi, bpf, netlink, netns
from bpfimg.load._attach import check
from bpfimg.load._hooks import Netkit
from tests.support import loads, strangers_tc
from tests.support.features import hook, lacks, needs
from tests.support.netns import Namespace
from tests.support.objects import example

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.load import Host

pytestmark = [pytest.mark.kernel, hook("netkit")]


@contextmanager
def pair() -> Iterator[Namespace]:
    """Two namespaces joined by a netkit pair; `interface` is the primary device."""
    name = f"bpfimg-{os.getpid()}-{secrets.token_hex(3)}"
    ns = Namespace(name, f"{name}-peer", "nk0", "10.78.0.1", "nk1", "10.78.0.2")
    made = []
    try:
        for each in (ns.name, ns.peer):
            loads.sh("ip", "netns", "add", each)
            made.append(each)
        netns.call(ns.path, _make)
        loads.sh("ip", "-n", ns.name, "link", "set", "nk1", "netns", ns.peer)
        for place, device, address in ((ns.name, "nk0", ns.address), (ns.peer, "nk1", ns.peer_address)):
            quiet = f"echo 1 > /proc/sys/net/ipv6/conf/{device}/disable_ipv6"
            ns.exec(["sh", "-c", quiet], check=False, peer=place == ns.peer)
            loads.sh("ip", "-n", place, "address", "add", f"{address}/24", "dev", device)
            loads.sh("ip", "-n", place, "link", "set", device, "up")
        yield ns
    finally:
        for each in made:
            loads.sh("ip", "netns", "del", each)


def _make() -> None:
    """`ip link add nk0 type netkit peer name nk1`, which needs a newer ip(8), by netlink: layer 3, all may pass."""

    def attribute(kind: int, data: bytes) -> bytes:
        return (struct.pack("=HH", 4 + len(data), kind) + data).ljust(4 + len(data) + 3 & ~3, b"\0")

    head = struct.pack("=BxHiII", 0, 0, 0, 0, 0)
    options = attribute(1, head + attribute(3, b"nk1\0"))  # IFLA_NETKIT_PEER_INFO, IFLA_IFNAME
    info = attribute(1, b"netkit\0") + attribute(2, options)  # IFLA_INFO_KIND, IFLA_INFO_DATA
    body = head + attribute(3, b"nk0\0") + attribute(18, info)  # IFLA_IFNAME, IFLA_LINKINFO
    flags = 1 | 4 | 0x400 | 0x200  # request, acknowledge, create, exclusive
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as asked:
        asked.send(struct.pack("=IHHII", 16 + len(body), 16, flags, 1, 0) + body)  # RTM_NEWLINK
        answer = asked.recv(4096)
    assert struct.unpack_from("=i", answer, 16)[0] == 0, "the kernel made no netkit pair"


@needs("netkit")
@pytest.mark.parametrize("side", ["primary", "peer"])
def test_packets_are_counted_until_the_program_is_detached(side: str, host: Host) -> None:
    with pair() as ns:
        loaded = loads.run(host, example("netkit_counter"), Netkit(ns.interface, side, netns=ns.path))
        assert ns.ping(3)
        assert loads.counted(loaded) == 3
        loads.detach(host, loaded.links[0].id)
        assert ns.ping(1)
        assert loads.counted(loaded) == 3


@needs("netkit")
def test_the_lower_priority_runs_first_among_ours(host: Host) -> None:
    with pair() as ns:
        ids = {}
        for name, priority in (("b", 50), ("c", 60), ("a", 10)):
            data = loads.tc(name)
            ids[name] = loads.run(host, data, Netkit(ns.interface, "peer", priority, ns.path), name).id
        peer = abi.ATTACH_TYPES.index("netkit_peer")

        def chain() -> tuple[int, ...]:
            return bpf.prog_query(netlink.interface_index(ns.interface), peer)[0]

        assert netns.call(ns.path, chain) == (ids["a"], ids["b"], ids["c"])
        assert ns.ping(1)
        assert [loads.hits(load) for load in host.loads()] == [1, 1, 1]


@needs("netkit")
def test_those_of_others_stay_where_they_are_and_63_are_all(chained: Host) -> None:
    """As in a TCX chain; a host with chains has none there: netkit hooks stand in the kernel's own."""
    primary = abi.ATTACH_TYPES.index("netkit_primary")
    with pair() as ns, ExitStack() as stack:

        def stranger(flags: int = 0) -> None:
            other = stack.enter_context(strangers_tc.program())
            index = netlink.interface_index(ns.interface)
            stack.enter_context(bpf.link_create(other, index, primary, flags=flags))

        def names() -> list[str]:
            ours = {each.id: each.name for each in chained.loads()}
            found = netns.call(ns.path, lambda: bpf.prog_query(netlink.interface_index(ns.interface), primary)[0])
            return [ours.get(number, "x") for number in found]

        netns.call(ns.path, stranger)
        loads.run(chained, loads.tc("b50"), Netkit(ns.interface, "primary", 50, ns.path), "b50")
        netns.call(ns.path, stranger)
        netns.call(ns.path, stranger, abi.F_BEFORE)
        loads.run(chained, loads.tc("c70"), Netkit(ns.interface, "primary", 70, ns.path), "c70")
        loads.run(chained, loads.tc("a10"), Netkit(ns.interface, "primary", 10, ns.path), "a10")
        assert names() == ["x", "x", "a10", "b50", "c70", "x"]
        with chained.writer() as writer, pytest.raises(UsageError, match="which moves no link"):
            writer.change(chained.find("a10").links[0].id, priority=60)
        for _ in range(57):
            netns.call(ns.path, stranger)
        with loads.nothing_left(chained), pytest.raises(SlotsFull, match="netkit chain of nk0 primary has 63 programs"):
            loads.run(chained, loads.tc("d"), Netkit(ns.interface, "primary", 5, ns.path))


@needs("netkit")
def test_where_it_is_and_that_it_may_go(host: Host) -> None:
    with pair() as ns:
        loaded = loads.run(host, example("netkit_counter"), Netkit(ns.interface, "peer", netns=ns.path))
        (link,) = inspect.host(host).links
        assert (link.hook, link.state) == ("netkit", "attached")
        assert link.record is not None
        assert link.record.where == f"{ns.interface} peer"
        loads.sh("ip", "-n", ns.name, "link", "del", ns.interface)
        (link,) = inspect.host(host).links
        assert link.state == "stale"
        loads.detach(host, loaded.links[0].id)


@needs("netkit")
def test_it_is_attached_by_way_of_the_primary_device_only(host: Host) -> None:
    with pair() as ns, loads.nothing_left(host):
        hook = Netkit(ns.peer_interface, "peer", netns=f"/var/run/netns/{ns.peer}")
        with pytest.raises(AttachError, match="nk1 is the peer of a netkit pair, expected its primary device"):
            loads.run(host, example("netkit_counter"), hook)


@needs("netkit")
def test_a_device_of_another_kind(host: Host, ns: Namespace) -> None:
    with loads.nothing_left(host), pytest.raises(AttachError, match=r"is not a netkit device \(veth\)"):
        loads.run(host, example("netkit_counter"), Netkit(ns.interface, netns=ns.path))


@lacks("netkit")
def test_a_kernel_without_it_says_so(host: Host, ns: Namespace) -> None:
    hook = Netkit(ns.interface, netns=ns.path)
    with loads.nothing_left(host), pytest.raises(NotSupported, match="this kernel has no netkit devices") as caught:
        loads.run(host, example("netkit_counter"), hook)
    assert "tcx" in caught.value.hint
    with pytest.raises(NotSupported, match="no netkit devices"):
        check(hook)
