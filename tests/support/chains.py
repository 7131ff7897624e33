"""Worlds for chains: two namespaces, a veth pair between them, a host with chains, packets, and who has seen them.

A `Kind` is a builder and a hook; a `World` puts programs of `chain_programs` there by the ways that commands have, and
tells from the programs' own maps which of them a packet met, in what order, and whether it arrived.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from bpfimg import dispatcher, load, run
from bpfimg.kernel import bpf, netns
from bpfimg.load import hooks
from tests.kernel.run.held import settled
from tests.support import chain_programs, loads
from tests.support.chain_programs import BAD, GOOD
from tests.support.features import native, needs
from tests.support.loads import TAG
from tests.support.netns import bpffs, namespace, skip_unless

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bpfimg.kernel import Fd
    from bpfimg.load import Hook, Host, LinkRecord, Load
    from tests.support.netns import Namespace


@dataclass(frozen=True, slots=True)
class Kind:
    """How a chain is built, and where: `hook` is xdp, ingress or egress; `tc` the host's way, `mode` XDP's."""

    builder: str
    hook: str
    tc: str = "auto"
    mode: str = "auto"

    @property
    def type(self) -> str:
        """What programs are for it: xdp or tc."""
        return "xdp" if self.hook == "xdp" else "tc"

    @property
    def word(self) -> str:
        """For the ids of tests."""
        return "-".join([self.builder, self.hook, *(each for each in (self.tc, self.mode) if each != "auto")])

    def param(self, *marks: pytest.MarkDecorator) -> object:
        """As a parameter of a test, which is skipped where the kernel has no such thing."""
        lacking = [needs("trampolines")] if self.builder == "freplace" else []
        lacking += [needs("tcx")] if self.tc == "tcx" else []
        return pytest.param(self, id=self.word, marks=[*lacking, *marks])


BUILDERS = ("freplace", "fused")
HOOKS = ("xdp", "ingress", "egress")
#: every builder on every hook
KINDS = tuple(Kind(builder, hook) for builder in BUILDERS for hook in HOOKS)


def every(*kinds: Kind, emulated: tuple[str, ...] = ("xdp",)) -> pytest.MarkDecorator:
    """Gives a test each of these as its `kind`. An emulated kernel, where most take seconds, has freplace, and fused
    chains only on the hooks that are named; the machine's own has all."""
    slow = native("fused chains run on the machine's own kernel")
    params = [kind.param(*([slow] if kind.builder == "fused" and kind.hook not in emulated else [])) for kind in kinds]
    return pytest.mark.parametrize("kind", params)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a program counted: packets in all, GOOD ones, BAD ones, others; and when it saw the last, in ns."""

    all: int
    good: int
    bad: int
    other: int
    last: int


@dataclass(slots=True)
class World:
    """One hook of one interface; `kept` are the loads by the names that they were given.

    `unlisted` are maps (by id) in which programs count that no load has, or not yet, by name.
    """

    host: Host
    ns: Namespace
    kind: Kind
    kept: dict[str, Load] = field(default_factory=dict)
    unlisted: dict[str, int] = field(default_factory=dict)
    _sockets: list[socket.socket] = field(default_factory=list)

    # --- what commands do -----------------------------------------------------------------------------------------

    def hook(self, priority: int = 50, proceed_on: Sequence[str] = (), **more: object) -> Hook:
        """The hook, as a command names it; `proceed_on` () is the default."""
        words: dict[str, object] = {"priority": priority, "netns": self.ns.path, "dispatcher": self.kind.builder}
        words |= {"proceed_on": tuple(proceed_on)} if proceed_on else {}
        words |= {"interface": self.ns.interface, **more}
        if self.kind.hook == "xdp":
            return hooks.Xdp(**{"mode": self.kind.mode, **words})  # type: ignore[arg-type]
        return hooks.Tc(direction=self.kind.hook, **words)  # type: ignore[arg-type]

    def program(self, name: str, kind: str = "fixed", **more: object) -> bytes:
        """The object of a program that fits here."""
        return chain_programs.program(self.kind.type, name, kind, **more)  # type: ignore[arg-type]

    def run(
        self,
        name: str,
        priority: int = 50,
        proceed_on: Sequence[str] = (),
        *,
        data: bytes = b"",
        hook: Hook | None = None,
        **globals: int,
    ) -> Load:
        """Loads and attaches in one step, as `bpfimg run` does; `globals` set the program's."""
        wanted = hook or self.hook(priority, proceed_on)
        given = {key: str(number) for key, number in globals.items()}
        data = data or self.program(name)
        with load.prepare(data, name=name, hook=wanted, globals=given, host=self.host) as prepared:
            prepared.load()
            with self.host.writer() as writer:
                self.kept[name] = writer.run(prepared, load.Origin(name), wanted)
        return self.kept[name]

    def dropper(self, name: str = "dropper", priority: int = 50) -> Load:
        """A member that drops BAD packets and lets the others go on."""
        return self.run(name, priority, drops=BAD)

    def load(self, name: str, *, data: bytes = b"", **globals: int) -> Load:
        """Loads without a hook, as `bpfimg load` does."""
        given = {key: str(number) for key, number in globals.items()}
        data = data or self.program(name)
        with load.prepare(data, name=name, globals=given, host=self.host) as prepared:
            prepared.load()
            with self.host.writer() as writer:
                self.kept[name] = writer.load(prepared, load.Origin(name))
        return self.kept[name]

    def attach(self, name: str, priority: int = 50, proceed_on: Sequence[str] = (), **more: object) -> LinkRecord:
        """Attaches what was loaded, as `bpfimg attach` does."""
        number = self.kept[name].id
        return run.attach(self.host, number, self.hook(priority, proceed_on, **more))[1]

    def link(self, name: str) -> int:
        """The id of the only link of a load, as it is now."""
        (link,) = self.host.find(self.kept[name].id).links
        return link.id

    def set(self, name: str, priority: int | None = None, proceed_on: Sequence[str] | None = None) -> None:
        """Changes the only link of a load, as `bpfimg set` does."""
        run.change(self.host, self.link(name), priority=priority, proceed_on=proceed_on)

    def detach(self, name: str) -> None:
        """Takes the only link of a load off."""
        run.detach(self.host, self.link(name))

    def unload(self, name: str) -> None:
        """Unloads."""
        run.unload(self.host, self.kept.pop(name).id)

    # --- packets --------------------------------------------------------------------------------------------------

    def send(self, port: int = GOOD, count: int = 1, size: int = 8) -> None:
        """Sends datagrams through the hook."""
        address = self.ns.peer_address if self.kind.hook == "egress" else self.ns.address
        if not self._sockets:
            self._sockets.append(netns.call(self.sending, socket.socket, socket.AF_INET, socket.SOCK_DGRAM))
        for _ in range(count):
            self._sockets[0].sendto(bytes(size), (address, port))

    @property
    def sending(self) -> str:
        """The namespace that packets come from."""
        return self.ns.path if self.kind.hook == "egress" else f"/var/run/netns/{self.ns.peer}"

    @property
    def receiving(self) -> str:
        """The namespace that they go to."""
        return f"/var/run/netns/{self.ns.peer}" if self.kind.hook == "egress" else self.ns.path

    def arrived(self) -> int:
        """How many datagrams the receiver has had so far: nobody listens, and it counts that."""
        return netns.call(self.receiving, _no_ports)

    def sent_through(self, port: int = GOOD) -> tuple[list[str], bool]:
        """Sends one packet; returns the loads that saw it, in the order of the times that they noted, and whether it
        arrived."""
        before, had = self.seen(), self.arrived()
        self.send(port)
        after, have = self._quiet((before, had))
        ran = sorted((each.last, name) for name, each in after.items() if each.all != before[name].all)
        assert all(after[name].all == before[name].all + 1 for _, name in ran), (before, after)
        assert len({moment for moment, _ in ran}) == len(ran), "two at the same nanosecond"
        return [name for _, name in ran], have > had

    def _quiet(self, before: tuple[dict[str, Seen], int]) -> tuple[dict[str, Seen], int]:
        """What is counted when that has changed, and does not change any more."""
        deadline = time.monotonic() + 3
        found = before
        while time.monotonic() < deadline:
            previous, found = found, (self.seen(), self.arrived())
            if found == previous != before:
                break
        return found

    def counted(self, name: str, all: int) -> bool:
        """Whether a load's program has counted so many packets, at last."""
        return settled(lambda: seen(self.kept[name]).all, all) == all

    def seen(self) -> dict[str, Seen]:
        """What each load's program counted, and those that no load has."""
        found = {name: seen(each) for name, each in self.kept.items()}
        for name, number in self.unlisted.items():
            with bpf.map_by_id(number) as fd:
                found[name] = counts(fd)
        return found

    # --- what is there --------------------------------------------------------------------------------------------

    def chain(self) -> dispatcher.Chain | None:
        """The chain of the hook as bpfimg lists it; None where there is none."""
        found = dispatcher.chains(self.host, {netns.inode(self.ns.path): self.ns.path})
        for each in found:
            if (each.spot.interface, each.spot.direction or each.spot.hook) == (self.ns.interface, self.kind.hook):
                return each
        return None

    def listed(self) -> list[str]:
        """The names of the loads in the chain, in order, as bpfimg lists it; a number stands for others' programs."""
        found = self.chain()
        names = {number: name for name, each in self.kept.items() for number in self._ids(each)}
        return [names.get(each.program, str(each.program)) for each in found.plan.members] if found else []

    def _ids(self, loaded: Load) -> tuple[int, ...]:
        now = self.host.find(loaded.id)
        return (*now.program_ids, *(link.program_id for link in now.links))

    def identity(self) -> dict[str, object]:
        """What no change of others may touch, by name of the load: ids, times, metadata, and what is in the maps."""
        return {name: self._identity(each) for name, each in self.kept.items()}

    def _identity(self, loaded: Load) -> object:
        now = self.host.find(loaded.id)
        assert now.record is not None
        times = []
        for pin in now.program_pins():
            with bpf.get(pin) as fd:
                found = bpf.program_info(fd)
                times.append((found.id, found.loaded_at, found.map_ids))
        links = [
            (link.id, link.created, link.program_id, dict(link.metadata or {}), dict(link.spec)) for link in now.links
        ]
        return times, now.record.maps, now.record.created, dict(now.record.metadata), links, seen(now)


