"""Control groups: what their processes do is seen, also that of groups below; until the program is taken off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bpfimg import inspect, load
from bpfimg.errors import AttachError, UsageError
from bpfimg.kernel import abi, bpf, cgroups
from bpfimg.load._attach import check
from bpfimg.load._hooks import Cgroup as Hook
from tests.support import loads
from tests.support.features import hook, needs
from tests.support.objects import example

if TYPE_CHECKING:
    from bpfimg.load import Host
    from tests.support.cgroups import Cgroup
    from tests.support.netns import Namespace

pytestmark = [pytest.mark.kernel, hook("cgroup"), needs("cgroup-link")]


def ping(ns: Namespace, group: Cgroup, count: int = 1) -> None:
    """Sends echo requests from the namespace by a process of the group."""
    where = ["nsenter", f"--net={ns.path}", "ping", "-n", "-q", "-c", str(count), "-i", "0.01", "-W", "2"]
    group.exec([*where, ns.peer_address])


@pytest.mark.parametrize("direction", ["ingress", "egress"])
def test_packets_are_counted_until_the_program_is_detached(
    direction: str, host: Host, ns: Namespace, cgroup: Cgroup
) -> None:
    loaded = loads.run(host, example("cgroup_skb_counter"), Hook(cgroup.path, f"cgroup_inet_{direction}"))
    ping(ns, cgroup, 3)
    assert loads.counted(loaded) == 3
    ns.exec(["ping", "-n", "-q", "-c", "1", "-W", "2", ns.peer_address])
    assert loads.counted(loaded) == 3, "a process of another group"
    loads.detach(host, loaded.links[0].id)
    ping(ns, cgroup)
    assert loads.counted(loaded) == 3


def test_a_group_holds_for_those_below_and_each_has_its_own(host: Host, ns: Namespace, cgroup: Cgroup) -> None:
    inner = cgroup.child("inner")
    first = loads.run(host, example("cgroup_skb_counter"), Hook(cgroup.path, "cgroup_inet_egress"), "outer")
    second = loads.run(host, example("cgroup_skb_counter"), Hook(inner.path, "cgroup_inet_egress"), "inner")
    ping(ns, inner)
    assert (loads.counted(first), loads.counted(second)) == (1, 1)
    ping(ns, cgroup)
    assert (loads.counted(first), loads.counted(second)) == (2, 1)


def test_a_path_may_begin_where_cgroup2_is_mounted(host: Host, cgroup: Cgroup) -> None:
    (link,) = loads.run(host, example("cgroup_connect_guard"), Hook(cgroup.relative)).links
    assert link.where == f"{cgroup.path} inet4_connect"
    assert link.spec["path"] == cgroup.path
    with cgroups.opened(cgroup.path) as fd:
        assert link.details is not None
        assert link.details["attach_type"] == "cgroup_inet4_connect"
        assert link.details["cgroup_id"] == cgroups.identity(fd)
        ids = bpf.prog_query(fd.fileno(), abi.ATTACH_TYPES.index("cgroup_inet4_connect"))[0]
    assert ids == (link.program_id,)
    (view,) = inspect.host(host).links
    assert (view.hook, view.target, view.state) == ("cgroup", link.where, "attached")


def test_the_group_may_go_before_the_link(host: Host, cgroup: Cgroup) -> None:
    loaded = loads.run(host, example("cgroup_connect_guard"), Hook(cgroup.path))
    cgroup.remove()
    assert loads.becomes_stale(host)
    loads.detach(host, loaded.links[0].id)
    with pytest.raises(AttachError, match="no control group"):
        loads.attach(host, loaded.id, Hook(cgroup.path))


def test_a_program_that_wants_to_be_alone_below_or_here(host: Host, cgroup: Cgroup) -> None:
    inner = cgroup.child("inner")
    connect = abi.ATTACH_TYPES.index("cgroup_inet4_connect")
    with (
        cgroups.opened(cgroup.path) as fd,
        bpf.prog_load_trivial(abi.PROGRAM_TYPES.index("cgroup_sock_addr"), connect) as program,
    ):
        bpf.prog_attach(fd, program, connect)  # without BPF_F_ALLOW_MULTI
        for path in (cgroup.path, inner.path):
            with loads.nothing_left(host), pytest.raises(AttachError, match="wants to be alone"):
                loads.run(host, example("cgroup_connect_guard"), Hook(path))
        bpf.prog_detach(fd, program, connect)


def test_what_is_no_group(host: Host, cgroup: Cgroup) -> None:
    cgroup.child("inner")
    with pytest.raises(AttachError, match="no control group") as caught:
        check(Hook(f"{cgroup.path}/nope/deeper"))
    assert "inner" in caught.value.hint
    with pytest.raises(AttachError, match=r"not of a control group \(v2\)") as caught:
        check(Hook("/usr"))
    assert cgroup.mount in caught.value.hint
    with pytest.raises(AttachError, match="no control group"):
        check(Hook(f"{cgroup.path}/cgroup.procs"))


def test_where_several_fit_or_a_section_leaves_it_open_the_attach_type_says_it(host: Host, cgroup: Cgroup) -> None:
    with loads.nothing_left(host):
        with pytest.raises(UsageError, match="2 programs for hook cgroup"):
            loads.run(host, example("cgroup_skb_counter"), Hook(cgroup.path))
        with pytest.raises(UsageError, match="no program for hook cgroup"):
            loads.run(host, example("cgroup_skb_counter"), Hook(cgroup.path, "cgroup_device"))
    data = loads.counting("cgroup/skb", "either", 1)
    with loads.nothing_left(host), pytest.raises(UsageError, match="leaves open where it goes") as caught:
        loads.run(host, data, Hook(cgroup.path))
    assert "cgroup_inet_ingress, cgroup_inet_egress" in str(caught.value)
    assert caught.value.hint == "say it with --attach-type"
    loaded = loads.run(host, data, Hook(cgroup.path, "cgroup_inet_egress"))
    assert loaded.links[0].where.endswith(" inet_egress")
    loads.attach(host, loaded.id, Hook(cgroup.path, "cgroup_inet_ingress"))


def test_several_programs_of_an_object_go_to_the_group_together(host: Host, ns: Namespace, cgroup: Cgroup) -> None:
    names = ("cgroup_ingress_count", "cgroup_egress_count")
    with load.prepare(example("cgroup_skb_counter"), name="both", programs=names, hook=Hook(cgroup.path)) as prepared:
        prepared.load()
        with host.writer() as writer:
            loaded = writer.run(prepared, load.Origin("both"))
    assert [link.where.rpartition(" ")[2] for link in loaded.links] == ["inet_ingress", "inet_egress"]
    ping(ns, cgroup)
    assert loads.counted(loaded) == 2, "they share the map"
