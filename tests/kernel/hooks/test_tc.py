"""tc: packets of either direction are counted, by TCX where the kernel has it and else by clsact; many share one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bpfimg import dispatcher
from bpfimg.errors import Busy, NotSupported
from bpfimg.kernel import features
from bpfimg.load._hooks import Tc
from tests.support import loads
from tests.support.features import hook, lacks, needs
from tests.support.objects import example

if TYPE_CHECKING:
    from bpfimg.load import Host
    from tests.support.netns import Namespace

pytestmark = [pytest.mark.kernel, hook("tc")]


@pytest.mark.parametrize("direction", ["ingress", "egress"])
@pytest.mark.parametrize("way", ["auto", "clsact"])
def test_packets_are_counted_until_it_is_detached(way: str, direction: str, chained: Host, ns: Namespace) -> None:
    chained.tc = way
    loaded = loads.run(chained, example("tc_counter"), Tc(ns.interface, direction, netns=ns.path))
    (link,) = loaded.links
    assert (link.how, link.where) == ("dispatcher", f"{ns.interface} {direction}")
    (chain,) = dispatcher.chains(chained)
    assert chain.way == ("tcx" if way == "auto" and features.has("tcx") else "clsact")
    assert ns.ping(3)
    assert loads.counted(loaded) == 3
    loads.detach(chained, link.id)
    assert ns.ping(1)
    assert loads.counted(loaded) == 3
    assert loads.attached(ns) == set()


@pytest.mark.parametrize("way", ["auto", "clsact"])
@pytest.mark.parametrize("builder", ["auto", "fused"])
def test_many_of_ours_share_a_direction(builder: str, way: str, chained: Host, ns: Namespace) -> None:
    """In the order of their priorities, each for as long as those before it say a result that is in proceed-on."""
    chained.tc = way
    found = {}
    for name, priority, result in (("judge", 20, 3), ("behind", 30, 0), ("before", 10, 3)):
        hook = Tc(ns.interface, "ingress", priority, netns=ns.path, dispatcher=builder)
        found[name] = loads.run(chained, loads.tc(name, result), hook, name)
    assert ns.ping(2)
    assert {name: loads.hits(each) for name, each in found.items()} == {"judge": 2, "behind": 2, "before": 2}
    with chained.writer() as writer:
        writer.change(found["judge"].links[0].id, proceed_on=["ok"])
    assert ns.ping(1)
    assert {name: loads.hits(each) for name, each in found.items()} == {"judge": 3, "behind": 2, "before": 3}
    with chained.writer() as writer:
        writer.change(found["behind"].links[0].id, priority=5)
    assert ns.ping(1)
    assert {name: loads.hits(each) for name, each in found.items()} == {"judge": 3, "behind": 3, "before": 3}


@pytest.mark.parametrize("direction", ["ingress", "egress"])
@pytest.mark.parametrize("way", ["auto", "clsact"])
def test_a_host_without_chains_has_a_link_or_a_filter(way: str, direction: str, host: Host, ns: Namespace) -> None:
    host.tc = way
    loaded = loads.run(host, example("tc_counter"), Tc(ns.interface, direction, netns=ns.path))
    (link,) = loaded.links
    assert link.where == f"{ns.interface} {direction}"
    assert link.how == ("link" if way == "auto" and features.has("tcx") else "clsact")
    assert ns.ping(3)
    assert loads.counted(loaded) == 3
    loads.detach(host, link.id)
    assert ns.ping(1)
    assert loads.counted(loaded) == 3
    assert loads.attached(ns) == set()


def test_a_host_that_insists_on_tcx_where_there_is_none(chained: Host, ns: Namespace) -> None:
    lacks("tcx")  # no mark: the hook is there all the same
    chained.tc = "tcx"
    with loads.nothing_left(chained), pytest.raises(NotSupported, match="this kernel has no TCX"):
        loads.run(chained, example("tc_counter"), Tc(ns.interface, "egress", netns=ns.path))


def test_a_kernel_without_tcx_says_that_it_is_clsact_and_why(host: Host, ns: Namespace) -> None:
    lacks("tcx")
    (link,) = loads.run(host, example("tc_counter"), Tc(ns.interface, "ingress", netns=ns.path)).links
    assert link.how == "clsact"
    assert link.note == "a clsact filter: this kernel has no TCX (it came with 6.6)"
    host.tc = "tcx"
    with loads.nothing_left(host), pytest.raises(NotSupported, match="this kernel has no TCX"):
        loads.run(host, example("tc_counter"), Tc(ns.interface, "egress", netns=ns.path))


@needs("tcx")
def test_where_there_is_tcx_nothing_is_to_be_said(host: Host, ns: Namespace) -> None:
    (link,) = loads.run(host, example("tc_counter"), Tc(ns.interface, "ingress", netns=ns.path)).links
    assert (link.how, link.note) == ("link", "")


def test_a_host_without_chains_has_one_for_each_direction(host: Host, ns: Namespace) -> None:
    loads.run(host, example("tc_counter"), Tc(ns.interface, "ingress", netns=ns.path), "mine")
    with loads.nothing_left(host), pytest.raises(Busy, match=r"already runs tc program .*'mine'"):
        loads.run(host, example("tc_counter"), Tc(ns.interface, "ingress", netns=ns.path))
    loads.run(host, example("tc_counter"), Tc(ns.interface, "egress", netns=ns.path))
