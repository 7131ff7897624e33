"""Chains that bpfimg and three releases of xdp-tools share: each sees, adds to and takes from what the others made."""

from __future__ import annotations

import random
import re
import time
from dataclasses import replace
from itertools import permutations
from typing import TYPE_CHECKING

import pytest

from bpfimg.dispatcher._libxdp_stale import sweep_stale
from bpfimg.errors import AttachError, Busy
from tests.support import chain_programs, chains, xdptools
from tests.support.chain_programs import BAD, GOOD
from tests.support.chains import Kind
from tests.support.features import hook, kernel, needs
from tests.support.loads import TAG
from tests.support.shared_chains import Shared

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


pytestmark = [pytest.mark.kernel, hook("xdp"), needs("trampolines")]
#: each kernel has its half of what takes long, one that is in no table all of it
HALVES = {"6.12": (0,), "6.1": (1,)}.get(kernel() or "", (0, 1))
KILLS = 6 * len(HALVES)
suites = pytest.mark.parametrize("suite", sorted(xdptools.SUITES))


@pytest.fixture
def shared(suite: str, tmp_path: Path) -> Iterator[Shared]:
    with chains.world(Kind("freplace", "xdp")) as world:
        tools = xdptools.require(suite, world.ns, world.host.bpffs)
        yield Shared(world, tools, tmp_path)
        tools.unload_all()


@suites
def test_each_sees_what_the_other_has_added(shared: Shared) -> None:
    shared.ours("first", 10, ("pass", "drop"))
    assert shared.agreed() == ["first"]
    shared.add("third", 30)
    assert shared.agreed() == ["first", "third"]
    shared.ours("second", 20, ("pass", "tx", "redirect"))
    assert shared.agreed() == ["first", "second", "third"]
    assert shared.all_count("first", "second", "third")
    chain = shared.world.chain()
    assert chain is not None
    assert (chain.builder, chain.protocol, chain.mode, chain.damage) == (
        "freplace",
        shared.tools.protocol,
        "native",
        (),
    )


