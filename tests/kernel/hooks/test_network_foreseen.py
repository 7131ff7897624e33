"""What a dry run says of an attachment to the network before it is made, and what it refuses already."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bpfimg._value import replace
from bpfimg.errors import AttachError, Busy, NotSupported
from bpfimg.load._hooks import Netfilter, Netkit, Netns, Sockmap, Tc, Tcx, Xdp
from tests.support import loads
from tests.support.features import lacks, needs
from tests.support.objects import example

if TYPE_CHECKING:
    from bpfimg.load import Host
    from tests.support.netns import Namespace

pytestmark = pytest.mark.kernel


def test_the_mode_of_xdp_and_that_it_is_taken(host: Host, ns: Namespace) -> None:
    hook = Xdp(ns.interface, netns=ns.path)
    assert host.foresee(hook) == "native if the driver takes it, else generic"
    assert host.foresee(Xdp(ns.interface, mode="generic", netns=ns.path)) == "generic"
    loads.run(host, example("xdp_counter"), hook, "mine")
    with pytest.raises(Busy, match=r"already runs XDP, in native mode: program \d+ of 'mine'"):
        host.foresee(hook)


@needs("tcx")
def test_the_place_in_a_chain(host: Host, ns: Namespace) -> None:
    for name, priority in (("a", 10), ("b", 50)):
        loads.run(host, loads.tc(name), Tcx(ns.interface, "egress", priority, ns.path), name)
    for priority, said in ((5, "1st"), (10, "2nd"), (20, "2nd"), (50, "3rd")):
        hook = Tcx(ns.interface, "egress", priority, ns.path)
        assert host.foresee(hook) == f"{said} of 3 in the TCX chain"
    assert host.foresee(Tc(ns.interface, "ingress", netns=ns.path)) == "1st of 1 in the TCX chain"
    with pytest.raises((AttachError, NotSupported), match="netkit"):
        host.foresee(Netkit(ns.interface, netns=ns.path))


@lacks("tcx")
def test_clsact_where_there_is_no_tcx(host: Host, ns: Namespace) -> None:
    assert host.foresee(Tc(ns.interface, "ingress", netns=ns.path)) == "a clsact filter"


def test_a_tc_hook_that_is_taken(host: Host, ns: Namespace) -> None:
    hook = Tc(ns.interface, "ingress", netns=ns.path)
    loads.run(host, example("tc_counter"), hook)
    with pytest.raises(Busy, match="already runs tc"):
        host.foresee(hook)


def test_the_place_in_a_chain_of_ours(ns: Namespace, chained: Host) -> None:
    for hook, data in (
        (Xdp(ns.interface, netns=ns.path, dispatcher="fused"), example("xdp_counter")),
        (Tc(ns.interface, "ingress", netns=ns.path, dispatcher="fused"), example("tc_counter")),
    ):
        assert chained.foresee(hook) == "1st of 1, begins a fused chain"
        loads.run(chained, data, hook)
        assert chained.foresee(hook) == "2nd of 2 in the fused chain"
        assert chained.foresee(replace(hook, priority=49)) == "1st of 2 in the fused chain"


@needs("netfilter")
def test_a_priority_of_netfilter_that_is_taken(host: Host, ns: Namespace) -> None:
    hook = Netfilter(point="input", priority=-3, netns=ns.path)
    assert host.foresee(hook) == ""
    loads.run(host, example("netfilter_counter"), hook)
    with pytest.raises(Busy, match="has a program with priority -3 already"):
        host.foresee(hook)
    assert host.foresee(Netfilter(point="input", priority=-2, netns=ns.path)) == ""


def test_hooks_of_a_namespace(host: Host, ns: Namespace) -> None:
    dissector, lookup = Netns("flow_dissector", ns.path), Netns("sk_lookup", ns.path)
    loads.run(host, example("flow_dissector_counter"), dissector)
    loads.run(host, example("sk_lookup_counter"), lookup)
    with pytest.raises(Busy, match="already runs a flow_dissector"):
        host.foresee(dissector)
    assert host.foresee(lookup) == "behind 1 more"


def test_a_map_of_sockets_that_is_taken(host: Host) -> None:
    loaded = loads.run(host, example("sk_msg_counter"), Sockmap("sk_msg", "sockets"))
    assert host.foresee(Sockmap("sk_msg", "sockets")) == "", "a map of the object's own is new"
    with pytest.raises(Busy, match=r"already has program \d+ of 'app'"):
        host.foresee(Sockmap("sk_msg", loaded.map_pins()[1]))
