"""Chains of tc hooks among their neighbours: what is behind them runs or not, and all keep their places."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from bpfimg import dispatcher, load, run
from bpfimg.errors import KernelError, UsageError
from bpfimg.kernel import bpf, netns
from bpfimg.load import hooks
from tests.support import chains, loads, strangers_tc
from tests.support.chain_programs import BAD, GOOD
from tests.support.chains import BUILDERS, Kind
from tests.support.features import needs
from tests.support.netns import namespace
from tests.support.objects import compile_source

if TYPE_CHECKING:
    from tests.support.chains import World

pytestmark = pytest.mark.kernel

TCX = [Kind(builder, "ingress", tc="tcx").param() for builder in BUILDERS]
CLSACT = [Kind(builder, "ingress", tc="clsact").param() for builder in BUILDERS]
both = pytest.mark.parametrize("kind", [*TCX, *CLSACT])


def entry(world: World) -> int:
    """The program that is on the hook for the chain."""
    found = world.chain()
    assert found is not None
    assert found.way == world.kind.tc
    return found.dispatcher


@pytest.mark.parametrize("kind", TCX)
def test_behind_a_chain_on_tcx_others_run(world: World) -> None:
    """Its end is unspec: TCX programs behind it and the filters of clsact see the packet; any result that ends it
    before is the verdict there too."""
    ns = world.ns
    with strangers_tc.counting(-1, "behind") as behind, strangers_tc.counting(0, "filter") as filtering:
        world.run("one", 10)
        world.dropper("two", 20)
        strangers_tc.filter_at(ns, "ingress", filtering.program, 50)
        with strangers_tc.link(ns, "ingress", behind.program):
            assert world.sent_through(GOOD) == (["one", "two"], True)
            assert (behind.seen, filtering.seen) == (1, 1)
            assert world.sent_through(BAD) == (["one", "two"], False)
            assert (behind.seen, filtering.seen) == (1, 1)
            world.set("one", proceed_on=["ok"])
            assert world.sent_through(BAD) == (["one"], True)
            assert (behind.seen, filtering.seen) == (1, 2), "pipe ends both chains, and says nothing to clsact"


@pytest.mark.parametrize("kind", CLSACT)
def test_the_end_of_a_chain_on_clsact_is_the_end(world: World) -> None:
    """Its end is ok, as that of bpfman's dispatchers: filters behind it do not run."""
    with strangers_tc.counting(-1, "before") as before, strangers_tc.counting(0, "behind") as behind:
        world.run("one", 50)
        world.run("two", 60)
        strangers_tc.filter_at(world.ns, "ingress", before.program, 49)
        strangers_tc.filter_at(world.ns, "ingress", behind.program, 51)
        assert world.sent_through() == (["one", "two"], True)
        assert (before.seen, behind.seen) == (1, 0)


@both
def test_neighbours_and_our_own_place_stay_over_every_change(world: World) -> None:
    """A filter at preference 50, as bpfman's, others around it; on TCX programs at both ends too."""
    ns, tcx = world.ns, world.kind.tc == "tcx"
    with ExitStack() as stack:
        others = [stack.enter_context(strangers_tc.program(name=f"other{n}")) for n in range(5)]
        for preference, program in zip((49, 50, 51), others, strict=False):
            strangers_tc.filter_at(ns, "ingress", program, preference)
        if tcx:
            strangers_tc.plain(ns, "ingress", others[3])
        world.run("m50", 50)
        if tcx:
            strangers_tc.plain(ns, "ingress", others[4])

        def seen() -> tuple[list[object], ...]:
            now = entry(world)
            filters: list[object] = [
                "ours" if number == now else (preference, handle, number)
                for preference, handle, number in strangers_tc.filters(ns, "ingress")
            ]
            links = strangers_tc.links(ns, "ingress") if tcx else []
            return filters, ["ours" if number == now else number for number, _ in links]

        first = seen()
        assert [*first[0], *first[1]].count("ours") == 1
        for name, priority in (("m10", 10), ("m90", 90)):
            world.run(name, priority)
            assert seen() == first
        world.set("m90", priority=5)
        assert seen() == first
        world.detach("m50")
        assert seen() == first
        assert world.sent_through() == (["m90", "m10"], True)
        world.unload("m90")
        world.unload("m10")
        assert world.chain() is None
        assert len(strangers_tc.filters(ns, "ingress")) == 3
        if tcx:
            assert len(strangers_tc.links(ns, "ingress")) == 2


