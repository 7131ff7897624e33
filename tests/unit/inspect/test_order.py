"""Links put together by hook: in the order in which packets meet them, with where each program lets them go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from bpfimg.cli._status_text import text
from bpfimg.errors import UsageError
from bpfimg.inspect import Inventory, LinkView, ProgramView, order

if TYPE_CHECKING:
    from bpfimg.inspect._graph import Graph

NAMES = {
    1: "first", 2: "second", 3: "theirs", 9: "xdp_dispatcher", 20: "before", 21: "one", 22: "two", 23: "behind",
    29: "bpfimg_tc", 30: "filter", 40: "gone", 50: "probe",
}  # fmt: skip
PROGRAMS = {number: ProgramView(number, name, "xdp") for number, name in NAMES.items()}


def link(program: int, **more: Any) -> LinkView:
    """A link on eth0 of our own namespace."""
    given = {
        "id": None, "kernel_id": None, "hook": "xdp", "how": "link", "target": "eth0", "state": "attached",
        "interface": "eth0", "ifindex": 3, "netns_inode": 7,
    }  # fmt: skip
    return LinkView(program_id=program, **{**given, **more})


def member(program: int, dispatcher: int, position: int, way: str = "netlink", **more: Any) -> LinkView:
    """A member of a chain; its number in bpfimg is that of the program."""
    more = {"id": program, "proceed_on": ("pass", "dispatcher_return"), "priority": 10 * position, **more}
    details = {"dispatcher": dispatcher, "way": way, **more.pop("details", {})}
    return link(program, how="dispatcher", builder="freplace", position=position, details=details, **more)


XDP = (
    link(9, how="netlink", position=0, builder="freplace", protocol=2, members=3, details={"mode": "native"}),
    member(2, 9, 1),
    member(3, 9, 2, id=None, details={"by": "libxdp"}),
    member(1, 9, 0, details={"results": ("drop", "pass")}),
)
TCX = (
    link(23, hook="tcx", type="tcx", direction="ingress", position=2),
    link(29, hook="tcx", type="tcx", direction="ingress", position=1, builder="fused", members=2),
    *(
        member(number, 29, at, "tcx", hook="tc", direction="ingress", proceed_on=("pipe", "dispatcher_return"))
        for at, number in enumerate((21, 22))
    ),
    link(20, hook="tcx", type="tcx", direction="ingress", position=0),
)
FILTER = link(30, hook="tc", how="clsact", direction="egress", position=0, priority=49152)
LOST = link(40, how="dispatcher", id=40, state="stale", reason="XDP was taken off its interface")
OTHER = link(50, hook="kprobe", target="do_nanosleep", interface=None, ifindex=None, netns_inode=None)
ELSEWHERE = link(20, how="netlink", position=0, netns="/var/run/netns/blue", netns_inode=8)


def hooks(*links: LinkView, **only: Any) -> tuple[order.HookView, ...]:
    return order.hooks(Inventory(tuple(PROGRAMS.values()), links, (), ()), **only)


def test_hooks_are_in_the_order_of_packets_and_members_in_the_place_of_their_dispatcher() -> None:
    found = hooks(OTHER, FILTER, *TCX, ELSEWHERE, *XDP)
    assert [(hook.words, hook.namespace) for hook in found] == [
        ("xdp", ""),
        ("tcx ingress", ""),
        ("tc egress", ""),
        ("xdp", "blue"),
        ("kprobe", ""),
    ]
    assert [view.program_id for view in found[0].links] == [1, 2, 3]
    assert [view.program_id for view in found[0].carriers] == [9]
    assert [view.program_id for view in found[1].links] == [20, 21, 22, 23]
    assert [hook.id for hook in found] == [
        "7/eth0/xdp", "7/eth0/tcx/ingress", "7/eth0/tc/egress", "8/eth0/xdp", "kprobe/do_nanosleep",
    ]  # fmt: skip


def test_of_one_namespace_or_interface() -> None:
    assert [hook.id for hook in hooks(*XDP, ELSEWHERE, OTHER, inode=8)] == ["8/eth0/xdp"]
    assert hooks(*XDP, interface="eth1") == ()


def test_what_is_lost_comes_last_and_a_dispatcher_without_members_is_still_there() -> None:
    (hook,) = hooks(LOST, *XDP)
    assert [view.program_id for view in hook.links] == [1, 2, 3, 40]
    (hook,) = hooks(link(9, how="netlink", builder="freplace", members=0, details={"damage": "of version 9"}))
    assert ([view.program_id for view in hook.links], hook.carriers) == ([9], ())


def test_the_table() -> None:
    lines = text(hooks(*XDP, LOST, FILTER), PROGRAMS).splitlines()
    assert lines[0].split() == ["POSITION", "PRIORITY", "ID", "PROGRAM", "PROCEED-ON", "IMAGE", "OR", "HOLDER", "STATE"]
    assert lines[1] == "eth0: xdp, native, freplace dispatcher 9 (libxdp version 2)"
    assert [line.split()[0:5] for line in lines[2:6]] == [
        ["0", "0", "1", "first", "pass"],
        ["1", "10", "2", "second", "pass"],
        ["2", "20", "3", "theirs", "pass"],
        ["-", "-", "40", "gone", "-"],
    ]
    assert "libxdp: " in lines[4]
    assert lines[5].endswith("stale: XDP was taken off its interface")
    assert lines[6] == "eth0: tc egress"
    assert text((), {}).split()[0] == "POSITION"


def edges(drawn: Graph) -> set[tuple[str, str, str]]:
    return {(drawn.nodes[edge.source].name, edge.label, drawn.nodes[edge.target].name) for edge in drawn.edges}


def test_the_way_of_a_packet_through_xdp() -> None:
    drawn = order.drawn(hooks(*XDP, LOST), PROGRAMS)
    assert edges(drawn) == {
        ("eth0", "", "xdp"),
        ("xdp", "", "first"),
        ("first", "pass", "second"),
        ("first", "drop", "dropped"),
        ("second", "pass", "theirs"),
        ("second", "drop, aborted", "dropped"),
        ("second", "tx, redirect", "sent or kept elsewhere"),
        ("theirs", "pass", "network stack"),
        ("theirs", "drop, aborted", "dropped"),
        ("theirs", "tx, redirect", "sent or kept elsewhere"),
    }
    kinds = {node.name: node.kind for node in drawn.nodes}
    assert (kinds["first"], kinds["theirs"], kinds["gone"]) == ("program", "foreign", "lost")


def test_a_chain_that_goes_on_after_a_drop_passes_at_its_end() -> None:
    """After the last member the end of the chain is PASS, whatever the last result was."""
    last = member(1, 9, 0, proceed_on=("drop", "dispatcher_return"), details={"results": ("drop", "pass", "tx")})
    found = edges(order.drawn(hooks(XDP[0], last), PROGRAMS))
    assert ("first", "drop, pass", "network stack") in found
    assert ("first", "tx", "sent or kept elsewhere") in found


def test_the_way_of_a_packet_through_tcx_and_filters() -> None:
    behind = link(30, hook="tc", how="clsact", direction="ingress", position=0)
    found = edges(order.drawn(hooks(*TCX, behind), PROGRAMS))
    assert {
        ("before", "unspec", "one"),
        ("before", "ok", "network stack"),
        ("before", "pipe", "tc ingress"),
        ("one", "pipe", "two"),
        ("one", "unspec", "behind"),
        ("two", "unspec, pipe", "behind"),
        ("two", "shot", "dropped"),
        ("behind", "unspec, pipe", "tc ingress"),
        ("filter", "unspec, ok, pipe", "network stack"),
    } <= found


def test_in_and_out_are_one_way() -> None:
    found = edges(order.drawn(hooks(*XDP, FILTER), PROGRAMS))
    assert {("network stack", "", "tc egress"), ("tc egress", "", "filter"), ("filter", "shot", "dropped")} <= found
    assert ("filter", "unspec, ok, pipe", "eth0") in found


def test_the_drawing_is_sound_and_labels_do_not_overlap() -> None:
    drawn = order.drawn(hooks(*XDP, *TCX, FILTER, LOST), PROGRAMS)
    tree = ET.fromstring(drawn.svg("eth0"))
    places = [
        (float(each.attrib["x"]), float(each.attrib["textLength"]), float(each.attrib["y"]))
        for each in tree.iter("{http://www.w3.org/2000/svg}text")
        if each.attrib["class"] == "l"
    ]
    assert len(places) == len([edge for edge in drawn.edges if edge.label])
    for at, (x, width, y) in enumerate(places):
        for left, more, top in places[at + 1 :]:
            assert abs(y - top) >= 10 or x + width <= left or left + more <= x
    assert '-->|"pass"|' in drawn.mermaid()
    assert '-.->|"tx#44; redirect"|' in drawn.mermaid()


def test_more_than_anybody_could_look_at_is_refused() -> None:
    many = [link(20, how="netlink", position=0, ifindex=at, interface=f"e{at}") for at in range(400)]
    with pytest.raises(UsageError, match="nodes, expected at most 1000"):
        order.drawn(hooks(*many), PROGRAMS)
