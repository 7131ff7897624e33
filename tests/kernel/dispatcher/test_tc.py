"""A tc dispatcher on its hook: by a TCX link or a clsact filter it comes, is exchanged in place, and goes."""

from __future__ import annotations

import errno
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from bpfimg.dispatcher import _tc
from bpfimg.dispatcher._model import Spot
from bpfimg.dispatcher._raced import Raced
from bpfimg.errors import AttachError, Busy, KernelError, NotSupported
from bpfimg.kernel import Fd, bpf, netlink, netns
from bpfimg.load import members
from tests.support import loads, strangers_tc
from tests.support.features import lacks, needs
from tests.support.netns import bpffs, skip_unless

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.netns import Namespace

pytestmark = pytest.mark.kernel

WAYS = [pytest.param("tcx", marks=needs("tcx")), "clsact"]
DIRECTIONS = ("ingress", "egress")
HANDLE = 0x1234
SCENE = members.Scene("auto", ())


def spot(ns: Namespace, direction: str = "ingress") -> Spot:
    def here() -> Spot:
        index = netlink.interface_index(ns.interface)
        return Spot("tc", direction, ns.interface, index, ns.path, netns.inode(None))

    return netns.call(ns.path, here)


@dataclass(frozen=True, slots=True)
class Entry:
    """Our entry on a hook, as the engine keeps it: a link and where it is pinned, or a filter."""

    way: str
    spot: Spot
    started: _tc.Started
    pin: str

    @property
    def running(self) -> int:
        return _tc.running(self.way, self.spot, self.pin, self.started.handle, self.started.priority)

    def swap(self, old: Fd, new: Fd) -> None:
        started = self.started
        _tc.swap(self.way, self.spot, started.link, started.handle, started.priority, old, new)

    def stop(self, expected: Fd | int) -> bool:
        number = expected if isinstance(expected, int) else strangers_tc.number(expected)
        return _tc.stop(self.way, self.spot, self.started.link, self.started.handle, self.started.priority, number)


@contextmanager
def entry(way: str, place: Spot, program: Fd, priority: int = 50) -> Iterator[Entry]:
    skip_unless("bpffs")
    with bpffs() as mount, ExitStack() as stack:
        started = _tc.start(way, place, program, priority, SCENE, handle=HANDLE)
        if started.link is not None:
            stack.enter_context(started.link)
            bpf.pin(started.link, f"{mount}/entry")
        yield Entry(way, place, started, f"{mount}/entry")


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("way", WAYS)
def test_it_comes_is_exchanged_and_goes(way: str, direction: str, ns: Namespace) -> None:
    with strangers_tc.program(-1) as first, strangers_tc.program(2) as second:
        with entry(way, spot(ns, direction), first) as ours:
            assert (ours.started.link is not None) is (way == "tcx")
            assert ours.running == strangers_tc.number(first)
            assert ns.ping()
            ours.swap(first, second)
            assert ours.running == strangers_tc.number(second)
            assert not ns.ping()
            assert not ours.stop(first), "it runs another program"
            assert ours.stop(second)
            assert (ours.running, ours.stop(second)) == (0, False)
            assert ns.ping()
        assert loads.attached(ns) == set()


@pytest.mark.parametrize("way", WAYS)
def test_only_what_is_expected_is_exchanged(way: str, ns: Namespace) -> None:
    with strangers_tc.program() as first, strangers_tc.program() as second, strangers_tc.program() as third:
        with entry(way, spot(ns), first) as ours:
            ours.swap(first, second)
            with pytest.raises(Raced, match=f"runs program {strangers_tc.number(second)}, expected"):
                ours.swap(first, third)
            assert ours.running == strangers_tc.number(second)
            ours.stop(second)
            with pytest.raises(Raced):
                ours.swap(second, third)
            assert ours.running == 0
        assert loads.attached(ns) == set()