@both
def test_a_filter_of_the_same_preference_that_comes_later_runs_before(world: World) -> None:
    """So has the kernel it: a neighbour that ends with ok at our preference keeps the packets from us, on clsact."""
    with strangers_tc.counting(0, "bpfman") as other:
        world.run("one", 50)
        assert world.sent_through() == (["one"], True)
        strangers_tc.filter_at(world.ns, "ingress", other.program, 50)
        assert world.sent_through() == ([] if world.kind.tc == "clsact" else ["one"], True)
        assert other.seen == 1


@pytest.mark.parametrize("kind", TCX)
def test_native_links_stand_around_the_chain(world: World) -> None:
    """By the priority of the member that the chain began with; the kernel moves no link, so it stays."""

    def native(name: str, priority: int) -> None:
        world.run(name, hook=hooks.Tcx(world.ns.interface, "ingress", priority, world.ns.path), verdict=-1)

    def order() -> list[str]:
        names = {number: each.name for each in world.host.loads() for number in each.program_ids}
        now = entry(world)
        return ["chain" if number == now else names[number] for number, _ in strangers_tc.links(world.ns, "ingress")]

    native("n40", 40)
    native("n60", 60)
    world.run("m50", 50)
    assert order() == ["n40", "chain", "n60"]
    world.run("m10", 10)
    native("n30", 30)
    native("n55", 55)
    native("n50", 50)
    assert order() == ["n30", "n40", "chain", "n50", "n55", "n60"]
    world.set("m10", priority=70)
    world.set("m50", priority=80)
    native("n65", 65)
    assert order() == ["n30", "n40", "chain", "n50", "n55", "n60", "n65"]
    assert world.sent_through() == (["n30", "n40", "m10", "m50", "n50", "n55", "n60", "n65"], True)
    hook = hooks.Tcx(world.ns.interface, "ingress", 45, world.ns.path)
    assert world.host.foresee(hook) == "3rd of 8 in the TCX chain"


@pytest.mark.parametrize("kind", TCX)
def test_links_of_one_command_go_by_priority_too(world: World) -> None:
    """A chain and native links on the same direction, from one object: nothing lists the one when the other comes."""
    names = ("first", "second", "third")
    data = compile_source(
        "\n".join(f'SEC("tc") int {loads.TAG}{name}(struct __sk_buff *ctx) {{ return -1; }}' for name in names)
        + '\nchar LICENSE[] SEC("license") = "GPL";'
    )
    priorities = dict(zip(names, (30, 20, 10), strict=True))
    pairs = [
        (f"{loads.TAG}first", hooks.Tcx(world.ns.interface, "ingress", priorities["first"], world.ns.path)),
        (f"{loads.TAG}second", world.hook(priorities["second"])),
        (f"{loads.TAG}third", hooks.Tcx(world.ns.interface, "ingress", priorities["third"], world.ns.path)),
    ]
    with load.prepare(data, name="three", hooks=pairs, host=world.host) as prepared:
        prepared.load()
        with world.host.writer() as writer:
            loaded = writer.run(prepared, load.Origin("three"))
    assert loaded.record is not None
    programs = {each.id: each.name.removeprefix(loads.TAG) for each in loaded.record.programs}
    now = entry(world)
    found = ["chain" if number == now else programs[number] for number, _ in strangers_tc.links(world.ns, "ingress")]
    assert found == ["third", "chain", "first"]