def seen(loaded: Load) -> Seen:
    """What the program of a load has counted."""
    assert loaded.record is not None
    at = [name for name, _ in loaded.record.maps].index(f"{TAG}seen")
    with bpf.get(loaded.map_pins()[at]) as fd:
        return counts(fd)


def counts(fd: Fd) -> Seen:
    """What is in a map in which a program counts."""
    values = [bpf.map_lookup(fd, struct.pack("=I", key), 16) or bytes(16) for key in range(4)]
    pairs = [struct.unpack("=QQ", each) for each in values]
    every, good, bad, other = (hits for hits, _ in pairs)
    return Seen(every, good, bad, other, pairs[0][1])


def judge(loaded: Load, verdict: int) -> None:
    """Lets a program of kind "judge" return that from now on."""
    assert loaded.record is not None
    at = [name for name, _ in loaded.record.maps].index("rule")
    with bpf.get(loaded.map_pins()[at]) as fd:
        bpf.map_update(fd, bytes(4), struct.pack("=i", verdict))


def _no_ports() -> int:
    with open("/proc/thread-self/net/snmp", encoding="ascii") as file:
        head, values = (line.split() for line in file if line.startswith("Udp:"))
    return int(values[head.index("NoPorts")])


@contextmanager
def world(kind: Kind) -> Iterator[World]:
    """A world of its own; in the end nothing of it is left in bpffs or in the kernel."""
    skip_unless("bpffs")
    with bpffs() as mount, namespace() as ns:
        host = dispatcher.host(mount, lock_timeout=5, tc=kind.tc)
        made = World(host, ns, kind)
        yield made
        for each in made._sockets:
            each.close()
        loads.clear(host)
        assert not left(host), left(host)
        assert not loads.programs_left(), loads.programs_left()


def left(host: Host) -> list[str]:
    """Every path below the directories of bpfimg and libxdp in bpffs."""
    return sorted(
        f"{folder}/{name}"
        for top in (host.directory, f"{host.bpffs}/xdp")
        for folder, folders, names in os.walk(top)
        for name in (*folders, *names)
    )
