"""What keeps a chain together stays for as long as a hook runs it, wherever that is by now."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import subprocess
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from bpfimg import dispatcher, run
from bpfimg.dispatcher import _change, _guard
from bpfimg.errors import AttachError, Error
from bpfimg.kernel import _syscall, abi, netns
from tests.support import chains
from tests.support.chain_programs import BAD
from tests.support.chains import KINDS, Kind
from tests.support.netns import namespace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.chains import World

pytestmark = pytest.mark.kernel

most = chains.every(*(kind for kind in KINDS if kind != Kind("freplace", "egress")))
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


@most
def test_an_interrupt_right_behind_the_exchange(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Ctrl-C may come: the chain that runs keeps its pins, then what was being attached is taken off again."""
    exchange = _change._exchange
    interrupts = iter([True])

    def interrupted(*args: object) -> str:
        exchange(*args)  # type: ignore[arg-type]
        if next(interrupts, False):
            raise KeyboardInterrupt
        return ""

    def once(change: Callable[[], object]) -> None:
        nonlocal interrupts
        interrupts = iter([True])
        with monkeypatch.context() as patched:
            patched.setattr(_change, "_exchange", interrupted)
            with pytest.raises(KeyboardInterrupt):
                change()

    once(lambda: world.run("first"))
    assert world.listed() == []
    world.dropper("dropper", 20)
    once(lambda: world.run("second"))
    assert world.listed() == ["dropper"]
    assert world.sent_through(BAD) == (["dropper"], False)
    world.run("late", 60)
    once(lambda: world.set("late", priority=10))
    assert world.listed() == ["late", "dropper"]
    assert world.sent_through(BAD) == (["late", "dropper"], False)
    once(lambda: world.detach("late"))
    world.load("other")
    assert world.listed() == ["dropper"]
    assert world.sent_through(BAD) == (["dropper"], False)


@chains.every(Kind("freplace", "xdp"))
def test_a_program_in_two_chains_that_others_have_put_together(world: World) -> None:
    """Each of its links is the member of its own chain: the other one is not taken off."""
    world.dropper("one")
    with namespace() as other:
        world.attach("one", interface=other.interface, netns=other.path)
        here, there = (link.id for link in world.host.find(world.kept["one"].id).links)
        for guard in list(_guard.guards(world.host)):  # as after a change by xdp-loader, which knows none of it
            _guard.remove(guard.path)
        world.load("two")
        found = dispatcher.chains(world.host, {netns.inode(each.path): each.path for each in (world.ns, other)})
        assert {chain.spot.interface: chain.plan.members[0].link for chain in found} == {
            world.ns.interface: here,
            other.interface: there,
        }
        run.detach(world.host, there)
        assert world.listed() == ["one"]
        world.unload("one")


tc = chains.every(Kind("fused", "ingress", tc="tcx"), Kind("fused", "ingress", tc="clsact"))
natively = chains.every(
    Kind("fused", "xdp"), Kind("fused", "ingress", tc="tcx"), Kind("fused", "egress", tc="clsact"), emulated=()
)


@tc
def test_a_chain_whose_record_is_lost_is_not_taken_for_none(world: World) -> None:
    """Another one before it would end with its own verdict, and what was dropped would pass."""
    world.dropper("dropper", 20)
    world.load("spare")
    (guard,) = _guard.guards(world.host)
    record = f"{guard.path}/record"
    os.rename(record, f"{world.host.bpffs}/kept")
    with pytest.raises(AttachError, match=r"its record .* cannot be read"):
        world.attach("spare", 5)
    assert world.sent_through(BAD) == (["dropper"], False)
    os.rename(f"{world.host.bpffs}/kept", record)
    world.attach("spare", 5)
    assert world.sent_through(BAD) == (["spare", "dropper"], False)


@natively
def test_a_pin_that_cannot_be_opened_now_is_not_taken_for_none(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel may be out of memory, or the process out of descriptors, at any call."""
    world.dropper("dropper", 20)
    world.load("spare")
    call = _syscall._bpf
    calls: Iterator[int] = iter(())

    def refused(number: int, command: int, *rest: int) -> int:
        if command == abi.OBJ_GET and not next(calls, 1):
            ctypes.set_errno(errno.ENOMEM)
            return -1
        return int(call(number, command, *rest))

    def points(change: Callable[[], object]) -> Iterator[None]:
        """Lets each of the calls that the change makes fail in turn."""
        nonlocal calls
        at = 0
        while next(calls, None) is None:
            at += 1
            calls = iter([*[1] * (at - 1), 0])
            with monkeypatch.context() as patched, suppress(Error):
                patched.setattr(_syscall, "_bpf", refused)
                change()
            assert world.listed() == ["spare"] * len(attached()) + ["dropper"]
            assert world.sent_through(BAD) == (world.listed(), False)
            yield
        calls = iter(())

    def attached() -> list[int]:
        return [link.id for link in world.host.find(world.kept["spare"].id).links]

    for _ in points(lambda: world.attach("spare", 5)):
        for link in attached():
            run.detach(world.host, link)
    links = [world.attach("spare", 5).id]
    for _ in points(lambda: run.detach(world.host, links[0])):
        links[:] = attached() or [world.attach("spare", 5).id]


@most
def test_a_member_whose_link_has_lost_its_record_can_be_taken_off(world: World) -> None:
    """Else it would run on, and a chain that contains what nobody has could not be changed any more."""
    world.dropper("dropper", 20)
    world.run("late", 60)
    os.unlink(f"{world.host.find(world.kept['late'].id).path}/links/{world.link('late')}/record")
    world.unload("late")
    assert world.listed() == ["dropper"]
    assert world.sent_through(BAD) == (["dropper"], False)
