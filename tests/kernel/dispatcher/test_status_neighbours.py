"""What the listings say of chains that xdp-loader has a part in: whose members they are, what it took away or left."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from bpfimg import inspect
from tests.support import chain_programs, chains, xdptools
from tests.support.chains import Kind
from tests.support.cli import Cli
from tests.support.features import hook, needs
from tests.support.loads import TAG

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.chains import World
    from tests.support.xdptools import Tools

pytestmark = [pytest.mark.kernel, hook("xdp"), needs("trampolines")]


@pytest.fixture
def world() -> Iterator[World]:
    with chains.world(Kind("freplace", "xdp")) as made:
        yield made
        tools_of(made).unload_all()


def tools_of(world: World) -> Tools:
    return xdptools.require("trixie", world.ns, world.host.bpffs)


@pytest.fixture
def cli(world: World, tmp_path: Path) -> Cli:
    return Cli(tmp_path, {"BPFIMG_BPFFS": world.host.bpffs})


def add(world: World, folder: Path, name: str, priority: int) -> int:
    """xdp-loader adds a program; returns its id."""
    path = folder / f"{name}.o"
    path.write_bytes(chain_programs.program("xdp", name))
    done = tools_of(world).load(path, words=("-P", str(priority)))
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    (number,) = [row.id for row in tools_of(world).status() if row.name == TAG + name]
    return number


def findings(cli: Cli) -> list[str]:
    """What doctor finds about chains and links."""
    done = cli.start("doctor", "-o", "json")
    out, err = done.communicate(timeout=120)
    assert not err, err
    host = ("no-policy", "no-tracefs", "no-kernel-btf", "policy", "store")
    return [each["id"] for each in json.loads(out)["findings"] if each["id"] not in host]


def status(cli: Cli, world: World) -> Any:
    (found,) = cli.json("status", "status", world.ns.interface, "--netns", world.ns.name)["status"]
    return found


def clean_elsewhere(world: World) -> None:
    """`xdp-loader clean` in another namespace: there every dispatcher of ours looks stale to it."""
    tools = tools_of(world)
    done = replace(tools, ns=replace(world.ns, name=world.ns.peer)).run("xdp-loader", "clean")
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"


def test_members_of_both_are_listed_once_with_whose_they_are(world: World, cli: Cli, tmp_path: Path) -> None:
    world.run("last", 30)
    theirs = add(world, tmp_path, "theirs", 20)
    world.run("first", 10, ["pass", "drop"])
    chain = status(cli, world)
    wanted = [world.kept["first"].id, theirs, world.kept["last"].id]
    assert [each["program"]["id"] for each in chain["chain"]] == wanted
    assert [each["link"]["managed"] for each in chain["chain"]] == [True, False, True]
    assert [each["link"]["priority"] for each in chain["chain"]] == [10, 20, 30]
    link = chain["chain"][1]["link"]
    assert (link["hook"], link["how"], link["position"], link["members"]) == ("xdp", "dispatcher", 1, 3)
    assert (link["proceed_on"], link["details"]["by"]) == (["pass", "dispatcher_return"], "libxdp")
    assert link["kernel_id"] is not None
    assert any("/xdp/dispatch-" in path for path in link["held_by"])
    (carrier,) = chain["dispatchers"]
    assert (carrier["builder"], carrier["protocol"], carrier["program"]["name"]) == ("freplace", 2, "xdp_dispatcher")
    text = cli("status", world.ns.interface, "--netns", world.ns.name).stdout
    assert "libxdp: " in text
    everything = cli.json("links", "links", "--all")["links"]
    assert [each["hook"] for each in everything if each["program_id"] in wanted] == ["xdp"] * 3
    assert [each["hook"] for each in everything if each["hook"] == "freplace"] == []
    assert theirs not in [each["program_id"] for each in cli.json("links", "links")["links"]]
    assert findings(cli) == []


def test_a_chain_of_others_alone(world: World, cli: Cli, tmp_path: Path) -> None:
    numbers = [add(world, tmp_path, name, priority) for name, priority in (("one", 10), ("two", 20))]
    assert [each["program"]["id"] for each in status(cli, world)["chain"]] == numbers
    assert cli.json("links", "links")["links"] == []
    assert findings(cli) == []


def test_pins_that_a_clean_took_away_are_told_and_given_back(world: World, cli: Cli) -> None:
    world.run("one", 10)
    world.run("two", 20)
    clean_elsewhere(world)
    assert tools_of(world).status() == ()
    assert [view.state for view in inspect.host(world.host).links] == ["attached", "attached"]
    assert findings(cli) == ["unshared-chain"]
    assert len(cli.json("gc", "gc", "--dry-run")["swept"]) == 1
    (swept,) = cli.json("gc", "gc")["swept"]
    assert world.ns.interface in swept["id"]
    assert [row.priority for row in tools_of(world).status()] == [10, 20]
    assert findings(cli) == []


def test_a_chain_that_others_put_together_is_guarded_by_the_next_command(
    world: World, cli: Cli, tmp_path: Path
) -> None:
    """Until then only xdp-loader's own pins hold its slots, and a clean elsewhere would empty them."""
    world.run("ours", 10)
    theirs = add(world, tmp_path, "theirs", 20)
    (view,) = inspect.host(world.host).links
    assert (view.state, view.position, view.members) == ("attached", 0, 2)
    assert findings(cli) == ["unguarded-chain"]
    assert len(cli.json("gc", "gc")["swept"]) == 1
    assert findings(cli) == []
    clean_elsewhere(world)
    assert world.sent_through() == (["ours"], True)
    assert [each["program"]["id"] for each in status(cli, world)["chain"]] == [world.kept["ours"].id, theirs]