@both
def test_either_direction_has_a_chain_of_its_own(world: World) -> None:
    ns = world.ns
    world.run("in", 50)
    other = Kind(world.kind.builder, "egress", tc=world.kind.tc)
    hook = hooks.Tc(ns.interface, "egress", 50, netns=ns.path, dispatcher=other.builder)
    world.run("out", hook=hook)
    found = {each.spot.direction: [m.name for m in each.plan.members] for each in dispatcher.chains(world.host)}
    assert {direction: len(names) for direction, names in found.items()} == {"ingress": 1, "egress": 1}
    world.send()
    assert world.counted("in", 1)
    assert chains.seen(world.kept["out"]).good == 0, "it sees the answer, that nobody listens"
    world.unload("in")
    assert [each.spot.direction for each in dispatcher.chains(world.host)] == ["egress"]


@needs("tcx")
@pytest.mark.parametrize("kind", [Kind(builder, "ingress").param() for builder in BUILDERS])
def test_a_chain_keeps_its_way(world: World) -> None:
    """Whatever another host insists on: a chain that is there is joined where it is."""
    world.run("one", 50)
    world.host.tc = "clsact"
    world.run("two", 60)
    found = world.chain()
    assert found is not None
    assert (found.way, len(found.plan)) == ("tcx", 2)
    assert world.sent_through() == (["one", "two"], True)
    assert strangers_tc.filters(world.ns, "ingress") == []


@both
def test_what_others_took_off_is_lost_and_goes_quietly(world: World) -> None:
    """The next program begins a new chain; those that were in the old one can be detached and unloaded."""
    world.run("one", 10)
    world.run("two", 20)
    if world.kind.tc == "clsact":
        world.ns.exec(["tc", "qdisc", "del", "dev", world.ns.interface, "clsact"])
    else:
        ((_, link),) = strangers_tc.links(world.ns, "ingress")
        with bpf.link_by_id(link) as fd:
            bpf.link_detach(fd)
    assert world.chain() is None
    assert [world.host.has_filter(link) for each in world.host.loads() for link in each.links] == [False, False]
    world.run("three", 30)
    assert world.sent_through() == (["three"], True)
    world.detach("one")
    world.unload("two")
    assert world.sent_through() == (["three"], True)
    world.attach("one", 10)
    assert world.sent_through() == (["one", "three"], True)


@pytest.mark.parametrize("kind", TCX)
def test_a_chain_on_tcx_goes_with_its_interface(world: World) -> None:
    """Into another namespace, and under another name: it is found there, changed there, and goes from there."""
    world.run("one", 10)
    world.run("two", 20)
    with namespace() as other:
        moved = ["ip", "link", "set", world.ns.interface, "netns", other.path, "name", "moved0"]
        world.ns.exec(["ip", "link", "set", world.ns.interface, "down"])
        world.ns.exec(moved)
        world.set("one", priority=30)
        (found,) = dispatcher.chains(world.host)
        assert (found.spot.interface, found.spot.inode) == ("moved0", netns.inode(other.path))
        assert [member.link for member in found.plan.members] == [world.link("two"), world.link("one")]
        hook = hooks.Tc("moved0", "ingress", 5, netns=other.path, dispatcher=world.kind.builder)
        world.run("three", hook=hook)
        (found,) = dispatcher.chains(world.host)
        assert [member.link for member in found.plan.members] == [world.link(name) for name in ("three", "two", "one")]
        for name in ("one", "two", "three"):
            world.unload(name)
        assert netns.call(other.path, loads.attached_here, "moved0") == set()