@pytest.mark.parametrize("way", WAYS)
def test_no_packet_meets_none_or_two_while_it_is_exchanged(way: str, ns: Namespace) -> None:
    """Each packet of a flood is counted once, by the one program or by the other."""
    with strangers_tc.counting(-1, "one") as one, strangers_tc.counting(-1, "two") as two, ExitStack() as stack:
        pair = [Fd(number) for number in _copies(one.program, two.program)]
        for each in pair:
            stack.enter_context(each)
        with entry(way, spot(ns), pair[0]) as ours:
            done = threading.Event()
            sent = 150

            def flood() -> None:
                assert ns.ping(sent)
                done.set()

            thread = threading.Thread(target=flood)
            thread.start()
            swaps = 0
            while not done.is_set():
                ours.swap(pair[swaps % 2], pair[(swaps + 1) % 2])
                swaps += 1
            thread.join()
            assert swaps > 10
            assert one.seen + two.seen == sent
            assert ours.stop(pair[swaps % 2])


def _copies(*descriptors: int) -> list[int]:
    import os

    return [os.dup(each) for each in descriptors]


@needs("tcx")
def test_the_end_of_a_tcx_entry_lets_those_behind_it_run(ns: Namespace) -> None:
    """-1 is what a chain on TCX ends with: programs behind it, and the filters of clsact, see the packet."""
    with strangers_tc.counting(-1, "behind") as behind, strangers_tc.counting(0, "filter") as filtering:
        strangers_tc.filter_at(ns, "ingress", filtering.program, 50)
        for result, seen in ((-1, (1, 1)), (0, (1, 1)), (3, (1, 2))):
            with (
                strangers_tc.program(result) as program,
                entry("tcx", spot(ns), program) as ours,
                strangers_tc.link(ns, "ingress", behind.program),
            ):
                assert ns.ping()
                assert (behind.seen, filtering.seen) == seen, result
                ours.stop(program)


@pytest.mark.parametrize(("result", "seen"), [(0, 0), (-1, 1), (3, 1)])
def test_what_a_filter_ends_with_is_for_those_behind_it(result: int, seen: int, ns: Namespace) -> None:
    """0 is what a chain on clsact ends with: filters behind it do not run, as bpfman has it. -1 lets them, and so does
    what direct action does not know: reclassify, pipe, queued and repeat."""
    with strangers_tc.counting(0, "behind") as behind, strangers_tc.program(result) as program:
        strangers_tc.filter_at(ns, "ingress", behind.program, 60)
        with entry("clsact", spot(ns), program) as ours:
            assert ns.ping()
            assert behind.seen == seen
            ours.stop(program)


@pytest.mark.parametrize("way", WAYS)
def test_neighbours_stay_as_they_are(way: str, ns: Namespace) -> None:
    """A filter at preference 50, as bpfman's, others before and behind it, and TCX programs at both ends."""
    with ExitStack() as stack:
        others = [stack.enter_context(strangers_tc.program(name=f"other{n}")) for n in range(5)]
        first, second = (stack.enter_context(strangers_tc.program()) for _ in range(2))
        for preference, program in zip((49, 50, 51), others, strict=False):
            strangers_tc.filter_at(ns, "ingress", program, preference)
        tcx = way == "tcx"
        if tcx:
            for program, flags in ((others[3], strangers_tc.HEAD), (others[4], strangers_tc.TAIL)):
                strangers_tc.plain(ns, "ingress", program, flags)
        before = strangers_tc.filters(ns, "ingress"), strangers_tc.links(ns, "ingress") if tcx else []
        with entry(way, spot(ns), first) as ours:
            ours.swap(first, second)
            filters, chain = strangers_tc.filters(ns, "ingress"), strangers_tc.links(ns, "ingress") if tcx else []
            assert [each for each in filters if each in before[0]] == before[0]
            assert [each for each in chain if each in before[1]] == before[1]
            assert len(filters) + len(chain) == len(before[0]) + len(before[1]) + 1
            assert ours.stop(second)
        assert (strangers_tc.filters(ns, "ingress"), strangers_tc.links(ns, "ingress") if tcx else []) == before


