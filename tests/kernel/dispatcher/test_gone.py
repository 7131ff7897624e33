"""Interface or namespace go under a chain of several members: detach and unload go through, and nothing is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bpfimg import dispatcher, run
from tests.kernel.run.held import settled
from tests.support import chains, loads
from tests.support.chain_kills import Held
from tests.support.chains import KINDS, Kind, World

if TYPE_CHECKING:
    from bpfimg.load import Host

pytestmark = pytest.mark.kernel

_KINDS = [
    *(kind for kind in KINDS if kind != Kind("freplace", "egress")),
    Kind("freplace", "ingress", "clsact"),
    Kind("fused", "ingress", "clsact"),
]


@pytest.mark.parametrize("verb", ["detach", "unload"])
@pytest.mark.parametrize("gone", ["interface", "namespace"])
@chains.every(*_KINDS, emulated=())
def test_what_a_chain_is_on_goes(kind: Kind, gone: str, verb: str, host: Host) -> None:
    host = dispatcher.host(host.bpffs, lock_timeout=5, tc=kind.tc)
    with loads.doomed_namespace() as ns:
        world = World(host, ns, kind)
        held = Held(world)
        stays = world.load("stays")
        base = held()
        for name in ("m0", "m1"):
            world.load(name)
            world.attach(name)
        world.run("m2", 10)
        assert world.listed() == ["m2", "m0", "m1"]
        links = [link.id for each in host.loads() for link in each.links]
        words = ["-n", ns.name, "link", "del", ns.interface] if gone == "interface" else ["netns", "del", ns.name]
        loads.sh("ip", *words)
        for link in links if verb == "detach" else []:
            run.detach(host, link)
            assert link not in [each.id for loaded in host.loads() for each in loaded.links]
        for name in ("m1", "m0", "m2"):
            world.unload(name)
        assert [each.id for each in host.loads()] == [stays.id]

        def more() -> str:
            """What is left. A namespace goes in the kernel's own time: what ran there until then, the next sweeps."""
            if gone == "namespace":
                with host.writer():
                    pass
            return held.more(base)

        assert settled(more, "") == ""
        assert not [path for path in chains.left(host) if "chains" in path or "/xdp/" in path]


@chains.every(*_KINDS, emulated=())
def test_others_go_on_after_one_interface_has_gone(world: World) -> None:
    """A program on two interfaces, of which one goes: the chain of the other runs, and can be changed."""
    world.ns.exec(["ip", "link", "add", "veth90a", "type", "veth", "peer", "name", "veth90b"])
    world.load("both")
    world.run("here", 10)
    world.attach("both")
    run.attach(world.host, world.kept["both"].id, world.hook(interface="veth90a"))
    world.ns.exec(["ip", "link", "del", "veth90a"])
    assert world.sent_through() == (["here", "both"], True)
    world.run("new", 5)
    assert world.sent_through() == (["new", "here", "both"], True)
    world.unload("both")
    assert world.sent_through() == (["new", "here"], True)
