"""What a listing says when the host has gone on: interfaces renamed and moved, writers at work."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from bpfimg import inspect
from bpfimg.cli._entries import link_entry, program_entry, where
from bpfimg.kernel import abi, bpf, bpffs, libbpf, netlink, netns
from bpfimg.load._hooks import Tc, Xdp
from tests.support import loads
from tests.support.cli import check
from tests.support.netns import skip_unless

if TYPE_CHECKING:
    from bpfimg.load import Host
    from tests.support.netns import Namespace

pytestmark = pytest.mark.kernel


def shown(host: Host, *, all: bool = False) -> list[str]:
    links = inspect.host(host, all=all).links
    check("links", {"links": [link_entry(link) for link in links]})
    return [where([link]) for link in links]


@pytest.mark.parametrize("how", ["tcx", "clsact"])
def test_a_renamed_interface_has_the_name_of_now(how: str, host: Host) -> None:
    skip_unless(*(["tcx"] if how == "tcx" else []))
    host.tc = how
    with loads.doomed_namespace() as ns:
        loads.run(host, loads.xdp(), Xdp(ns.interface, netns=ns.path))
        loads.run(host, loads.tc(), Tc(ns.interface, "ingress", netns=ns.path), name="tc")
        loads.sh("ip", "-n", ns.name, "link", "set", ns.interface, "down")  # first: 6.1 renames none that is up
        loads.sh("ip", "-n", ns.name, "link", "set", ns.interface, "name", "other0")
        assert shown(host) == [f"other0 in {ns.name}", f"tc other0 ingress in {ns.name}"]
        assert netns.call(ns.path, shown, host) == shown(host)
        inside = netns.call(ns.path, shown, host, all=True)
        assert inside.count("other0") == 0, "ours is not shown a second time as somebody else's"
        loads.clear(host)


def test_an_interface_in_another_namespace_is_not_said_to_be_in_the_first(host: Host) -> None:
    with loads.doomed_namespace() as ns, loads.doomed_namespace() as other:
        loaded = loads.run(host, loads.xdp(), Xdp(ns.interface, netns=ns.path))
        loads.sh("ip", "-n", ns.name, "link", "set", ns.interface, "down")  # first: 6.1 renames none that is up
        loads.sh("ip", "-n", ns.name, "link", "set", ns.interface, "name", "other0")
        loads.sh("ip", "-n", ns.name, "link", "set", "other0", "netns", other.name)
        assert shown(host) == [f"{ns.interface} (moved to another network namespace)"]
        assert netns.call(other.path, shown, host, all=True).count("other0") == 0
        with host.writer() as writer:
            writer.detach(loaded.links[0].id)
        assert shown(host) == []
        loads.clear(host)


def test_a_namespace_without_its_name_leaves_the_name_that_was(host: Host) -> None:
    with loads.doomed_namespace() as ns:
        loads.run(host, loads.xdp(), Xdp(ns.interface, netns=ns.path))
        with loads.process_in(ns):
            loads.sh("ip", "netns", "del", ns.name)
            assert shown(host) == [f"{ns.interface} in {ns.name}"]
            loads.clear(host)


def test_work_in_progress_is_not_shown_as_left_by_a_kill(host: Host) -> None:
    half = f"{loads.only_load(host, loads.xdp()).path}/links/5"
    os.mkdir(half)
    assert [left.path for left in host.unfinished()] == [half]
    with bpffs.lock(host.directory, timeout=1):
        assert host.unfinished() == ()
    with host.writer():
        assert not os.path.exists(half)
    loads.clear(host)


@pytest.mark.parametrize("how", ["tcx", "clsact"])
def test_filters_of_others_are_shown_where_they_are(how: str, host: Host, ns: Namespace) -> None:
    skip_unless(*(["tcx"] if how == "tcx" else []))
    host.tc = how
    mine = loads.run(host, loads.tc(), Tc(ns.interface, "ingress", netns=ns.path))
    with bpf.prog_load_trivial(abi.PROG_TYPE_SCHED_CLS) as foreign:
        number = bpf.program_info(foreign).id
        index = netns.call(ns.path, netlink.interface_index, ns.interface)
        for direction in ("ingress", "egress"):
            netns.call(ns.path, libbpf.tc_attach, index, direction, foreign)
        seen = netns.call(ns.path, inspect.host, host, all=True)
        check("programs", {"programs": [program_entry(view, seen) for view in seen.programs]})
        check("links", {"links": [link_entry(view) for view in seen.links]})
        places = {(view.program_id, where([view])) for view in seen.links if view.program_id in (mine.id, number)}
        name = ns.interface
        assert places == {
            (mine.id, f"tc {name} ingress in {ns.name}"),
            (number, f"tc {name} ingress"),
            (number, f"tc {name} egress"),
        }
    loads.clear(host)
    ns.exec(["tc", "qdisc", "del", "dev", ns.interface, "clsact"], check=False)


def test_the_old_ingress_has_no_egress(host: Host, ns: Namespace) -> None:
    ns.exec(["tc", "qdisc", "add", "dev", ns.interface, "ingress"])
    with bpf.prog_load_trivial(abi.PROG_TYPE_SCHED_CLS) as foreign:
        index = netns.call(ns.path, netlink.interface_index, ns.interface)
        netns.call(ns.path, libbpf.tc_attach, index, "ingress", foreign)
        links = netns.call(ns.path, inspect.host, host, all=True).links
        number = bpf.program_info(foreign).id
        assert [where([view]) for view in links if view.program_id == number] == [f"tc {ns.interface} ingress"]
    ns.exec(["tc", "qdisc", "del", "dev", ns.interface, "ingress"])


@pytest.mark.parametrize("verb", ["detach", "unload"])
@pytest.mark.parametrize("record", [None, "{}", '{"version":1,"hook":{"kind":"tc","direction":"up"}}'])
def test_a_filter_goes_with_its_link_although_the_record_is_lost(
    record: str | None, verb: str, host: Host, ns: Namespace
) -> None:
    host.tc = "clsact"
    loaded = loads.run(host, loads.tc(), Tc(ns.interface, "ingress", netns=ns.path))
    link = loaded.links[0].id
    path = f"{loaded.path}/links/{link}/record"
    bpffs.unlink(path)
    if record is not None:
        bpffs.write_record(path, record)
    check("links", {"links": [link_entry(view) for view in inspect.host(host).links]})
    with host.writer() as writer:
        if verb == "detach":
            writer.detach(link)
        else:
            writer.unload(loaded.id)
    assert loads.attached(ns) == set()
    loads.clear(host)
