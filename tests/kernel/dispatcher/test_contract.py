"""The contract of chains: the same for every builder and every hook, whatever the kernel has."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from bpfimg import load, run
from bpfimg.errors import Error, SlotsFull, UsageError
from bpfimg.load import hooks
from tests.support import chain_programs, chains, loads
from tests.support.chain_programs import BAD, GOOD, VERDICTS
from tests.support.chains import KINDS, Kind
from tests.support.features import VARIABLE

if TYPE_CHECKING:
    from tests.support.chains import World

pytestmark = pytest.mark.kernel

every = chains.every(*KINDS)
#: freplace chains run on emulated kernels only: what goes the same way in both directions is tried in one there
most = chains.every(*(kind for kind in KINDS if kind != Kind("freplace", "egress")))
#: what becomes of a packet whose chain ends with that result: it arrives only after these
ARRIVES = {"xdp": (2,), "tc": (-1, 0, 1, 3, 6)}


@every
def test_the_lower_priority_runs_first_and_an_equal_newcomer_last(world: World) -> None:
    for name, priority in (("m50", 50), ("m70", 70), ("n50", 50), ("m10", 10), ("o50", 50), ("n10", 10)):
        world.run(name, priority)
    wanted = ["m10", "n10", "m50", "n50", "o50", "m70"]
    assert world.listed() == wanted
    assert world.sent_through() == (wanted, True)


@every
def test_a_member_that_drops_ends_the_chain(world: World) -> None:
    world.run("before", 10)
    world.dropper(priority=20)
    world.run("behind", 30)
    assert world.sent_through(GOOD) == (["before", "dropper", "behind"], True)
    assert world.sent_through(BAD) == (["before", "dropper"], False)


@every
def test_a_change_leaves_the_others_as_they_are(world: World) -> None:
    """Ids, times, metadata and the content of maps stay over an attach, a set, a detach and an unload of another."""
    for name in ("one", "two", "three"):
        world.run(name)
    world.sent_through()
    before = world.identity()
    world.load("other")
    world.attach("other", 10)
    world.set("other", priority=90)
    world.set("other", proceed_on=["drop" if world.kind.type == "xdp" else "shot"])
    world.detach("other")
    assert {name: found for name, found in world.identity().items() if name != "other"} == before
    world.attach("other", 20)
    world.unload("other")
    assert world.identity() == before
    assert world.listed() == ["one", "two", "three"]
    assert world.sent_through() == (["one", "two", "three"], True)


@most
def test_set_moves_a_member_behind_its_equals_and_keeps_the_rest(world: World) -> None:
    for name in ("one", "two", "three"):
        world.run(name)
    was = world.host.find(world.kept["one"].id).links
    world.set("one", priority=60)
    assert world.sent_through() == (["two", "three", "one"], True)
    world.set("one", priority=50)
    assert world.sent_through() == (["two", "three", "one"], True)
    world.set("two", priority=0)
    world.set("three", priority=2**31 - 1)
    assert world.sent_through() == (["two", "one", "three"], True)
    world.set("one", priority=50, proceed_on=[])
    assert world.sent_through() == (["two", "one"], VERDICTS[world.kind.type][0] in ARRIVES[world.kind.type])
    assert [link.id for link in was] == [world.link("one")]
    assert world.listed() == ["two", "one", "three"]


@most
def test_after_each_action_it_goes_on_exactly_when_that_was_asked_for(world: World) -> None:
    """Every result of a program against every list of results to go on after that has one name, or all but one."""
    actions = {name: number for name, number in hooks.ACTIONS[world.kind.type].items() if name != "dispatcher_return"}
    world.run("judge", 10, data=world.program("judge", "judge"))
    world.run("behind", 20)
    for asked, result in actions.items():
        for wanted in ([asked], [name for name in actions if name != asked]):
            world.set("judge", proceed_on=wanted)
            chain = world.chain()
            assert chain is not None
            assert set(chain.proceed_on(chain.plan.members[0])) == {*wanted, "dispatcher_return"}
            for name, number in actions.items() if wanted == [asked] else [(asked, result)]:
                chains.judge(world.kept["judge"], number)
                ran, _ = world.sent_through()
                assert ran == (["judge", "behind"] if name in wanted else ["judge"]), (name, wanted)


@every
def test_the_result_of_the_chain(world: World) -> None:
    """What a program returns that ends the chain is what the hook does; the end of the chain lets a packet pass."""
    drop = "drop" if world.kind.type == "xdp" else "shot"
    world.run("judge", 10, data=world.program("judge", "judge"))
    for proceed_on in (None, [drop]):
        if proceed_on:
            world.run("behind", 20, [drop], verdict=VERDICTS[world.kind.type][1])
            world.set("judge", proceed_on=proceed_on)
        for number in ARRIVES[world.kind.type]:
            chains.judge(world.kept["judge"], number)
            assert world.sent_through() == (["judge"], True)
        chains.judge(world.kept["judge"], VERDICTS[world.kind.type][1])
        assert world.sent_through() == ((["judge", "behind"], True) if proceed_on else (["judge"], False))


@dataclass(slots=True)
class Model:
    """What a chain should be, member by member: (name, priority)."""

    members: list[tuple[str, int]]

    def add(self, name: str, priority: int) -> None:
        at = sum(1 for _, other in self.members if other <= priority)
        self.members.insert(at, (name, priority))

    def remove(self, name: str) -> None:
        self.members = [each for each in self.members if each[0] != name]

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.members]


@most
def test_a_walk_through_changes(world: World) -> None:
    """Programs come, go and move at random; after each step the kernel runs what a model says."""
    chance, model = random.Random(7), Model([])
    names = [f"w{number}" for number in range(6)]
    for name in names:
        world.load(name)
    for _ in range(24 if VARIABLE not in os.environ else 10):
        name, priority = chance.choice(names), chance.choice((10, 20, 30))
        if name not in model.names:
            world.attach(name, priority)
            model.add(name, priority)
        elif chance.random() < 0.5:
            world.detach(name)
            model.remove(name)
        else:
            if dict(model.members)[name] != priority:
                model.remove(name)
                model.add(name, priority)
            world.set(name, priority=priority)
        assert world.listed() == model.names
        assert world.sent_through() == (model.names, True)


@most
def test_as_many_as_there_is_room_for(world: World) -> None:
    """Ten with freplace, the eleventh is refused and changes nothing; a fused chain takes more."""
    names = tuple(f"n{number:02}" for number in range(10))
    data = chain_programs.several(world.kind.type, names)
    pairs = [(f"{loads.TAG}{name}", world.hook()) for name in names]
    with load.prepare(data, name="ten", hooks=pairs, host=world.host) as prepared:
        prepared.load()
        with world.host.writer() as writer:
            world.kept["ten"] = writer.run(prepared, load.Origin("ten"))
    before = world.identity()["ten"]
    world.load("eleventh")
    if world.kind.builder == "freplace":
        with loads.nothing_left(world.host), pytest.raises(SlotsFull, match="10 programs"):
            world.run("twelfth")
        with loads.nothing_left(world.host), pytest.raises(SlotsFull, match="10 programs"):
            world.attach("eleventh")
        assert world.listed() == ["ten"] * 10
        assert world.identity()["ten"] == before
    else:
        world.attach("eleventh")
        world.run("twelfth", 10)
        assert world.listed() == ["twelfth", *["ten"] * 10, "eleventh"]
        assert world.identity()["ten"] == before
    world.send()
    assert world.counted("ten", 10)
    run.detach(world.host, world.host.find(world.kept["ten"].id).links[4].id)
    world.send()
    assert world.counted("ten", 19)
    assert world.listed().count("ten") == 9


@most
def test_one_program_on_two_interfaces(world: World) -> None:
    world.ns.exec(["ip", "link", "add", "veth90a", "type", "veth", "peer", "name", "veth90b"])
    world.load("both")
    world.run("here", 10)
    link = world.attach("both", 50)
    there = world.hook(interface="veth90a")
    other = run.attach(world.host, world.kept["both"].id, there)[1]
    assert world.sent_through() == (["here", "both"], True)
    run.detach(world.host, other.id)
    assert world.sent_through() == (["here", "both"], True)
    assert [each.id for each in world.host.find(world.kept["both"].id).links] == [link.id]
    run.attach(world.host, world.kept["both"].id, there)
    world.unload("both")
    assert world.sent_through() == (["here"], True)
    assert world.listed() == ["here"]


@most
def test_a_program_is_in_a_chain_once(world: World) -> None:
    world.run("one")
    with loads.nothing_left(world.host), pytest.raises(UsageError, match="in this chain already"):
        world.attach("one")
    assert world.sent_through() == (["one"], True)


@most
def test_a_load_with_several_members_goes_at_once(world: World) -> None:
    names = ("a", "b", "c")
    data = chain_programs.several(world.kind.type, names)
    pairs = [(f"{loads.TAG}{name}", world.hook(priority)) for name, priority in zip(names, (30, 20, 10), strict=True)]
    world.run("between", 15)
    with load.prepare(data, name="several", hooks=pairs, host=world.host) as prepared:
        prepared.load()
        with world.host.writer() as writer:
            world.kept["several"] = writer.run(prepared, load.Origin("several"))
    assert world.listed() == ["several", "between", "several", "several"]
    before = chains.seen(world.kept["several"]).all
    world.send()
    assert world.counted("several", before + 3)
    world.unload("several")
    assert world.listed() == ["between"]
    assert world.sent_through() == (["between"], True)


@most
def test_a_new_version_takes_the_place_of_the_old(world: World) -> None:
    world.run("first", 50)
    world.run("old", 50)
    world.run("last", 50)
    before = world.identity()
    hook = world.hook(50)
    with load.prepare(world.program("new"), name="old", hook=hook, host=world.host) as prepared:
        prepared.load()
        with world.host.writer() as writer:
            world.kept["new"] = writer.replace(world.host.find(world.kept.pop("old").id), prepared, load.Origin("old"))
    assert world.sent_through() == (["first", "new", "last"], True)
    world.unload("new")
    assert world.sent_through() == (["first", "last"], True)
    now = world.identity()
    assert [now[name][0] for name in now] == [before[name][0] for name in now]  # type: ignore[index]


@most
@pytest.mark.parametrize("form", ["changer", "caller", "tailer"])
def test_programs_that_do_more(form: str, world: World) -> None:
    """Ones that change packets, that call functions of their own, that jump to other programs: first, between, last."""
    world.run("one", 10)
    [link] = world.run("odd", 20, data=world.program("odd", form)).links
    is_in_the_way = form != "caller" and (world.kind.builder, world.kind.hook) == ("freplace", "xdp")
    assert ("xdp-loader before 1.5.5" in link.note) == is_in_the_way
    world.run("two", 30)
    for priority, wanted in ((20, ["one", "odd", "two"]), (5, ["odd", "one", "two"]), (40, ["one", "two", "odd"])):
        world.set("odd", priority=priority)
        assert world.sent_through() == (wanted, True)
    assert world.sent_through(BAD)[0] == ["one", "two", "odd"]
    world.unload("one")
    world.unload("two")
    assert world.sent_through() == (["odd"], True)
    world.run("one", 10)
    assert world.sent_through() == (["one", "odd"], True)


@chains.every(*(Kind("freplace", hook) for hook in chains.HOOKS))
def test_licences_mix_with_freplace(world: World) -> None:
    world.run("free", 10)
    world.run("other", 20, data=world.program("other", license="Proprietary"))
    assert world.sent_through() == (["free", "other"], True)


@chains.every(*(Kind("fused", hook) for hook in chains.HOOKS))
def test_licences_do_not_mix_in_one_program(world: World) -> None:
    world.run("free", 10)
    with loads.nothing_left(world.host), pytest.raises(Error, match=r"licen[cs]e") as caught:
        world.run("other", 20, data=world.program("other", license="Proprietary"))
    assert "other" in str(caught.value)
    assert world.sent_through() == (["free"], True)
