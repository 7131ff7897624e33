"""netfilter: packets are counted on each hook of either family, until the program is taken off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bpfimg import inspect
from bpfimg.errors import AttachError, Busy, NotSupported, UsageError
from bpfimg.load._attach import check
from bpfimg.load._hooks import Netfilter
from tests.support import loads
from tests.support.features import hook, lacks, needs
from tests.support.objects import example

if TYPE_CHECKING:
    from bpfimg.load import Host
    from tests.support.netns import Namespace

pytestmark = [pytest.mark.kernel, hook("netfilter")]


@needs("netfilter")
@pytest.mark.parametrize("place", ["prerouting", "input", "output", "postrouting"])
def test_packets_are_counted_until_the_program_is_detached(place: str, host: Host, ns: Namespace) -> None:
    loaded = loads.run(host, example("netfilter_counter"), Netfilter("ipv4", place, netns=ns.path))
    assert ns.ping(3)
    assert loads.counted(loaded) == 3
    loads.detach(host, loaded.links[0].id)
    assert ns.ping(1)
    assert loads.counted(loaded) == 3


@needs("netfilter")
def test_forwarded_packets(host: Host, ns: Namespace) -> None:
    # To an address that nobody has, by way of the namespace: it is forwarded back out of the same interface.
    ns.exec(["sysctl", "-qw", "net.ipv4.ip_forward=1"])
    ns.exec(["ip", "route", "add", "10.99.0.0/24", "via", ns.address], peer=True)
    ns.exec(["ip", "route", "add", "10.99.0.0/24", "via", ns.peer_address])
    loaded = loads.run(host, example("netfilter_counter"), Netfilter("ipv4", "forward", netns=ns.path))
    ns.exec(["ping", "-n", "-q", "-c", "1", "-W", "1", "-t", "2", "10.99.0.1"], peer=True, check=False)
    assert loads.counted(loaded) == 1


@needs("netfilter")
def test_ipv6_is_a_family_of_its_own(host: Host, ns: Namespace) -> None:
    four = loads.run(host, example("netfilter_counter"), Netfilter("ipv4", "input", netns=ns.path), "four")
    six = loads.run(host, example("netfilter_counter"), Netfilter("ipv6", "input", netns=ns.path), "six")
    for device, address, peer in ((ns.interface, "fd00::1", False), (ns.peer_interface, "fd00::2", True)):
        ns.exec(["sysctl", "-qw", f"net.ipv6.conf.{device}.disable_ipv6=0"], peer=peer)
        ns.exec(["ip", "address", "add", f"{address}/64", "dev", device, "nodad"], peer=peer)
    before = loads.counted(four)
    ns.exec(["ping", "-n", "-q", "-c", "2", "-i", "0.01", "-W", "2", "fd00::1"], peer=True)
    assert loads.counted(six) >= 2
    assert loads.counted(four) == before


@needs("netfilter")
def test_where_it_is_and_in_which_order(host: Host, ns: Namespace) -> None:
    loads.run(host, example("netfilter_counter"), Netfilter(point="input", priority=-150, netns=ns.path), "early")
    loads.run(host, example("netfilter_counter"), Netfilter(point="input", priority=50, netns=ns.path), "late")
    first, second = inspect.host(host).links
    assert first.target == f"ipv4 input priority -150 in netns {ns.name}"
    assert second.target == f"ipv4 input priority 50 in netns {ns.name}"
    assert first.record is not None
    assert (first.record.priority, first.record.netns) == (-150, ns.path)
    assert {first.state, second.state} == {"attached"}


@needs("netfilter")
def test_a_priority_belongs_to_one_program(host: Host, ns: Namespace) -> None:
    loaded = loads.only_load(host, example("netfilter_counter"))
    loads.attach(host, loaded.id, Netfilter(point="input", priority=7, netns=ns.path))
    with (
        loads.nothing_left(host),
        pytest.raises(Busy, match=r"input in netns .* has a program with priority 7") as caught,
    ):
        loads.attach(host, loaded.id, Netfilter(point="input", priority=7, netns=ns.path))
    assert "--priority 8" in caught.value.hint
    loads.attach(host, loaded.id, Netfilter(point="input", priority=8, netns=ns.path))
    loads.attach(host, loaded.id, Netfilter(point="output", priority=7, netns=ns.path))


@needs("netfilter")
def test_fragments_are_put_together_before_with_defrag(host: Host, ns: Namespace) -> None:
    plain = loads.run(host, example("netfilter_counter"), Netfilter(point="prerouting", netns=ns.path), "plain")
    large = ["ping", "-n", "-q", "-c", "1", "-W", "2", "-s", "4000", ns.address]
    ns.exec(large, peer=True)
    assert loads.counted(plain) == 3, "an echo request in three fragments"
    whole = Netfilter(point="prerouting", priority=1, defrag=True, netns=ns.path)
    defrag = loads.run(host, example("netfilter_counter"), whole, "defrag")
    ns.exec(large, peer=True)
    assert loads.counted(defrag) == 1
    with pytest.raises(UsageError, match="before fragments are put together, expected more than -400"):
        loads.attach(host, defrag.id, Netfilter(point="prerouting", priority=-400, defrag=True, netns=ns.path))


@needs("netfilter")
def test_the_namespace_may_go_before_the_link(host: Host) -> None:
    with loads.doomed_namespace() as doomed:
        loaded = loads.run(host, example("netfilter_counter"), Netfilter(point="input", netns=doomed.path))
        loads.sh("ip", "netns", "del", doomed.name)
        assert loads.becomes_stale(host)
        loads.detach(host, loaded.links[0].id)


def test_no_such_namespace(host: Host) -> None:
    with pytest.raises(AttachError, match=r"no network namespace .*nowhere"):
        check(Netfilter(netns="nowhere"))


@lacks("netfilter")
def test_a_kernel_without_it_says_so(host: Host, ns: Namespace) -> None:
    with loads.nothing_left(host), pytest.raises(NotSupported, match="this kernel takes no netfilter programs"):
        loads.run(host, example("netfilter_counter"), Netfilter(netns=ns.path))
    with pytest.raises(NotSupported, match=r"they came with 6.4"):
        check(Netfilter(netns=ns.path))
