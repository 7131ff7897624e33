"""TCX: packets of either direction are counted in the order of priorities, until the program is taken off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import NotSupported
from bpfimg.kernel import abi, bpf, netlink, netns
from bpfimg.load._attach import check
from bpfimg.load._hooks import Tc, Tcx
from tests.support import loads
from tests.support.features import hook, lacks, needs
from tests.support.objects import example

if TYPE_CHECKING:
    from bpfimg.load import Host
    from tests.support.netns import Namespace

pytestmark = [pytest.mark.kernel, hook("tcx")]


@needs("tcx")
@pytest.mark.parametrize("direction", ["ingress", "egress"])
def test_packets_are_counted_until_the_program_is_detached(direction: str, host: Host, ns: Namespace) -> None:
    loaded = loads.run(host, example("tc_counter"), Tcx(ns.interface, direction, netns=ns.path))
    assert loaded.links[0].where == f"{ns.interface} {direction}"
    assert ns.ping(3)
    assert loads.counted(loaded) == 3
    loads.detach(host, loaded.links[0].id)
    assert ns.ping(1)
    assert loads.counted(loaded) == 3


@needs("tcx")
def test_the_lower_priority_runs_first_among_ours(host: Host, ns: Namespace) -> None:
    ids = {}
    for name, priority in (("b", 50), ("c", 60), ("a", 10)):
        ids[name] = loads.run(host, loads.tc(name), Tcx(ns.interface, "egress", priority, ns.path), name).id
    ids["d"] = loads.run(host, loads.tc("d"), Tc(ns.interface, "egress", 55, netns=ns.path), "d").id

    def chain() -> tuple[int, ...]:
        return bpf.prog_query(netlink.interface_index(ns.interface), abi.ATTACH_TCX_EGRESS)[0]

    assert netns.call(ns.path, chain) == (ids["a"], ids["b"], ids["d"], ids["c"])


@lacks("tcx")
def test_a_kernel_without_it_says_so(host: Host, ns: Namespace) -> None:
    hook = Tcx(ns.interface, "ingress", netns=ns.path)
    said = "this kernel has no TCX"
    with loads.nothing_left(host), pytest.raises(NotSupported, match=said) as caught:
        loads.run(host, example("tc_counter"), hook)
    assert caught.value.hint == "use the tc hook"
    with pytest.raises(NotSupported, match=said):
        check(hook)
