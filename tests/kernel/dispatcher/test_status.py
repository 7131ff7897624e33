"""What the listings say of chains: members in running order, what carries them, what is lost; and the drawing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bpfimg import inspect
from tests.support.chains import KINDS
from tests.support.cli import Cli
from tests.support.features import needs

if TYPE_CHECKING:
    from pathlib import Path

    from bpfimg.inspect import LinkView
    from tests.support.chains import World

pytestmark = [pytest.mark.kernel, needs("bpffs", "xdp")]

every = pytest.mark.parametrize("kind", [kind.param() for kind in KINDS])
xdp = pytest.mark.parametrize("kind", [kind.param() for kind in KINDS if kind.hook == "xdp"])


@pytest.fixture
def cli(world: World, tmp_path: Path) -> Cli:
    return Cli(tmp_path, {"BPFIMG_BPFFS": world.host.bpffs})


def own(world: World) -> dict[str, LinkView]:
    """Our links by the names of their loads."""
    names = {each.id: name for name, each in world.kept.items()}
    return {names[view.load]: view for view in inspect.host(world.host).links if view.load is not None}


def status(cli: Cli, world: World) -> Any:
    """The hook of the world as `status` has it."""
    found = cli.json("status", "status", world.ns.interface, "--netns", world.ns.name)["status"]
    side = world.kind.hook
    (hook,) = [each for each in found if (each["direction"] or each["hook"]) == side]
    return hook


@every
def test_links_say_where_they_are_in_the_chain(world: World, cli: Cli) -> None:
    world.run("second", 60)
    world.run("first", 40, ["drop" if world.kind.type == "xdp" else "shot"])
    views = own(world)
    for position, name in enumerate(("first", "second")):
        view = views[name]
        assert (view.how, view.state, view.position, view.members) == ("dispatcher", "attached", position, 2)
        assert (view.builder, view.interface) == (world.kind.builder, world.ns.interface)
    word = "drop" if world.kind.type == "xdp" else "shot"
    assert (views["first"].priority, views["first"].proceed_on) == (40, (word, "dispatcher_return"))
    world.set("first", priority=70)
    views = own(world)
    assert (views["first"].position, views["first"].priority) == (1, 70)
    entries = {each["program_id"]: each for each in cli.json("links", "links")["links"]}
    entry = entries[world.kept["first"].id]
    assert (entry["priority"], entry["position"], entry["proceed_on"][0]) == (70, 1, word)
    assert entry["dispatcher"] == world.kind.builder


@every
def test_status_has_the_members_in_the_place_of_what_carries_them(world: World, cli: Cli) -> None:
    for name, priority in (("third", 90), ("first", 10), ("second", 50)):
        world.run(name, priority)
    hook = status(cli, world)
    wanted = [world.kept[name].id for name in ("first", "second", "third")]
    assert [each["program"]["id"] for each in hook["chain"]] == wanted
    assert [each["order"] for each in hook["chain"]] == [0, 1, 2]
    (carrier,) = hook["dispatchers"]
    assert carrier["builder"] == world.kind.builder
    found = world.chain()
    assert found is not None
    assert carrier["program"]["id"] == found.dispatcher
    text = cli("status", world.ns.interface, "--netns", world.ns.name).stdout
    assert f"{world.kind.builder} dispatcher {found.dispatcher}" in text
    places = [text.index(f" {number} ") for number in wanted]
    assert places == sorted(places)
