"""Every hook keeps one contract: attach, run, be listed, detach, outlive its target, leave nothing."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, NoReturn

import pytest

from bpfimg import inspect
from bpfimg._value import replace
from bpfimg.errors import AttachError, Busy, KernelError, NotSupported, UsageError
from bpfimg.kernel import abi, bpf, features, libbpf, netlink, netns
from bpfimg.load._hooks import Tc, Tcx, Tracepoint, Xdp
from tests.support import loads
from tests.support.netns import Namespace, skip_unless, tracefs

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpfimg.load import Hook, Host

pytestmark = pytest.mark.kernel

KINDS = ("xdp", "tc", "tc by clsact", "tcx")


def hook_of(kind: str, ns: Namespace) -> tuple[bytes, Hook]:
    if kind == "xdp":
        return loads.xdp(), Xdp(ns.interface, netns=ns.path)
    if kind == "tcx":
        skip_unless("tcx")
        return loads.tc(), Tcx(ns.interface, "ingress", netns=ns.path)
    return loads.tc(), Tc(ns.interface, "ingress", netns=ns.path)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, host: Host) -> str:
    host.tc = "clsact" if request.param == "tc by clsact" else "auto"
    return str(request.param)


def test_run_counts_packets_until_it_is_detached(kind: str, host: Host, ns: Namespace) -> None:
    data, hook = hook_of(kind, ns)
    loaded = loads.run(host, data, hook)
    assert ns.ping(3)
    assert loads.hits(loaded) == 3
    assert loads.attached(ns) == loads.listed(host) != set()
    with host.writer() as writer:
        was, link = writer.detach(loaded.links[0].id)
    assert (was.id, link) == (loaded.id, loaded.links[0])
    assert loads.attached(ns) == loads.listed(host) == set()
    assert ns.ping(1)
    assert loads.hits(loaded) == 3
    assert [load.id for load in host.loads()] == [loaded.id], "detach does not unload"


def test_unload_takes_the_links_along(kind: str, host: Host, ns: Namespace) -> None:
    data, hook = hook_of(kind, ns)
    loaded = loads.run(host, data, hook)
    with host.writer() as writer:
        assert writer.unload(loaded.id).name == "app"
    assert loads.attached(ns) == set()
    assert loads.tree(host) == []
    assert loads.programs_left() == []


def test_a_loaded_program_is_attached_later_and_twice(kind: str, host: Host, ns: Namespace) -> None:
    data, first = hook_of(kind, ns)
    second = hook_of(kind, Namespace(ns.peer, ns.name, ns.peer_interface, "", "", ""))[1]
    loaded = loads.only_load(host, data)
    with host.writer() as writer:
        links = [writer.attach(loaded.id, hook, metadata={"n": str(n)})[1] for n, hook in enumerate((first, second))]
    assert ns.ping(1)
    assert loads.hits(loaded) == 2, "once at either end"
    found = host.loads()[0].links
    assert [link.id for link in found] == [link.id for link in links]
    assert [link.metadata for link in found] == [{"n": "0"}, {"n": "1"}]


def test_what_is_listed_of_it(kind: str, host: Host, ns: Namespace) -> None:
    data, hook = hook_of(kind, ns)
    loaded = loads.run(host, data, hook, name="counter")
    inventory = inspect.host(host, maps=True)
    (program,), (link,) = inventory.programs, inventory.links
    assert (program.name, program.load, program.damage) == (loaded.record.programs[0].name, loaded.id, "")  # type: ignore[union-attr]
    assert program.type == ("xdp" if kind == "xdp" else "sched_cls")
    assert program.record is not None
    assert program.record.name == "counter"
    assert program.info is not None
    assert program.info.gpl is True
    assert program.info.xlated_size
    assert program.info.memlock
    assert program.loaded_at.endswith("Z")
    assert link.hook == kind.split(maxsplit=1)[0]
    assert link.target == (ns.interface if kind == "xdp" else f"{ns.interface} ingress")
    assert (link.state, link.program_id, link.load) == ("attached", program.id, loaded.id)
    assert link.record is not None
    clsact = kind == "tc by clsact" or (kind == "tc" and not features.has("tcx"))
    assert (link.kernel_id is None, link.record.how) == (clsact, "clsact" if clsact else "link")
    assert (link.record.netns, link.record.netns_inode) == (ns.path, os.stat(ns.path).st_ino)
    assert {view.name for view in inventory.maps} == {"hits", ".rodata"}
    assert {view.id for view in inventory.maps} == set(program.map_ids)
    assert inventory.unfinished == ()


@pytest.mark.parametrize("gone", ["interface", "namespace"])
def test_detach_and_unload_succeed_when_the_target_has_gone(kind: str, gone: str, host: Host) -> None:
    with loads.doomed_namespace() as ns:
        data, hook = hook_of(kind, ns)
        kept = loads.run(host, data, hook)
        loads.sh("ip", "-n", ns.name, "link", "del", ns.interface)
        if gone == "namespace":
            loads.sh("ip", "netns", "del", ns.name)
        (link,) = inspect.host(host).links
        assert link.state == "stale"
        with host.writer() as writer:
            writer.detach(kept.links[0].id)
            writer.unload(kept.id)
    assert loads.tree(host) == []
    assert loads.programs_left() == []


def test_a_filter_in_a_namespace_that_lost_its_name_is_found_by_the_inode(host: Host) -> None:
    host.tc = "clsact"
    with loads.doomed_namespace() as ns:
        data, hook = hook_of("tc", ns)
        loaded = loads.run(host, data, hook)
        with open(ns.path, "rb") as held, loads.process_in(ns):
            loads.sh("ip", "netns", "del", ns.name)
            (link,) = inspect.host(host).links
            assert link.state == "attached"
            with host.writer() as writer:
                writer.detach(loaded.links[0].id)
            inside = Namespace(f"/proc/self/fd/{held.fileno()}", "", ns.interface, "", "", "")
            assert netns.call(inside.name, loads.attached_here, ns.interface) == set()


def test_no_such_interface_and_no_such_namespace(kind: str, host: Host, ns: Namespace) -> None:
    data, _ = hook_of(kind, ns)
    build: Callable[[str, str], Hook] = (
        (lambda name, place: Xdp(name, netns=place))
        if kind == "xdp"
        else (lambda name, place: (Tcx if kind == "tcx" else Tc)(name, "ingress", netns=place))
    )
    loads.clear(host)
    with loads.nothing_left(host):
        with pytest.raises(AttachError, match="no interface 'nowhere'") as caught:
            loads.run(host, data, build("nowhere", ns.path))
        assert ns.interface in caught.value.hint
        with pytest.raises(AttachError, match="no network namespace"):
            loads.run(host, data, build(ns.interface, ns.path + "-no"))


def test_a_second_xdp_program_is_told_whose_the_first_is(host: Host, ns: Namespace) -> None:
    first = loads.run(host, *hook_of("xdp", ns), name="first")
    with loads.nothing_left(host), pytest.raises(Busy) as caught:
        loads.run(host, *hook_of("xdp", ns), name="second")
    assert f"program {first.id} of 'first', loaded by bpfimg" in caught.value.owner
    assert f"bpfimg detach {first.links[0].id}" in caught.value.hint
    assert "native mode" in str(caught.value)
    assert loads.attached(ns) == {("xdp", first.id)}


@pytest.mark.parametrize("kind", ["xdp", "tc"])
def test_of_two_links_of_one_program_the_one_in_the_way_is_named(kind: str, host: Host, ns: Namespace) -> None:
    data, hook = hook_of(kind, ns)
    loaded = loads.only_load(host, data)
    ns.exec(["ip", "link", "add", "more0", "type", "veth", "peer", "name", "more1"])
    links = [
        loads.attach(host, loaded.id, replace(hook, interface=name)).id for name in ("more0", ns.interface, "more1")
    ]
    with pytest.raises(Busy) as caught:
        loads.attach(host, loaded.id, hook)
    assert f"bpfimg detach {links[1]}`" in caught.value.hint
    assert f"link {links[1]}" in caught.value.owner


def test_a_foreign_xdp_program_is_left_alone(host: Host, ns: Namespace) -> None:
    with bpf.prog_load_trivial(6) as foreign:
        number = bpf.program_info(foreign).id
        link = netns.call(ns.path, lambda: bpf.link_create(foreign, index_of(ns), abi.ATTACH_XDP))
        with link, pytest.raises(Busy) as caught:
            loads.run(host, *hook_of("xdp", ns))
        assert caught.value.owner == f"program {number} 'bpfimg_probe', not loaded by bpfimg"


def index_of(ns: Namespace) -> int:
    return netns.call(ns.path, netlink.interface_index, ns.interface)


@pytest.mark.parametrize("how", ["tcx", "clsact"])
def test_one_tc_program_for_each_interface_and_direction(how: str, host: Host, ns: Namespace) -> None:
    skip_unless(*(["tcx"] if how == "tcx" else []))
    host.tc = how
    first = loads.run(host, *hook_of("tc", ns), name="first")
    with loads.nothing_left(host), pytest.raises(Busy, match="already runs tc program") as caught:
        loads.run(host, *hook_of("tc", ns))
    assert "'first'" in caught.value.owner
    loads.run(host, loads.tc(), Tc(ns.interface, "egress", netns=ns.path))
    assert len(loads.attached(ns)) == 2
    assert first.links[0].how == ("clsact" if how == "clsact" else "link")


@pytest.mark.parametrize("tcx", [True, False])
def test_the_tcx_hook_is_the_way_out_only_where_there_is_one(
    tcx: bool, host: Host, ns: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.tc = "clsact"
    loads.run(host, *hook_of("tc", ns))
    monkeypatch.setattr(features, "has", {"tcx": tcx}.get)
    with pytest.raises(Busy) as caught:
        loads.run(host, *hook_of("tc", ns))
    assert ("tcx" in caught.value.hint) is tcx
    assert "bpfimg detach" in caught.value.hint


def test_a_kernel_without_tcx_is_told_apart_and_tc_falls_back(
    host: Host, ns: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    if features.has("tcx"):  # then what such a kernel says is played

        def unknown(*_: object) -> NoReturn:
            raise KernelError("PROG_QUERY failed: EINVAL", errno=errno.EINVAL)

        monkeypatch.setattr(bpf, "prog_query", unknown)
        monkeypatch.setattr(features, "has", {"tcx": False}.get)
    with loads.nothing_left(host), pytest.raises(NotSupported, match="this kernel has no TCX") as caught:
        loads.run(host, loads.tc(), Tcx(ns.interface, "ingress", netns=ns.path))
    assert (caught.value.feature, caught.value.hint) == ("tcx", "use the tc hook")
    loaded = loads.run(host, loads.tc(), Tc(ns.interface, "ingress", netns=ns.path))
    assert loaded.links[0].how == "clsact"
    assert ns.ping(2)
    assert loads.hits(loaded) == 2


@pytest.mark.parametrize("how", ["tcx", "clsact"])
def test_a_stale_link_does_not_hold_the_place_of_a_new_interface(how: str, host: Host) -> None:
    skip_unless(*(["tcx"] if how == "tcx" else []))
    host.tc = how
    with loads.doomed_namespace() as ns:
        hook = Tc(ns.interface, "ingress", netns=ns.path)
        first = loads.run(host, loads.tc(), hook)
        number = str(index_of(ns))
        loads.sh("ip", "-n", ns.name, "link", "del", ns.interface)
        loads.sh("ip", "-n", ns.name, "link", "add", ns.interface, "index", number, "type", "veth")
        second = loads.run(host, loads.tc(), hook)
        assert first.links[0].ifindex == second.links[0].ifindex
        states = {link.load: link.state for link in inspect.host(host).links}
        assert states == {first.id: "stale", second.id: "attached"}


def test_a_clsact_filter_of_others_stays(host: Host, ns: Namespace) -> None:
    host.tc = "clsact"
    with bpf.prog_load_trivial(3) as other:
        netns.call(ns.path, libbpf.tc_attach, index_of(ns), "ingress", other, priority=7)
        loaded = loads.run(host, loads.tc(), Tc(ns.interface, "ingress", priority=3, netns=ns.path))
        assert loaded.links[0].clsact_priority == 3
        assert ns.ping(1)
        assert loads.hits(loaded) == 1
        assert len(loads.attached(ns)) == 2
        loads.clear(host)
        assert loads.attached(ns) == {("clsact ingress", bpf.program_info(other).id)}


def test_a_filter_that_is_not_ours_any_more_is_not_touched(host: Host, ns: Namespace) -> None:
    host.tc = "clsact"
    loaded = loads.run(host, loads.tc(), Tc(ns.interface, "ingress", netns=ns.path))
    link = loaded.links[0]
    ns.exec(["tc", "filter", "del", "dev", ns.interface, "ingress"])
    assert inspect.host(host).links[0].state == "stale"
    with bpf.prog_load_trivial(3) as other:
        netns.call(
            ns.path, libbpf.tc_attach, index_of(ns), "ingress", other, priority=link.clsact_priority, handle=link.id
        )
        with host.writer() as writer:
            writer.detach(link.id)
        assert loads.attached(ns) == {("clsact ingress", bpf.program_info(other).id)}


def test_tcx_links_stand_in_the_order_of_their_priorities(host: Host, ns: Namespace) -> None:
    skip_unless("tcx")

    def chain() -> list[int]:
        return list(netns.call(ns.path, bpf.prog_query, index_of(ns), abi.ATTACH_TCX_INGRESS)[0])

    def foreign() -> tuple[object, int]:
        with bpf.prog_load_trivial(3) as program:
            link = netns.call(ns.path, bpf.link_create, program, index_of(ns), abi.ATTACH_TCX_INGRESS)
            return link, bpf.program_info(program).id

    def ours(priority: int) -> int:
        hook = Tcx(ns.interface, "ingress", priority=priority, netns=ns.path)
        return loads.run(host, loads.tc(), hook).id

    first, stranger = foreign()
    fifty = ours(50)
    assert chain() == [stranger, fifty], "with none of ours there: at the end"
    ten, ninety, fifty_too = ours(10), ours(90), ours(50)
    assert chain() == [stranger, ten, fifty, fifty_too, ninety]
    second, late = foreign()
    assert chain() == [stranger, ten, fifty, fifty_too, ninety, late]
    hundred = ours(100)
    assert chain() == [stranger, ten, fifty, fifty_too, ninety, hundred, late], "links of others keep their places"
    tc = loads.run(host, loads.tc(), Tc(ns.interface, "ingress", priority=60, netns=ns.path)).id
    assert chain() == [stranger, ten, fifty, fifty_too, tc, ninety, hundred, late], "a tc hook shares the chain"
    for link in (first, second):
        link.close()  # type: ignore[attr-defined]


def test_tcx_takes_a_program_once(host: Host, ns: Namespace) -> None:
    skip_unless("tcx")
    hook = Tcx(ns.interface, "ingress", netns=ns.path)
    loaded = loads.run(host, loads.tc(), hook)
    with loads.nothing_left(host), pytest.raises(AttachError, match="TCX takes a program once"):
        loads.attach(host, loaded.id, hook)


def test_a_tracepoint_counts_and_keeps_its_target(host: Host) -> None:
    skip_unless("perf-link")
    with tracefs():
        loaded = loads.run(host, loads.tracepoint(), Tracepoint("syscalls", "sys_enter_getpid"))
        before = loads.hits(loaded)
        for _ in range(5):
            os.getpid()
        assert loads.hits(loaded) >= before + 5
        (link,) = inspect.host(host).links
        assert (link.hook, link.target, link.state) == ("tracepoint", "syscalls/sys_enter_getpid", "attached")
        with loads.nothing_left(host), pytest.raises(AttachError, match="no tracepoint syscalls/sys_enter_getpit"):
            loads.run(host, loads.tracepoint(), Tracepoint("syscalls", "sys_enter_getpit"))
    with host.writer() as writer:
        writer.detach(link.id or 0)
    after = loads.hits(loaded)
    os.getpid()
    assert loads.hits(loaded) == after


def test_a_program_of_another_type_is_refused_before_anything_happens(host: Host, ns: Namespace) -> None:
    loads.clear(host)
    with loads.nothing_left(host):
        with pytest.raises(UsageError, match="no program for hook tc"):
            loads.run(host, loads.xdp(), Tc(ns.interface, "ingress", netns=ns.path))
        with pytest.raises(UsageError, match="2 programs for hook xdp"):
            loads.run(host, loads.several(), Xdp(ns.interface, netns=ns.path))