def test_slots_that_were_emptied_unguarded_are_told(world: World, cli: Cli, tmp_path: Path) -> None:
    world.run("ours", 10)
    add(world, tmp_path, "theirs", 20)
    clean_elsewhere(world)
    assert world.sent_through() == ([], True)
    (view,) = inspect.host(world.host).links
    assert (view.state, view.position) == ("stale", None)
    assert "(xdp_dispatcher), which is not a dispatcher that has it" in view.reason
    assert {"stale-link", "damaged-chain"} <= set(findings(cli))
    hook = status(cli, world)
    assert "nothing runs in slot 0, 1" in hook["dispatchers"][0]["damage"]
    assert "damaged: nothing runs" in cli("status", world.ns.interface, "--netns", world.ns.name).stdout


def test_a_slot_whose_link_is_gone_is_told_and_filled_again(world: World, cli: Cli) -> None:
    world.run("one", 10)
    world.run("two", 20)
    pins = [path for path in chains.left(world.host) if path.endswith(("slot-0-link", "prog0-link"))]
    assert len(pins) == 2
    for path in pins:
        os.unlink(path)
    assert world.sent_through() == (["two"], True)
    views = {view.position: view for view in inspect.host(world.host).links}
    assert (views[0].state, views[1].state) == ("stale", "attached")
    assert "slot 0" in views[0].reason
    assert "empty-slot" in findings(cli)
    assert cli.json("gc", "gc", "--stale")["detached"] == [], "it is in the chain"
    assert world.sent_through() == (["one", "two"], True)
    assert findings(cli) == []


def test_what_is_pinned_of_a_dispatcher_that_runs_nowhere_is_told_and_goes(
    world: World, cli: Cli, tmp_path: Path
) -> None:
    add(world, tmp_path, "theirs", 20)
    world.ns.exec(["ip", "link", "set", "dev", world.ns.interface, "xdp", "off"])
    (folder,) = [path for path in os.listdir(f"{world.host.bpffs}/xdp") if path.startswith("dispatch-")]
    path = f"{world.host.bpffs}/xdp/{folder}"
    assert findings(cli) == [], "it may be about to be attached"
    os.utime(path, (0, 0))
    assert findings(cli) == ["stale-dispatcher"]
    (swept,) = cli.json("gc", "gc")["swept"]
    assert swept["id"] == path
    assert not os.path.exists(path)
    assert findings(cli) == []


def test_a_program_that_was_loaded_before_is_attached_as_another_instance(world: World, cli: Cli) -> None:
    world.load("one")
    world.attach("one", 10)
    loaded = world.kept["one"].id
    (entry,) = cli.json("programs", "list")["programs"]
    (link,) = entry["links"]
    assert (entry["id"], link["load"], link["position"]) == (loaded, loaded, 0)
    assert world.ns.interface in cli("list").stdout
    (step,) = status(cli, world)["chain"]
    assert step["program"]["id"] == link["program_id"]
    assert (step["application"], step["program"]["name"]) == ("one", f"{TAG}one")
    assert [row.id for row in tools_of(world).status()] == [link["program_id"]]