@pytest.mark.parametrize("kind", CLSACT)
def test_a_chain_on_clsact_is_lost_when_its_interface_moves(world: World) -> None:
    """The kernel takes qdiscs off an interface that moves: detach and unload go quietly."""
    world.run("one", 10)
    world.run("two", 20)
    with namespace() as other:
        world.ns.exec(["ip", "link", "set", world.ns.interface, "netns", other.path])
        assert dispatcher.chains(world.host) == ()
        world.detach("one")
        world.unload("two")


@pytest.mark.parametrize("kind", CLSACT)
def test_a_filter_that_somebody_put_in_our_place_stays(world: World) -> None:
    world.run("one", 50)
    ((preference, handle, _),) = strangers_tc.filters(world.ns, "ingress")
    with strangers_tc.program() as other:
        strangers_tc.filter_at(world.ns, "ingress", other, preference, handle, replace=True)
        world.unload("one")
        assert strangers_tc.filters(world.ns, "ingress") == [(preference, handle, strangers_tc.number(other))]
        world.run("two", 50)
        assert len(strangers_tc.filters(world.ns, "ingress")) == 2
        world.unload("two")
        assert strangers_tc.filters(world.ns, "ingress") == [(preference, handle, strangers_tc.number(other))]


@pytest.mark.parametrize("kind", [Kind(builder, "egress", tc="clsact").param() for builder in BUILDERS])
def test_the_elder_qdisc_of_clsact_has_no_egress(world: World) -> None:
    world.ns.exec(["tc", "qdisc", "add", "dev", world.ns.interface, "ingress"])
    with loads.nothing_left(world.host), pytest.raises(KernelError, match="qdisc of kind ingress"):
        world.run("one", 50)
    world.ns.exec(["tc", "qdisc", "del", "dev", world.ns.interface, "ingress"])
    world.run("one", 50)
    assert world.sent_through() == (["one"], True)


@pytest.mark.parametrize("kind", TCX)
def test_only_members_of_a_chain_can_be_moved(world: World) -> None:
    hook = hooks.Tcx(world.ns.interface, "ingress", 10, world.ns.path)
    world.run("native", hook=hook, verdict=-1)
    with pytest.raises(UsageError, match=r"\(tcx\)"):
        run.change(world.host, world.link("native"), priority=60)
    world.run("one", 50)
    world.set("one", priority=5)
    assert chains.seen(world.kept["one"]).all == 0


@both
def test_many_writers_of_one_chain_beside_others(world: World) -> None:
    """Six of ours at once, while two others put programs there and take them off: each success is in the chain, in the
    order of priorities, those of one priority in the order in which they came."""
    names = [f"w{number}" for number in range(6)]
    data = {name: world.program(name) for name in names}
    stop, changes = threading.Event(), []

    def disturb(direction: str) -> None:
        with strangers_tc.program() as other:
            while not stop.is_set():
                if world.kind.tc == "tcx":
                    strangers_tc.link(world.ns, direction, other, strangers_tc.HEAD).close()
                else:
                    strangers_tc.filter_at(world.ns, direction, other, 50, 7, replace=True)
                changes.append(direction)

    def attach(name: str) -> None:
        host = dispatcher.host(world.host.bpffs, lock_timeout=60, tc=world.kind.tc)
        each = chains.World(host, world.ns, world.kind, world.kept)
        each.run(name, 10 + 10 * (names.index(name) % 2), data=data[name])

    with ThreadPoolExecutor(len(names)) as pool:
        others = [
            threading.Thread(target=disturb, args=("ingress",)) for _ in range(2 if world.kind.tc == "tcx" else 1)
        ]
        for each in others:
            each.start()
        try:
            list(pool.map(attach, names))
        finally:
            stop.set()
            for each in others:
                each.join()
    assert changes
    found = world.chain()
    assert found is not None
    assert [member.priority for member in found.plan.members] == [10, 10, 10, 20, 20, 20]
    assert sorted(world.listed()) == names
    for priority in (10, 20):
        links = [member.link for member in found.plan.members if member.priority == priority]
        assert links == sorted(links)