@suites
def test_programs_come_and_go_in_every_order(shared: Shared) -> None:
    for turn, coming in enumerate(permutations(("low", "middle", "high"))):
        if turn % 2 not in HALVES:
            continue
        priorities = {"low": 10, "middle": 20, "high": 30}
        for at, name in enumerate(coming):
            before = shared.kept()
            (shared.ours if (at + turn) % 2 else shared.add)(name, priorities[name])
            assert shared.agreed() == [each for each in priorities if each in coming[: at + 1]]
            assert {number: kept for number, kept in shared.kept().items() if number in before} == before
        assert shared.all_count(*coming)
        for at, name in enumerate(coming[turn % 3 :] + coming[: turn % 3]):
            before = shared.kept()
            there = shared.agreed()
            shared.leave(name, by_owner=bool((at + turn // 2) % 2))
            assert shared.agreed() == [each for each in there if each != name]
            assert shared.kept().items() <= before.items()
        assert shared.listed() == []
        assert chains.left(shared.world.host) == []


@suites
def test_names_longer_than_the_kernel_keeps_them_are_whole(shared: Shared) -> None:
    mine, yours = "mine_of_a_long_name_to_read", "yours_of_a_long_name_to_read"
    shared.add(yours, 20)
    shared.ours(mine, 10)
    assert shared.agreed() == [mine, yours]


@suites
def test_programs_of_one_priority_stand_as_they_were_found(shared: Shared) -> None:
    """libxdp sorts all of them by name at each of its changes, we put a newcomer behind."""
    shared.ours("m")
    shared.add("a")
    assert shared.agreed() == ["a", "m"]
    shared.ours("k")
    assert shared.agreed() == ["a", "m", "k"]
    shared.world.set("m", proceed_on=("pass", "aborted"))
    assert shared.agreed() == ["a", "m", "k"]
    shared.add("z")
    assert shared.agreed() == ["a", "k", "m", "z"]


@suites
def test_another_priority_and_other_actions_are_seen_by_both(shared: Shared) -> None:
    shared.add("theirs", 20)
    shared.ours("ours", 10)
    before = shared.kept()
    shared.world.set("ours", 30, ("drop",))
    assert shared.agreed() == ["theirs", "ours"]
    assert shared.kept() == before
    assert shared.tools.status()[1].actions == ("XDP_DROP",)


@suites
def test_when_they_take_everything_off_ours_are_lost_and_can_be_detached(shared: Shared) -> None:
    for name in ("one", "two"):
        shared.ours(name)
    shared.add("three")
    assert shared.tools.unload_all().returncode == 0
    assert shared.listed() == []
    shared.world.detach("one")
    shared.world.unload("one")
    shared.ours("four")
    assert shared.agreed() == ["four"]
    shared.world.unload("two")
    shared.world.unload("four")
    assert chains.left(shared.world.host) == []


@suites
def test_xdp_filter_goes_on_filtering_in_our_chain(shared: Shared) -> None:
    interface = shared.world.ns.interface
    shared.ours("before", 5)
    for words in (("load", "--features", "udp", interface), ("port", "--proto", "udp", "--mode", "dst", str(BAD))):
        done = shared.tools.run("xdp-filter", *words)
        assert done.returncode == 0, f"xdp-filter {words} ended with {done.returncode}: {done.stdout}{done.stderr}"
    shared.ours("behind", 20)
    try:
        found = shared.agreed()
        assert (found[0], len(found), found[2]) == ("before", 3, "behind")
        assert found[1].startswith("xdpfilt_")
        for expected in (["before", "behind"], ["behind"]):
            ran = shared.world.sent_through(GOOD), shared.world.sent_through(BAD)
            assert ran == ((expected, True), ([name for name in expected if name == "before"], False))
            if "before" in shared.world.kept:
                shared.world.unload("before")
    finally:
        done = shared.tools.run("xdp-filter", "unload", interface)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    assert shared.agreed() == ["behind"]
    assert shared.world.sent_through(BAD) == (["behind"], True)


@suites
def test_a_clean_in_another_namespace_leaves_our_chain_whole_and_the_next_command_mends_the_view(
    shared: Shared,
) -> None:
    """xdp-loader takes every dispatcher for stale that is not in its own namespace, and removes its pins: those of our
    members' links as well."""
    shared.ours("first", 10)
    shared.add("theirs", 20)
    shared.ours("last", 30)
    elsewhere = replace(shared.tools, ns=replace(shared.world.ns, name=shared.world.ns.peer))
    done = elsewhere.run("xdp-loader", "clean")
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    assert not [path for path in chains.left(shared.world.host) if "/xdp/dispatch-" in path]
    assert shared.all_count("first", "theirs", "last")
    assert [name.removeprefix(TAG) for name, _, _ in shared.listed()] == ["first", "theirs", "last"]
    shared.world.set("last", 5)
    assert shared.agreed() == ["last", "first", "theirs"]
    assert shared.all_count("first", "theirs", "last")


@suites
def test_what_somebody_has_switched_off_begins_anew(shared: Shared) -> None:
    """`ip link set dev IFACE xdp off` leaves pins of both behind."""
    shared.add("theirs", 20)
    shared.ours("ours", 10)
    shared.world.ns.exec(["ip", "link", "set", "dev", shared.world.ns.interface, "xdp", "off"])
    assert shared.listed() == []
    shared.ours("again", 30)
    assert shared.agreed() == ["again"]
    shared.world.unload("ours")
    folders = {path for path in chains.left(shared.world.host) if re.search(r"/xdp/dispatch-[^/]*$", path)}
    assert len(folders) == 1, "that of the chain which runs"


@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_older_tools_stay_out_of_the_third_version(shared: Shared) -> None:
    shared.ours("ours", protocol="v3")
    before = shared.kept()
    assert shared.load("theirs").returncode == 240
    assert shared.tools.run("xdp-loader", "status").returncode == 161
    assert shared.kept() == before


@pytest.mark.parametrize("suite", ["sid"])
def test_newer_tools_read_the_second_version_and_take_it_off_as_a_whole(shared: Shared) -> None:
    shared.ours("ours", protocol="v2")
    assert shared.agreed() == ["ours"]
    assert shared.load("theirs").returncode == 240
    assert shared.agreed() == ["ours"]
    shared.ours("more", protocol="auto")
    chain = shared.world.chain()
    assert chain is not None
    assert chain.protocol == 2
    assert shared.tools.unload_all().returncode == 0
    assert shared.listed() == []


@suites
def test_in_a_chain_of_theirs_we_write_their_version(shared: Shared) -> None:
    shared.add("theirs")
    shared.ours("ours", protocol="auto")
    chain = shared.world.chain()
    assert chain is not None
    assert chain.protocol == shared.tools.protocol


@suites
def test_generic_mode_is_shared_and_the_other_is_refused_with_a_reason(shared: Shared) -> None:
    shared.add("theirs", 20, "-m", "skb")
    with pytest.raises(AttachError, match="runs in generic mode, expected native as this program asks"):
        shared.ours("native", mode="native")
    shared.ours("ours", 10)
    assert shared.agreed() == ["ours", "theirs"]
    chain = shared.world.chain()
    assert chain is not None
    assert chain.mode == "generic"
    assert shared.load("other", 30, "-m", "native").returncode == 240
    shared.add("third", 30, "-m", "skb")
    assert shared.agreed() == ["ours", "theirs", "third"]


@suites
def test_a_chain_for_large_frames_stays_whole_when_a_program_does_not_fit(shared: Shared) -> None:
    ns = shared.world.ns
    ns.exec(["ip", "link", "set", ns.peer_interface, "mtu", "9000"], peer=True)
    ns.exec(["ip", "link", "set", ns.interface, "mtu", "9000"])
    hook = shared.world.hook(10, protocol=f"v{shared.tools.protocol}")
    shared.world.run("large", data=chain_programs.program("xdp", "large", frags=True), hook=hook)
    before = shared.kept()
    assert shared.agreed() == ["large"]
    assert shared.load("theirs").returncode == 222
    with pytest.raises(AttachError, match="not built for fragments"):
        shared.ours("small")
    assert shared.agreed() == ["large"]
    assert shared.kept() == before


@suites
def test_a_program_that_libxdp_puts_there_by_itself_is_named(shared: Shared) -> None:
    """LIBXDP_SKIP_DISPATCHER=1, and kernels without freplace: then it is no dispatcher, and nobody can add to it."""
    alone = replace(shared.tools, more=(("LIBXDP_SKIP_DISPATCHER", "1"),))
    path = shared.folder / "alone.o"
    path.write_bytes(chain_programs.program("xdp", "alone"))
    done = alone.load(path)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    with pytest.raises(Busy, match="attached without a link") as caught:
        shared.ours("ours")
    assert caught.value.hint == f"`ip link set dev {shared.world.ns.interface} xdpdrv off` takes it off"


@suites
def test_programs_that_change_packets(shared: Shared) -> None:
    """Newer kernels let such a member into a slot that says it changes packets, as ours do, and those of xdp-tools from
    1.5.5 on. Older tools list the chain, and leave it as it is."""
    shared.ours("plain", 10)
    hook = shared.world.hook(20, protocol=f"v{shared.tools.protocol}")
    shared.world.run("changer", data=chain_programs.program("xdp", "changer", "changer"), hook=hook)
    assert shared.agreed() == ["plain", "changer"]
    assert shared.all_count("plain", "changer")
    before = shared.kept()
    done = shared.load("theirs", 30)
    if done.returncode:
        assert shared.tools.suite in ("bookworm", "trixie")
        assert shared.agreed() == ["plain", "changer"]
        assert shared.kept() == before
    else:
        assert shared.agreed() == ["plain", "changer", "theirs"]


@suites
def test_we_clean_up_after_a_chain_that_only_they_are_left_in(shared: Shared) -> None:
    shared.ours("ours")
    shared.add("theirs")
    shared.world.unload("ours")
    assert shared.agreed() == ["theirs"]
    assert not [path for path in chains.left(shared.world.host) if "/bpfimg/" in path], "nothing of ours is in it"


@suites
def test_tools_that_are_killed_leave_nothing_that_is_in_our_way(shared: Shared) -> None:
    """Whole is the chain at any time, we go on, and what they leave pinned is swept by us."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    moments = random.Random(seed)
    path = shared.folder / "killed.o"
    path.write_bytes(chain_programs.program("xdp", "killed"))
    interface = shared.world.ns.interface
    shared.ours("ours", 10)
    begun = time.monotonic()
    shared.add("stays", 20)
    span = time.monotonic() - begun
    for number in range(KILLS):
        there = shared.agreed()
        going = [str(shared.ids()["killed"])] if "killed" in there else []
        words = ("unload", interface, "--id", *going) if going else ("load", interface, str(path))
        victim = shared.tools.start("xdp-loader", *words)
        time.sleep(moments.uniform(0, span))
        victim.kill()
        victim.communicate()
        xdptools.PID_FILE.unlink(missing_ok=True)
        found = [name.removeprefix(TAG) for name, _, _ in shared.listed()]
        assert sorted({*found, "killed"}) == ["killed", "ours", "stays"]
        assert shared.all_count(*found)
        shared.world.set("ours", 5 if number % 2 else 30)
        assert sorted(shared.agreed()) == sorted(found)
    before = shared.ids()
    swept = sweep_stale(shared.world.host.bpffs, (), grace=0)
    print(f"left by {KILLS} kills: {len(swept)}")
    assert shared.ids() == before
    folders = [path for path in chains.left(shared.world.host) if re.search(r"/xdp/dispatch-[^/]*$", path)]
    assert len(folders) == 1, "that of the chain which runs"
