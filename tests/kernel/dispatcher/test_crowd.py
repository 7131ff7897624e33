"""Many commands attach to one interface at once, xdp-loader's among them: every one that succeeds is in the chain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import xdptools
from tests.support.chains import Kind
from tests.support.cli import Cli
from tests.support.features import native, needs
from tests.support.loads import TAG
from tests.support.trusting import with_policy

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.support.chains import World

pytestmark = pytest.mark.kernel

OURS, THEIRS, ROOM = 8, 4, 10
#: more than ten go into a fused chain
MANY = 16


def commands(world: World, folder: Path, number: int) -> list[subprocess.Popen[str]]:
    """Starts so many `bpfimg run`, with priorities 10, 20, …; a load is called as its program."""
    environ = {"BPFIMG_BPFFS": world.host.bpffs, "BPFIMG_STORE": str(folder / "store"), "HOME": str(folder)}
    cli = with_policy(Cli(folder, environ), keys={}, authorities={}, localFiles="insecure-allow-unsigned")
    hook = ["xdp"] if world.kind.hook == "xdp" else ["tc", "-d", world.kind.hook]
    hook += ["-i", world.ns.interface, "--netns", world.ns.path, "--dispatcher", world.kind.builder]
    started = []
    for at in range(number):
        (folder / f"o{at}.o").write_bytes(world.program(f"o{at}"))
        words = ["--name", f"o{at}", "--lock-timeout", "300", f"./o{at}.o", *hook, "-p", str(10 * (at + 1))]
        started.append(cli.start("run", "-q", *words))
    return started


def ended(started: list[subprocess.Popen[str]]) -> list[tuple[int, str]]:
    """The status of each, and what it said."""
    said = [each.communicate(timeout=600) for each in started]
    return [(each.returncode, out + err) for each, (out, err) in zip(started, said, strict=True)]


def keep(world: World) -> None:
    """Lets the world know what the commands have loaded."""
    world.kept |= {each.name: each for each in world.host.loads()}


@native("starts many processes")
@pytest.mark.parametrize("kind", [Kind("fused", hook).param() for hook in ("xdp", "ingress")])
def test_all_of_ours_succeed(world: World, tmp_path: Path) -> None:
    found = ended(commands(world, tmp_path, MANY))
    assert [status for status, _ in found] == [0] * MANY, found
    keep(world)
    names = [f"o{at}" for at in range(MANY)]
    assert world.listed() == names
    assert world.sent_through() == (names, True)


@pytest.mark.parametrize("kind", [Kind("freplace", "ingress").param()])
def test_ours_on_a_tc_hook(world: World, tmp_path: Path) -> None:
    found = ended(commands(world, tmp_path, OURS))
    assert [status for status, _ in found] == [0] * OURS, found
    keep(world)
    names = [f"o{at}" for at in range(OURS)]
    assert world.sent_through() == (names, True)


@needs("trampolines")
@pytest.mark.parametrize("kind", [Kind("freplace", "xdp").param()])
@pytest.mark.parametrize("first", ["", "t"])
def test_eight_of_ours_and_four_of_theirs(first: str, world: World, tmp_path: Path) -> None:
    """On an empty hook, and on a chain of theirs. Ten fit, so some are refused; nobody else is.

    xdp-loader gives up when somebody else is the first on an empty hook, and waits for nobody on a full one.
    """
    tools = xdptools.require("trixie", world.ns, world.host.bpffs)
    for at in range(THEIRS + 1):
        (tmp_path / f"t{at}.o").write_bytes(world.program(f"t{at}"))
    if first:
        assert tools.load(tmp_path / f"t{THEIRS}.o").returncode == 0
    started = commands(world, tmp_path, OURS)
    loader = [tools.start("xdp-loader", "load", world.ns.interface, str(tmp_path / f"t{at}.o")) for at in range(THEIRS)]
    ours, theirs = ended(started), ended(loader)
    rows = {row.name: row.id for row in tools.status()}
    wanted = {f"{TAG}o{at}" for at, (status, _) in enumerate(ours) if status == 0}
    wanted |= {f"{TAG}t{at}" for at, (status, _) in enumerate(theirs) if status == 0}
    wanted |= {f"{TAG}t{THEIRS}"} if first else set()
    assert rows.keys() == wanted
    for status, said in ours:
        assert status == 0 or (len(wanted) == ROOM and "10 programs" in said), said
    keep(world)
    chain = world.chain()
    assert chain is not None
    assert [member.program for member in chain.plan.members] == [row.id for row in tools.status()]
    ran, arrived = world.sent_through()
    assert arrived
    assert {f"{TAG}{name}" for name in ran} == {name for name in wanted if not name.startswith(f"{TAG}t")}
    for name in list(world.kept):
        world.unload(name)
    assert {row.name for row in tools.status()} == {name for name in wanted if name.startswith(f"{TAG}t")}
    if tools.status():
        assert tools.unload_all().returncode == 0
