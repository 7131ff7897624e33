"""What keeps a chain together stays for as long as a hook runs it, wherever that is by now."""

from __future__ import annotations

import socket
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from bpfimg import dispatcher
from bpfimg.kernel import netns
from tests.support import chains
from tests.support.chains import Kind
from tests.support.netns import namespace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.chains import World

pytestmark = pytest.mark.kernel

moving = chains.every(Kind("freplace", "xdp"), Kind("fused", "xdp"), Kind("fused", "ingress", tc="tcx"))


def _listed(place: str, world: World) -> list[str]:
    """The names of the loads in the chain of the interface in another namespace."""
    names = {number: name for name, each in world.kept.items() for number in each.program_ids}
    return [
        names.get(member.program, str(member.program))
        for chain in dispatcher.chains(world.host, {netns.inode(place): place})
        if chain.spot.interface == world.ns.interface
        for member in chain.plan.members
    ]


@contextmanager
def _nameless() -> Iterator[str]:
    """A network namespace that only a process has."""
    with subprocess.Popen(["unshare", "--net", "sh", "-c", "echo; read _"], stdin=-1, stdout=-1) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield f"/proc/{process.pid}/ns/net"
        assert process.stdin is not None
        process.stdin.close()


@moving
def test_another_interface_of_the_same_number_comes_into_its_place(world: World) -> None:
    """The chain that moved away is not garbage: without its pins packets would pass unfiltered."""
    world.dropper("one")
    world.dropper("two")
    name = world.ns.interface
    number = str(netns.call(world.ns.path, socket.if_nametoindex, name))
    with namespace() as other:
        world.ns.exec(["ip", "link", "set", name, "netns", other.name])
        world.ns.exec(["ip", "link", "add", "name", name, "index", number, "type", "veth", "peer", "name", "other"])
        world.run("three")
        world.load("four")
        assert _listed(other.path, world) == ["one", "two"]
        world.unload("one")
        assert _listed(other.path, world) == ["two"]
        world.unload("two")
        assert _listed(other.path, world) == []
        assert world.listed() == ["three"]


@moving
def test_the_interface_moves_to_a_namespace_without_a_name(world: World) -> None:
    """As containers have them: what is detached does not run on there."""
    world.dropper("one")
    world.dropper("two")
    with _nameless() as other:
        world.ns.exec(["ip", "link", "set", world.ns.interface, "netns", other.split("/")[2]])
        world.detach("one")
        assert _listed(other, world) == ["two"]
        world.set("two", priority=60)
        assert _listed(other, world) == ["two"]
        world.unload("two")
        assert _listed(other, world) == []
