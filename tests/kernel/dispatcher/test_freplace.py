"""The freplace builder on a kernel: generated dispatchers, and what chains of members come to, against a model."""

from __future__ import annotations

import errno
import random
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from bpfimg._value import replace
from bpfimg.dispatcher import Member, Plan
from bpfimg.dispatcher._freplace import Built, build
from bpfimg.dispatcher._record import decode
from bpfimg.dispatcher._together import HAS_FRAGS
from bpfimg.dispatcher._words import ALWAYS, goes_on, mask
from bpfimg.errors import AttachError, KernelError
from bpfimg.kernel import abi, bpf, libbpf, netlink, netns
from tests.support.extensions import CHANGING, END, PACKET, SOURCES, built, extensions, planned, ran
from tests.support.features import needs
from tests.support.objects import compile_source

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.support.netns import Namespace

pytestmark = [pytest.mark.kernel, needs("trampolines")]


def modelled(hook: str, masks: Sequence[int], results: Sequence[int], end: int) -> tuple[int, int]:
    """The result of a chain, and how many of its members ran."""
    for at, (each, result) in enumerate(zip(masks, results, strict=True), 1):
        if not goes_on(hook, each | ALWAYS, result):
            return result, at
    return end, len(masks)


@pytest.mark.parametrize("hook", ["xdp", "tc"])
def test_each_of_ten_slots_runs_in_order_and_the_chain_ends_as_a_model_says(hook: str) -> None:
    chosen = random.Random(7)
    codes = [0, 1, 2, 3, 4, 31] if hook == "xdp" else [-1, 0, 1, 2, 3, 4, 7, 8, 30]
    with extensions(hook, 10) as programs:
        for count in range(1, 11):
            for _ in range(6):
                masks = [chosen.getrandbits(32) | ALWAYS for _ in range(count)]
                end = chosen.choice([END[hook], 0]) if hook == "tc" else END[hook]
                used = chosen.sample(programs, count)
                with built(planned(hook, used, masks), used, end) as made:
                    for _ in range(8):
                        results = [chosen.choice([*codes, 5, 77]) for _ in range(count)]
                        before = [each.count for each in used]
                        for each, result in zip(used, results, strict=True):
                            each.returns(result)
                        expected, reached = modelled(hook, masks, results, end)
                        assert ran(made) == expected, (masks, results)
                        steps = [each.count - old for each, old in zip(used, before, strict=True)]
                        assert steps == [1] * reached + [0] * (count - reached)


def targets(made: Built) -> list[int]:
    """The functions of the dispatcher that the links have replaced, by their type ids."""
    found = [bpf.link_info(link) for link in made.links]
    assert {info.target_program for info in found} == {made.id}
    return [info.target_type or 0 for info in found]


def test_a_single_program_takes_the_place_of_main_where_nobody_can_tell() -> None:
    with extensions("xdp", 1) as programs:
        with built(planned("xdp", programs, [mask("xdp", ("pass",))]), programs) as made:
            (main,) = targets(made)
            assert ran(made) == 2
            programs[0].returns(1)
            assert ran(made) == 1
            assert programs[0].count == 2
        with built(planned("xdp", programs, [mask("xdp", ("pass", "drop"))]), programs) as made:
            assert targets(made) == [main + 1]
            assert ran(made) == 2  # a dropped packet that goes on ends as all do
        member = Member(programs[0].id, "p", 50, mask("xdp", ("tx",)), returns=(1, 2))
        with built(Plan("xdp", (member,)), programs) as made:
            assert targets(made) == [main]


def test_xdp_has_libxdp_s_record_and_name() -> None:
    with extensions("xdp", 3) as programs:
        masks = [mask("xdp", names) for names in (("pass",), ("drop", "pass"), ("pass", "tx"))]
        with built(planned("xdp", programs, masks), programs) as made:
            info = bpf.program_info(made.dispatcher)
            assert info.name == "xdp_dispatcher"
            assert info.id == made.id
            (number,) = info.map_ids
            with bpf.map_by_id(number) as record:
                value = bpf.map_lookup(record, bytes(4), 124) or b""
                what = bpf.map_info(record)
            assert (what.type, what.key_size, what.value_size, what.max_entries, what.flags) == (2, 4, 124, 1, 0x80)
            assert (what.name, what.frozen) == ("xdp_disp.rodata", True)
            assert value[:16] == bytes.fromhex("ec 02 03 00 04000080 06000080 0c000080")
            found = decode(value)
            assert (found.masks, found.priorities, found.flags) == (tuple(masks), (0, 10, 20), (0, 0, 0))


