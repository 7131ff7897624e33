"""XDP: native where the driver takes the program, else generic and why; frames that come in fragments; neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bpfimg import inspect
from bpfimg.errors import AttachError, Busy, NotSupported
from bpfimg.kernel import abi, bpf, libbpf, netlink, netns
from bpfimg.load._attach import check
from bpfimg.load._hooks import Xdp
from tests.support import loads
from tests.support.features import hook, needs
from tests.support.objects import example

if TYPE_CHECKING:
    from bpfimg.load import Host
    from tests.support.netns import Namespace

pytestmark = [pytest.mark.kernel, hook("xdp"), needs("xdp")]


@pytest.mark.parametrize(("asked", "used"), [("auto", "native"), ("native", "native"), ("generic", "generic")])
def test_packets_are_counted_until_the_program_is_detached(asked: str, used: str, host: Host, ns: Namespace) -> None:
    loaded = loads.run(host, example("xdp_counter"), Xdp(ns.interface, mode=asked, netns=ns.path))
    (link,) = loaded.links
    assert (link.mode, link.used_mode, link.note, link.where) == (asked, used, "", ns.interface)
    assert ns.ping(3)
    assert loads.counted(loaded) == 3
    loads.detach(host, link.id)
    assert ns.ping(1)
    assert loads.counted(loaded) == 3


def jumbo(ns: Namespace) -> None:
    """Gives both ends an MTU of 9000."""
    ns.exec(["ip", "link", "set", ns.peer_interface, "mtu", "9000"], peer=True)
    ns.exec(["ip", "link", "set", ns.interface, "mtu", "9000"])


def test_auto_falls_back_to_generic_where_frames_are_too_large_and_says_why(host: Host, ns: Namespace) -> None:
    jumbo(ns)
    loaded = loads.run(host, example("xdp_counter"), Xdp(ns.interface, netns=ns.path))
    (link,) = loaded.links
    assert link.used_mode == "generic"
    assert link.note == (
        "in generic mode: the driver veth refuses it: frames of MTU 9000 come in fragments, and the program is not"
        ' built for fragments (ERANGE); build it as xdp.frags (SEC("xdp.frags")), or make the MTU smaller'
    )
    assert ns.ping(1)
    assert loads.counted(loaded) == 1


def test_the_peer_may_be_the_one_with_the_large_frames(host: Host, ns: Namespace) -> None:
    ns.exec(["ip", "link", "set", ns.peer_interface, "mtu", "9000"], peer=True)
    (link,) = loads.run(host, example("xdp_counter"), Xdp(ns.interface, netns=ns.path)).links
    assert link.used_mode == "generic"
    assert "or those of its peer" in link.note
    assert "xdp.frags" in link.note


def test_native_where_frames_are_too_large_is_refused_with_the_way_out(host: Host, ns: Namespace) -> None:
    jumbo(ns)
    native = Xdp(ns.interface, mode="native", netns=ns.path)
    with loads.nothing_left(host), pytest.raises(AttachError, match="not take the program in native mode") as caught:
        loads.run(host, example("xdp_counter"), native)
    assert "MTU 9000" in str(caught.value)
    assert 'SEC("xdp.frags")' in caught.value.hint
    assert "--mode generic" in caught.value.hint


@hook("xdp frags")
@needs("xdp-frags")
def test_a_program_for_fragments_goes_native_and_sees_whole_frames(host: Host, ns: Namespace) -> None:
    jumbo(ns)
    loaded = loads.run(host, example("xdp_frags_counter"), Xdp(ns.interface, netns=ns.path))
    assert (loaded.links[0].used_mode, loaded.links[0].note) == ("native", "")
    ns.exec(["ping", "-n", "-q", "-c", "1", "-W", "2", "-s", "8000", ns.address], peer=True)
    assert loads.counted(loaded) == 1
    with bpf.get(loaded.map_pins()[0]) as fd:
        value = bpf.map_lookup(fd, bytes(4), 16) or b""
    assert int.from_bytes(value[8:], "little") == 8000 + 8 + 20 + 14, "echo request, ICMP, IP and Ethernet headers"


def test_a_driver_without_xdp_of_its_own(host: Host, ns: Namespace) -> None:
    ns.exec(["ip", "link", "add", "br0", "type", "bridge"])
    native = Xdp("br0", mode="native", netns=ns.path)
    with loads.nothing_left(host), pytest.raises(AttachError, match="it has no XDP of its own") as caught:
        loads.run(host, example("xdp_counter"), native)
    assert caught.value.hint == "--mode generic runs it in the network stack instead"
    (link,) = loads.run(host, example("xdp_counter"), Xdp("br0", netns=ns.path)).links
    assert link.used_mode == "generic"
    assert link.note == "in generic mode: the driver bridge has no XDP of its own"


def test_a_program_that_was_attached_by_netlink_is_told_with_the_way_to_take_it_off(host: Host, ns: Namespace) -> None:
    def neighbour() -> int:
        with bpf.prog_load_trivial(abi.PROG_TYPE_XDP, abi.ATTACH_XDP) as fd:
            libbpf.xdp_attach(netlink.interface_index(ns.interface), fd, flags=abi.XDP_SKB)
            return bpf.program_info(fd).id

    number = netns.call(ns.path, neighbour)
    said = f"already runs XDP, in generic mode: program {number} 'bpfimg_probe', not loaded by bpfimg, attached without"
    with loads.nothing_left(host), pytest.raises(Busy, match=said) as caught:
        loads.run(host, example("xdp_counter"), Xdp(ns.interface, netns=ns.path))
    assert caught.value.hint == f"`ip link set dev {ns.interface} xdpgeneric off` takes it off"
    ns.exec(["ip", "link", "set", "dev", ns.interface, "xdpgeneric", "off"])
    loads.run(host, example("xdp_counter"), Xdp(ns.interface, netns=ns.path))


def test_a_program_that_a_link_holds_is_told_without(host: Host, ns: Namespace) -> None:
    def neighbour() -> None:
        with bpf.prog_load_trivial(abi.PROG_TYPE_XDP, abi.ATTACH_XDP) as fd:
            index = netlink.interface_index(ns.interface)
            with bpf.link_create(fd, index, abi.ATTACH_XDP), pytest.raises(Busy, match="in native mode") as caught:
                loads.run(host, example("xdp_counter"), Xdp(ns.interface))
            assert caught.value.hint == "take it off with the tool that attached it"

    netns.call(ns.path, neighbour)


def test_offload_is_refused_by_name(host: Host, ns: Namespace) -> None:
    for tried in (lambda hook: loads.run(host, example("xdp_counter"), hook), check):
        with loads.nothing_left(host), pytest.raises(NotSupported, match="offload is not supported") as caught:
            tried(Xdp(ns.interface, mode="offload", netns=ns.path))
        assert caught.value.feature == "xdp-offload"


def test_the_interface_may_go_before_the_link(host: Host) -> None:
    with loads.doomed_namespace() as doomed:
        loaded = loads.run(host, example("xdp_counter"), Xdp(doomed.interface, netns=doomed.path))
        loads.sh("ip", "-n", doomed.name, "link", "del", doomed.interface)
        (link,) = inspect.host(host).links
        assert link.state == "stale"
        loads.detach(host, loaded.links[0].id)
