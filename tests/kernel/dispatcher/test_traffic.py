"""Ten thousand packets a second through a chain that changes 200 times: each of them meets a whole chain."""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bpfimg.kernel import netns
from tests.kernel.run.held import settled
from tests.support import chain_sender, chains
from tests.support.chain_programs import BAD, GOOD
from tests.support.chains import Kind
from tests.support.features import VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.chains import World

pytestmark = pytest.mark.kernel

ROOT = Path(__file__).resolve().parents[3]
#: packets a second, and changes; an emulated kernel takes a second for each change at the full rate, so fewer there
#: unless BPFIMG_TEST_CHANGES asks for more
RATE, CHANGES = (12_000, 200) if VARIABLE not in os.environ else (2_000, 20)
CHANGES = int(os.environ.get("BPFIMG_TEST_CHANGES", CHANGES))
_WAYS = (
    [Kind(builder, "xdp", mode=mode) for builder in chains.BUILDERS for mode in ("native", "generic")]
    + [Kind(builder, "ingress", "tcx") for builder in chains.BUILDERS]
    + [Kind(builder, "egress", "clsact") for builder in chains.BUILDERS]
)


@contextmanager
def sending(world: World) -> Iterator[Callable[[], dict[str, float]]]:
    """A sender beside the test; called, it ends and says what it has sent."""
    address = world.ns.peer_address if world.kind.hook == "egress" else world.ns.address
    argv = [sys.executable, "-m", "tests.support.chain_sender", address, str(RATE)]
    command = ["nsenter", f"--net={world.sending}", *argv]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"

        def end() -> dict[str, float]:
            said, _ = process.communicate("over\n", timeout=120)
            found: dict[str, float] = json.loads(said)
            return found

        try:
            yield end
        finally:
            process.kill()


def lost(world: World) -> int:
    """Packets that the sender's device has thrown away because the receiver's queue was full, before any program."""
    name = world.ns.interface if world.kind.hook == "egress" else world.ns.peer_interface
    text = netns.call(world.sending, Path("/proc/thread-self/net/dev").read_text)
    (line,) = [each for each in text.splitlines() if each.strip().startswith(f"{name}:")]
    return int(line.split(":")[1].split()[11])


def changes(world: World) -> None:
    """`CHANGES` of them: four programs come, go and move, and the dropper moves between them."""
    chance = random.Random(1)
    there: set[str] = set()
    for number in range(CHANGES):
        name = f"pass{number % 4}"
        if number % 5 == 4:
            world.set("dropper", priority=chance.choice((10, 30, 50)))
        elif name not in there:
            world.attach(name, chance.choice((20, 40, 60)))
            there.add(name)
        elif chance.random() < 0.5:
            world.set(name, priority=chance.choice((15, 35, 55)))
        else:
            world.detach(name)
            there.remove(name)


@chains.every(*_WAYS, emulated=())
def test_no_packet_passes_a_rule_and_none_is_lost(world: World, record_property: Callable[[str, object], None]) -> None:
    """The dropper stands throughout, whatever comes before and behind it; all others let everything pass."""
    assert (chain_sender.GOOD, chain_sender.BAD) == (GOOD, BAD)
    world.dropper()
    for number in range(4):
        world.load(f"pass{number}")
    sink = netns.call(world.receiving, socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
    with sink:
        sink.bind(("", BAD))
        had, had_lost = world.arrived(), lost(world)
        with sending(world) as end:
            changes(world)
            sent = end()
        good, bad = int(sent["good"]), int(sent["bad"])
        gone = lost(world) - had_lost
        expected = (good + bad - gone, good + bad - gone)
        met = settled(lambda: (_met(world), world.arrived() - had + chains.seen(world.kept["dropper"]).bad), expected)
        with pytest.raises(BlockingIOError):
            sink.recv(1, socket.MSG_DONTWAIT)
    assert met == expected, "every packet that was sent has met the dropper; those that it let go on have arrived"
    if not gone:
        found = chains.seen(world.kept["dropper"])
        assert (found.good, found.bad, world.arrived() - had) == (good, bad, good)
    rate = round((good + bad) / sent["seconds"])
    print(
        f"{world.kind.word}: {good + bad} packets, {rate} a second, {CHANGES} changes, {gone} lost before any program"
    )
    record_property("chain packets", good + bad)
    record_property("packets a second", rate)


def _met(world: World) -> int:
    return chains.seen(world.kept["dropper"]).all