@pytest.mark.parametrize("hook", ["xdp", "tc"])
def test_programs_stay_the_same_from_one_dispatcher_to_the_next(hook: str) -> None:
    on = mask(hook, ("pass",) if hook == "xdp" else ("pipe",))
    with extensions(hook, 3) as programs, ExitStack() as stack:
        for used in (programs[:1], programs[:2], programs, [programs[2], programs[0]], programs[1:]):
            stack.enter_context(made := built(planned(hook, used, [on] * len(used)), used))
            assert ran(made) == END[hook]
            assert [bpf.link_info(link).prog_id for link in made.links] == [each.id for each in used]
        assert [each.count for each in programs] == [4, 3, 3]


def test_a_slot_whose_link_is_gone_lets_the_chain_go_on() -> None:
    with extensions("xdp", 2) as programs:
        masks = [mask("xdp", ("pass",))] * 2
        with built(planned("xdp", programs, masks), programs) as made:
            programs[0].returns(1)
            assert ran(made) == 1
            made.links[0].close()
            programs[1].returns(3)
            assert ran(made) == 3
            made.links[1].close()
            assert ran(made) == 2


@pytest.mark.parametrize("name", ["longer", "further", "deep"])
@pytest.mark.parametrize("hook", ["xdp", "tc"])
def test_programs_that_change_packets_or_call_go_anywhere(hook: str, name: str) -> None:
    on = mask(hook, ("pass",) if hook == "xdp" else ("pipe",))
    with extensions(hook, 2) as plain, extensions(hook, 1, CHANGING[hook], name) as special:
        for used in (special, [*plain, *special], [*special, *plain]):
            with built(planned(hook, used, [on] * len(used)), used) as made:
                result, packet, _ = bpf.test_run(made.dispatcher, PACKET)
                assert result == END[hook] & 0xFFFFFFFF
                assert len(packet) == (72 if name == "longer" else 64)


def test_fragments_are_taken_where_every_member_takes_them(ns: Namespace) -> None:
    ns.exec(["ip", "link", "set", ns.peer_interface, "mtu", "9000"], peer=True)
    ns.exec(["ip", "link", "set", ns.interface, "mtu", "9000"])
    with extensions("xdp", 2, name="fragments") as programs:
        masks = [mask("xdp", ("pass",))] * 2
        with built(planned("xdp", programs, masks, frags=True), programs) as made:
            (number,) = bpf.program_info(made.dispatcher).map_ids
            with bpf.map_by_id(number) as record:
                found = decode(bpf.map_lookup(record, bytes(4), 124) or b"")
            assert (found.frags, found.flags) == (True, (HAS_FRAGS, HAS_FRAGS))
            with attached(ns, made):
                assert ns.exec(["ping", "-n", "-q", "-c", "1", "-s", "8000", ns.address], peer=True).returncode == 0
        one, other = planned("xdp", programs, masks, frags=True).members
        mixed = Plan("xdp", (one, replace(other, frags=False)))
        with built(mixed, programs) as made, pytest.raises(KernelError) as caught, attached(ns, made):
            pass
        assert caught.value.errno == errno.ERANGE


@contextmanager
def attached(ns: Namespace, made: Built) -> Iterator[None]:
    def attach(fd: int | None) -> None:
        libbpf.xdp_attach(netlink.interface_index(ns.interface), fd, flags=abi.XDP_NATIVE)

    netns.call(ns.path, lambda: attach(made.dispatcher.fileno()))
    try:
        yield
    finally:
        netns.call(ns.path, lambda: attach(None))


def test_what_is_no_extension_is_refused_by_name() -> None:
    with libbpf.open_object(compile_source(SOURCES["xdp"]), name="plain") as opened:
        opened.load()
        fd = opened.programs[0].fd
        number = bpf.program_info(fd).id
        plan = Plan("xdp", (Member(number, "counted", 50, ALWAYS),))
        with pytest.raises(AttachError, match=rf"program 'counted' \(id {number}\).*was not loaded for one"):
            build(plan, {number: fd}, protocol=2, end=2)
