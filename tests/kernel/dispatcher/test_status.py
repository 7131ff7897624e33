"""What the listings say of chains: members in running order, what carries them, what is lost; and the drawing."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from bpfimg import inspect
from bpfimg.kernel import abi, bpf, netlink, netns
from tests.support import chains, loads
from tests.support.chains import KINDS, Kind
from tests.support.cli import Cli
from tests.support.features import needs
from tests.support.loads import TAG

if TYPE_CHECKING:
    from pathlib import Path

    from bpfimg.inspect import LinkView
    from tests.support.chains import World

pytestmark = [pytest.mark.kernel, needs("bpffs", "xdp")]

every = chains.every(*(kind for kind in KINDS if kind != Kind("freplace", "egress")), emulated=())
xdp = chains.every(*(kind for kind in KINDS if kind.hook == "xdp"), emulated=())


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


def dispatcher_of(world: World) -> int:
    """The kernel id of the program that the hook runs."""
    found = world.chain()
    assert found is not None
    return found.dispatcher


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
    number = dispatcher_of(world)
    assert carrier["program"]["id"] == number
    text = cli("status", world.ns.interface, "--netns", world.ns.name).stdout
    assert f"{world.kind.builder} dispatcher {number}" in text
    places = [text.index(f" {each} ") for each in wanted]
    assert places == sorted(places)


@every
def test_get_and_list_tell_the_place_in_the_chain(world: World, cli: Cli) -> None:
    world.run("one", 10)
    world.run("two", 20)
    number = world.kept["two"].id
    text = cli("get", str(number)).stdout
    assert "position:" in text
    assert "dispatcher" in text
    (entry,) = cli.json("programs", "get", str(number))["programs"]
    (link,) = entry["links"]
    assert (link["how"], link["position"], link["members"]) == ("dispatcher", 1, 2)
    assert link["used_mode"] == ("native" if world.kind.type == "xdp" else None)
    assert f"{world.ns.interface}" in cli("list").stdout


@every
def test_a_renamed_interface_is_shown_by_its_name_of_now(world: World, cli: Cli) -> None:
    world.run("one")
    world.ns.exec(["ip", "link", "set", world.ns.interface, "down"])
    world.ns.exec(["ip", "link", "set", world.ns.interface, "name", "other0"])
    view = own(world)["one"]
    assert (view.interface, view.state, view.position) == ("other0", "attached", 0)
    assert view.target.split()[0] == "other0"
    found = cli.json("status", "status", "other0", "--netns", world.ns.name)["status"]
    assert [each["program"]["id"] for hook in found for each in hook["chain"]] == [world.kept["one"].id]


@xdp
def test_xdp_off_is_a_loss_that_is_told(world: World, cli: Cli) -> None:
    world.run("one")
    world.run("two")
    world.ns.exec(["ip", "link", "set", "dev", world.ns.interface, "xdp", "off"])
    for view in own(world).values():
        assert (view.state, view.reason, view.position) == ("stale", "XDP was taken off its interface", None)
    hook = status(cli, world)
    assert hook["dispatchers"] == []
    assert [each["order"] for each in hook["chain"]] == [None, None]
    assert "stale: XDP was taken off" in cli("status", world.ns.interface, "--netns", world.ns.name).stdout
    findings = cli_findings(cli)
    assert [each for each in findings if each["id"] != "stale-link"] == []
    assert len(findings) == 2
    assert len(cli.json("gc", "gc", "--stale")["detached"]) == 2
    assert cli_findings(cli) == []
    assert not os.path.exists(f"{world.host.directory}/chains"), "what was pinned of it has gone with the last"


@every
def test_an_interface_that_has_gone_is_told(world: World, cli: Cli) -> None:
    world.run("one")
    world.ns.exec(["ip", "link", "del", world.ns.interface])
    view = own(world)["one"]
    assert (view.state, view.position) == ("stale", None)
    assert view.reason == "its interface has gone, or was moved to another network namespace"
    assert "stale-link" in [each["id"] for each in cli_findings(cli)]


def cli_findings(cli: Cli) -> list[Any]:
    """What doctor finds about what runs: not about the host itself."""
    done = cli.start("doctor", "-o", "json")
    out, _ = done.communicate(timeout=120)
    host = ("no-policy", "no-tracefs", "no-kernel-btf", "policy", "store")
    return [each for each in json.loads(out)["findings"] if each["id"] not in host]


@chains.every(*(kind for kind in KINDS if kind.hook == "ingress"), emulated=())
@needs("tcx")
def test_foreign_programs_around_a_tc_chain_are_in_their_true_order(world: World, cli: Cli) -> None:
    world.run("one")
    world.run("two")
    index = netns.call(world.ns.path, netlink.interface_index, world.ns.interface)
    tcx = abi.ATTACH_TCX_INGRESS
    with (
        bpf.prog_load_trivial(abi.PROG_TYPE_SCHED_CLS) as before,
        bpf.prog_load_trivial(abi.PROG_TYPE_SCHED_CLS) as behind,
        netns.call(world.ns.path, bpf.link_create, before, index, tcx, flags=abi.F_BEFORE),
        netns.call(world.ns.path, bpf.link_create, behind, index, tcx),
    ):
        first, last = bpf.program_info(before).id, bpf.program_info(behind).id
        hook = status(cli, world)
        assert hook["hook"] == "tcx"
        wanted = [first, world.kept["one"].id, world.kept["two"].id, last]
        assert [each["program"]["id"] for each in hook["chain"]] == wanted
        assert [each["order"] for each in hook["chain"]] == [0, 1, 2, 3]
        assert [each["link"]["managed"] for each in hook["chain"]] == [False, True, True, False]
        (carrier,) = hook["dispatchers"]
        assert carrier["link"]["position"] == 1


@every
def test_the_drawing_has_every_program_with_the_ways_behind_it(world: World, cli: Cli) -> None:
    world.run("one", 10)
    world.run("two", 20)
    place = (world.ns.interface, "--netns", world.ns.name)
    text = cli("status", *place, "--graph", "mermaid").stdout
    assert text.startswith("flowchart LR\n")
    for name in ("one", "two"):
        assert f"{TAG}{name}".replace("_", "#95;") in text.replace("_", "#95;")
    drawing = ET.fromstring(cli("status", *place, "--graph", "svg").stdout)
    words = "".join(drawing.itertext())
    assert f"dispatcher {dispatcher_of(world)}" in words
    go_on = "pass" if world.kind.type == "xdp" else "pipe"
    assert go_on in words
    cli.error("status", *place, "--graph", "svg", expect=2)
    cli("status", *place, "--graph", "png", expect=2)


@every
def test_an_interface_that_was_moved_to_another_namespace_takes_its_chain_along(world: World, cli: Cli) -> None:
    if world.kind.hook != "xdp":
        needs("tcx")  # a filter goes when its interface moves
    world.run("one", 10)
    world.run("two", 20)
    with loads.doomed_namespace() as other:
        world.ns.exec(["ip", "link", "set", world.ns.interface, "netns", other.name])
        views = own(world)
        for position, name in enumerate(("one", "two")):
            view = views[name]
            assert (view.state, view.position, view.moved) == ("attached", position, True), view.reason
            assert os.path.samefile(view.netns or "", other.path)
        found = cli.json("status", "status", world.ns.interface, "--netns", other.name)["status"]
        assert [each["program"]["id"] for hook in found for each in hook["chain"]] == [
            world.kept[name].id for name in ("one", "two")
        ]
        assert {each["id"] for each in cli_findings(cli)} == {"moved-link"}
        for name in ("one", "two"):
            world.detach(name)


@chains.every(*(kind for kind in KINDS if kind.builder == "fused"), emulated=())
def test_what_a_fused_chain_is_made_of_may_be_lost(world: World, cli: Cli) -> None:
    world.run("one", 10)
    world.run("two", 20)
    for name in os.listdir(world.kept["one"].path):
        if name.startswith("code-"):
            os.unlink(f"{world.kept['one'].path}/{name}")
    (finding,) = cli_findings(cli)
    assert (finding["id"], finding["severity"]) == ("lost-code", "warning")
    assert f"'{TAG}one'" in finding["what"]


@every
def test_the_record_of_a_chain_may_be_lost(world: World, cli: Cli) -> None:
    world.run("one", 10)
    world.run("two", 20)
    (record,) = [path for path in chains.left(world.host) if "/chains/" in path and path.endswith("/record")]
    os.unlink(record)
    found = {each["id"]: each for each in cli_findings(cli)}
    assert set(found) == {"damaged-chain", "stale-link"} if world.kind.hook != "xdp" else "damaged-chain" in found
    assert found["damaged-chain"]["where"] == os.path.dirname(record)
    cli("gc")
    assert os.path.isdir(os.path.dirname(record)), "its pins may be all that keeps the chain on the hook"
    assert world.sent_through() == (["one", "two"], True)
    if world.kind == Kind("freplace", "xdp"):  # what is in the slots of a dispatcher of libxdp's can be read
        assert own(world)["two"].position == 1
        assert cli_findings(cli) == []
        return
    world.ns.exec(["ip", "link", "del", world.ns.interface])
    cli("gc")
    assert not os.path.exists(os.path.dirname(record))
