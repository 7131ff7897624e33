"""Exchanging what an interface runs: modes, races, links, and interfaces that do not take it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from bpfimg.dispatcher import Member, Plan, _xdp
from bpfimg.dispatcher._model import Spot
from bpfimg.dispatcher._xdp import Raced, State, Used, agree, held, state
from bpfimg.errors import AttachError, Busy
from bpfimg.kernel import abi, bpf, netlink, netns
from tests.support.features import hook, needs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    from bpfimg.kernel import Fd
    from tests.support.netns import Namespace

    T = TypeVar("T")

pytestmark = [pytest.mark.kernel, hook("xdp"), needs("xdp")]


@pytest.fixture
def spot(ns: Namespace) -> Spot:
    """The XDP hook of the interface of the test."""
    index = netns.call(ns.path, netlink.interface_index, ns.interface)
    return Spot("xdp", "", ns.interface, index, ns.path, netns.inode(ns.path))


def within(spot: Spot, function: Callable[[], T]) -> T:
    """What the function returns, called in the namespace of the hook."""
    return netns.call(spot.netns, function)


def swap(spot: Spot, old: Fd | None, new: Fd | None, mode: str, plan: Plan | None = None) -> Used:
    return within(spot, lambda: _xdp.swap(spot, old, new, mode, plan))


def seen(spot: Spot) -> State:
    return within(spot, lambda: state(spot.ifindex))


@contextmanager
def program() -> Iterator[Fd]:
    with bpf.prog_load_trivial(abi.PROG_TYPE_XDP, abi.ATTACH_XDP) as fd:
        yield fd


def number(fd: Fd) -> int:
    return bpf.program_info(fd, memlock=False).id


@pytest.mark.parametrize(("asked", "used"), [("auto", "native"), ("native", "native"), ("generic", "generic")])
def test_a_chain_comes_is_exchanged_and_goes(asked: str, used: str, spot: Spot) -> None:
    with program() as first, program() as second:
        assert seen(spot) == State(0, "")
        assert swap(spot, None, first, asked) == Used(used)
        assert seen(spot) == State(number(first), used)
        assert not seen(spot).by_link
        assert swap(spot, first, second, used) == Used(used)
        assert seen(spot) == State(number(second), used)
        swap(spot, second, None, used)
        assert seen(spot) == State(0, "")


@pytest.mark.parametrize("mode", ["native", "generic", "auto"])
@pytest.mark.parametrize("there", ["native", "generic"])
def test_a_first_program_that_finds_another_is_to_look_again(mode: str, there: str, spot: Spot) -> None:
    with program() as theirs, program() as ours:
        swap(spot, None, theirs, there)
        with pytest.raises(Raced, match=f"somebody else changed what {spot.interface} runs"):
            swap(spot, None, ours, mode)
        assert seen(spot) == State(number(theirs), there)


def test_an_exchange_that_finds_another_program_is_to_look_again(spot: Spot) -> None:
    with program() as old, program() as theirs, program() as ours:
        swap(spot, None, theirs, "native")
        for new in (ours, None):
            with pytest.raises(Raced, match="somebody else"):
                swap(spot, old, new, "native")
        swap(spot, theirs, None, "native")
        with pytest.raises(Raced, match="somebody else"):
            swap(spot, old, ours, "native")
        assert seen(spot).program == 0


def test_the_other_mode_is_no_race(spot: Spot) -> None:
    with program() as old, program() as new:
        swap(spot, None, old, "native")
        with pytest.raises(AttachError, match="runs in native mode, expected generic"):
            swap(spot, old, new, "generic")
        with pytest.raises(AttachError, match="runs in native mode, expected generic as this program asks") as caught:
            agree(spot, "generic", "native")
        assert "--mode native" in caught.value.hint
        agree(spot, "auto", "native")
        agree(spot, "native", "native")


def test_a_link_is_named(spot: Spot) -> None:
    def inside() -> None:
        with program() as theirs, program() as ours, bpf.link_create(theirs, spot.ifindex, abi.ATTACH_XDP):
            assert state(spot.ifindex) == State(number(theirs), "native")
            assert state(spot.ifindex).by_link
            for old in (None, theirs):
                with pytest.raises(Busy, match="held by a bpf_link") as caught:
                    _xdp.swap(spot, old, ours, "native")
                assert f"program {number(theirs)} 'bpfimg_probe', not loaded by bpfimg" in caught.value.owner

    within(spot, inside)


def test_a_plain_program_is_named_with_the_way_to_take_it_off(spot: Spot) -> None:
    with program() as theirs:
        swap(spot, None, theirs, "generic")
        error = within(spot, lambda: held(spot, state(spot.ifindex)))
        said = f"already runs XDP, in generic mode: program {number(theirs)} 'bpfimg_probe', not loaded by bpfimg, "
        assert said + "attached without a link" in str(error)
        assert error.hint == f"`ip link set dev {spot.interface} xdpgeneric off` takes it off"


def plan(*frags: bool) -> Plan:
    """Members that take packets of several buffers, or not."""
    members = (Member(at + 1, f"member{at}", 50, 4, frags=each) for at, each in enumerate(frags))
    return Plan("xdp", tuple(members))


def jumbo(ns: Namespace) -> None:
    ns.exec(["ip", "link", "set", ns.peer_interface, "mtu", "9000"], peer=True)
    ns.exec(["ip", "link", "set", ns.interface, "mtu", "9000"])


def test_auto_falls_back_where_frames_are_too_large_and_says_which_member_it_is(spot: Spot, ns: Namespace) -> None:
    jumbo(ns)
    with program() as fd:
        assert swap(spot, None, fd, "auto", plan(True, False)) == Used(
            "generic",
            "in generic mode: the driver veth refuses it: frames of MTU 9000 come in fragments, and 'member1' is not"
            ' built for fragments (ERANGE); build it as xdp.frags (SEC("xdp.frags")), or make the MTU smaller',
        )
        assert seen(spot).mode == "generic"


def test_native_where_frames_are_too_large_is_refused(spot: Spot, ns: Namespace) -> None:
    jumbo(ns)
    with program() as fd:
        with pytest.raises(AttachError, match=r"native mode.*'member0' and 'member1' are not built") as caught:
            swap(spot, None, fd, "native", plan(False, False))
        assert "--mode generic" in caught.value.hint
        assert seen(spot).program == 0


@needs("xdp-frags")
def test_a_member_without_fragments_does_not_come_into_a_chain_of_large_frames(spot: Spot, ns: Namespace) -> None:
    jumbo(ns)
    frags = bpf.Program(
        abi.PROG_TYPE_XDP, b"\xb7" + bytes(7) + b"\x95" + bytes(7), "frags", attach_type=abi.ATTACH_XDP, flags=0x20
    )
    with bpf.prog_load(frags) as old, program() as new:
        assert swap(spot, None, old, "auto", plan(True)) == Used("native")
        with pytest.raises(AttachError, match="'member1' is not built for fragments") as caught:
            swap(spot, old, new, "native", plan(True, False))
        assert "take all programs off first" in caught.value.hint
        assert seen(spot).program == number(old)


def test_a_driver_without_xdp_of_its_own(ns: Namespace) -> None:
    ns.exec(["ip", "link", "add", "br0", "type", "bridge"])
    index = netns.call(ns.path, netlink.interface_index, "br0")
    bridge = Spot("xdp", "", "br0", index, ns.path, netns.inode(ns.path))
    with program() as fd:
        with pytest.raises(AttachError, match="it has no XDP of its own"):
            swap(bridge, None, fd, "native")
        assert swap(bridge, None, fd, "auto") == Used(
            "generic", "in generic mode: the driver bridge has no XDP of its own"
        )


def test_an_interface_that_has_gone_is_to_be_looked_at_again(spot: Spot, ns: Namespace) -> None:
    with program() as old, program() as new:
        swap(spot, None, old, "native")
        ns.exec(["ip", "link", "del", ns.interface])
        for each in (new, None):
            with pytest.raises(Raced, match="has gone"):
                swap(spot, old, each, "native")