def test_a_filter_keeps_handle_and_preference(ns: Namespace) -> None:
    with strangers_tc.program() as first, strangers_tc.program() as second:
        for priority, preference in ((0, 1), (50, 50), (1 << 20, 0xFFFF)):
            with entry("clsact", spot(ns), first, priority) as ours:
                assert (ours.started.handle, ours.started.priority) == (HANDLE, preference)
                ours.swap(first, second)
                assert strangers_tc.filters(ns, "ingress") == [(preference, HANDLE, strangers_tc.number(second))]
                with pytest.raises(Busy, match="handle 0x1234 and preference"):
                    _tc.start("clsact", ours.spot, first, priority, SCENE, handle=HANDLE)
                ours.stop(second)
        assert strangers_tc.filters(ns, "ingress") == []


def test_the_elder_qdisc_of_clsact_has_no_egress(ns: Namespace) -> None:
    """The kernel takes a filter for egress there, and runs it on ingress: that is refused before."""
    ns.exec(["tc", "qdisc", "add", "dev", ns.interface, "ingress"])
    with strangers_tc.program() as program:
        with pytest.raises(KernelError, match="qdisc of kind ingress") as caught:
            _tc.start("clsact", spot(ns, "egress"), program, 50, SCENE, handle=HANDLE)
        assert caught.value.errno == errno.EOPNOTSUPP
        with entry("clsact", spot(ns, "ingress"), program) as ours:
            assert ours.running == strangers_tc.number(program)
            assert ours.stop(program)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("gone", ["interface", "namespace"])
def test_what_has_gone_is_nothing_to_stop(gone: str, way: str) -> None:
    skip_unless("bpffs")
    with loads.doomed_namespace() as ns, strangers_tc.program() as first, strangers_tc.program() as second:
        place = spot(ns)
        with entry(way, place, first) as ours:
            if gone == "interface":
                ns.exec(["ip", "link", "del", ns.interface])
            else:
                loads.sh("ip", "netns", "del", ns.name)
                _wait_until_gone(ours)
            assert ours.running == 0
            with pytest.raises((AttachError, Raced)):
                ours.swap(first, second)
            assert not ours.stop(first)
        with pytest.raises(AttachError):
            _tc.start(way, place, first, 50, SCENE, handle=HANDLE)


def _wait_until_gone(ours: Entry) -> None:
    """The kernel takes a namespace apart in its own time."""
    import time

    deadline = time.monotonic() + 20
    while ours.running and time.monotonic() < deadline:
        time.sleep(0.02)


def test_the_way_that_a_host_has() -> None:
    from bpfimg.kernel import features

    assert _tc.way("clsact") == "clsact"
    assert _tc.way("auto") == ("tcx" if features.has("tcx") else "clsact")


def test_a_host_that_insists_on_tcx_where_there_is_none() -> None:
    lacks("tcx")
    with pytest.raises(NotSupported, match="no TCX"):
        _tc.way("tcx")


@needs("tcx")
def test_a_program_that_is_in_the_chain_already(ns: Namespace) -> None:
    with (
        strangers_tc.program() as first,
        strangers_tc.program() as second,
        entry("tcx", spot(ns), first) as ours,
        strangers_tc.link(ns, "ingress", second),
    ):
        with pytest.raises(AttachError, match=r"is in the TCX chain of .* already"):
            ours.swap(first, second)
        assert ours.running == strangers_tc.number(first)
        ours.stop(first)


@needs("tcx")
@pytest.mark.parametrize("attach_type", [0, 46, 47])
def test_a_link_takes_programs_of_each_attach_type(attach_type: int, ns: Namespace) -> None:
    """SEC("tc") is 0, SEC("tcx/ingress") 46, SEC("tcx/egress") 47: the link that is there takes them all."""
    with (
        strangers_tc.program() as first,
        strangers_tc.program(attach_type=attach_type) as second,
        entry("tcx", spot(ns), first) as ours,
    ):
        ours.swap(first, second)
        ours.swap(second, first)
        assert ours.stop(first)
