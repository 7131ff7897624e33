"""The contract of chains where the place is odd: modes, large frames, neighbours in the way, interfaces that move."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bpfimg import inspect
from bpfimg.errors import AttachError, Busy
from bpfimg.kernel import abi, bpf, libbpf, netlink, netns
from bpfimg.load import hooks
from tests.support import chains, loads
from tests.support.chain_programs import BAD
from tests.support.chains import BUILDERS, KINDS, Kind
from tests.support.netns import namespace

if TYPE_CHECKING:
    from tests.support.chains import World

pytestmark = pytest.mark.kernel

xdp = chains.every(*(Kind(builder, "xdp") for builder in BUILDERS))
most = chains.every(*(kind for kind in KINDS if kind != Kind("freplace", "egress")))
LARGE = 6000


def used(world: World) -> str:
    """The mode that the chain runs in."""
    chain = world.chain()
    return chain.mode if chain is not None else ""


@chains.every(*(Kind(builder, "xdp", mode=mode) for builder in BUILDERS for mode in ("native", "generic")))
def test_a_chain_has_one_mode(world: World) -> None:
    mode = world.kind.mode
    other = {"native": "generic", "generic": "native"}[mode]
    world.dropper(priority=20)
    assert used(world) == mode
    world.run("auto", 10, hook=world.hook(10, mode="auto"))
    assert used(world) == mode
    with loads.nothing_left(world.host), pytest.raises(AttachError, match=mode):
        world.run("other", hook=world.hook(mode=other))
    assert used(world) == mode
    assert world.sent_through() == (["auto", "dropper"], True)
    assert world.sent_through(BAD) == (["auto", "dropper"], False)
    for name in ("auto", "dropper"):
        world.unload(name)
    world.run("other", hook=world.hook(mode=other))
    assert world.sent_through() == (["other"], True)


def jumbo(world: World) -> None:
    world.ns.exec(["ip", "link", "set", world.ns.peer_interface, "mtu", "9000"], peer=True)
    world.ns.exec(["ip", "link", "set", world.ns.interface, "mtu", "9000"])


@xdp
def test_large_frames_go_through_members_that_are_built_for_them(world: World) -> None:
    jumbo(world)
    for name in ("one", "two"):
        world.run(name, data=world.program(name, frags=True))
        assert used(world) == "native"
    before = {name: each.all for name, each in world.seen().items()}
    world.send(size=LARGE)
    assert all(world.counted(name, before[name] + 1) for name in before)
    with loads.nothing_left(world.host), pytest.raises(AttachError, match=r"frag") as caught:
        world.run("small")
    assert "small" in str(caught.value) + caught.value.hint
    assert world.sent_through() == (["one", "two"], True)
    world.run("three", 10, data=world.program("three", frags=True))
    assert world.sent_through() == (["three", "one", "two"], True)


@xdp
def test_members_for_fragments_and_others_share_a_chain_of_small_frames(world: World) -> None:
    world.run("frags", 10, data=world.program("frags", frags=True))
    world.run("plain", 20)
    assert world.sent_through() == (["frags", "plain"], True)
    world.unload("plain")
    assert world.sent_through() == (["frags"], True)


@xdp
def test_an_exclusive_program_and_a_chain_exclude_each_other(world: World) -> None:
    alone = hooks.Xdp(world.ns.interface, netns=world.ns.path, exclusive=True)
    world.run("member")
    with loads.nothing_left(world.host), pytest.raises(Busy):
        world.run("alone", hook=alone)
    assert world.sent_through() == (["member"], True)
    world.unload("member")
    world.run("alone", hook=alone)
    with loads.nothing_left(world.host), pytest.raises(Busy, match="alone"):
        world.run("member")
    assert world.sent_through() == (["alone"], True)


@xdp
def test_a_plain_program_of_others_is_named_and_left_alone(world: World) -> None:
    def neighbour() -> int:
        with bpf.prog_load_trivial(abi.PROG_TYPE_XDP, abi.ATTACH_XDP) as fd:
            libbpf.xdp_attach(netlink.interface_index(world.ns.interface), fd, flags=abi.XDP_SKB)
            return bpf.program_info(fd).id

    number = netns.call(world.ns.path, neighbour)
    before = loads.attached(world.ns)
    with loads.nothing_left(world.host), pytest.raises(Busy, match=f"program {number} 'bpfimg_probe'"):
        world.run("member")
    assert loads.attached(world.ns) == before
    world.ns.exec(["ip", "link", "set", "dev", world.ns.interface, "xdpgeneric", "off"])
    world.run("member")
    assert world.sent_through() == (["member"], True)


@xdp
def test_somebody_takes_the_chain_off(world: World) -> None:
    for name in ("one", "two"):
        world.run(name)
    world.ns.exec(["ip", "link", "set", "dev", world.ns.interface, "xdp", "off"])
    assert {view.state for view in inspect.host(world.host).links} == {"stale"}
    world.run("new")
    assert world.sent_through() == (["new"], True)
    world.detach("one")
    world.unload("two")
    assert world.sent_through() == (["new"], True)
    world.attach("one")
    assert world.sent_through() == (["new", "one"], True)


@most
def test_the_interface_gets_another_name(world: World) -> None:
    for name in ("one", "two"):
        world.run(name)
    _renamed(world, world.ns.interface, "veth91a")
    assert world.sent_through() == (["one", "two"], True)
    world.set("one", priority=60)
    assert world.sent_through() == (["two", "one"], True)
    world.run("new", hook=world.hook(10, interface="veth91a"))
    assert world.sent_through() == (["new", "two", "one"], True)
    world.unload("one")
    world.detach("two")
    assert world.sent_through() == (["new"], True)


def _renamed(world: World, old: str, new: str) -> None:
    mac = "02:bf:00:00:00:02"
    lines = [
        ["ip", "link", "set", old, "down"],
        ["ip", "link", "set", old, "name", new],
        ["ip", "link", "set", new, "up"],
        ["ip", "neighbour", "replace", world.ns.peer_address, "lladdr", mac, "dev", new, "nud", "permanent"],
    ]
    for line in lines:
        world.ns.exec(line)


@most
def test_the_interface_moves_to_another_namespace(world: World) -> None:
    """Detach and unload find it there; what moved with it is not left behind."""
    for name in ("one", "two"):
        world.run(name)
    with namespace() as other:
        world.ns.exec(["ip", "link", "set", world.ns.interface, "netns", other.name])
        world.detach("one")
        world.unload("two")
        assert world.host.find(world.kept["one"].id).links == ()
        found = netns.call(other.path, loads.attached_here, world.ns.interface)
        assert found == set()
