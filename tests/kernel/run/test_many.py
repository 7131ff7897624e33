"""One process that changes a host often, and from several threads: no descriptor is lost, and nothing is mixed up."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from bpfimg import inspect, load, run
from bpfimg.errors import VerifierError
from bpfimg.load._hooks import Tcx, Tracepoint
from tests.support import loads
from tests.support.descriptors import none_left
from tests.support.features import native, needs
from tests.support.loads import TAG
from tests.support.netns import tracefs

if TYPE_CHECKING:
    from bpfimg.load import Host
    from tests.support.netns import Namespace

pytestmark = pytest.mark.kernel

ROUNDS = int(os.environ.get("BPFIMG_TEST_ROUNDS", "100"))  # 10000 before a release
_GETPID = Tracepoint("syscalls", "sys_enter_getpid")


@native("loads hundreds of times")
def test_no_descriptor_is_lost_over_many_loads(host: Host) -> None:
    data = loads.tracepoint()
    with tracefs():
        loads.run(host, data, _GETPID)
        loads.clear(host)
        with none_left():
            for number in range(ROUNDS):
                loads.run(host, data, _GETPID)
                if number % 10 == 0:
                    assert len(inspect.host(host).links) == 1
                loads.clear(host)


def test_no_descriptor_is_lost_by_what_fails(host: Host) -> None:
    data = loads.refused()
    with load.prepare(loads.xdp(), name="app"):
        pass
    with none_left():
        for _ in range(20):
            with pytest.raises(VerifierError), load.prepare(data, name="app") as prepared:
                prepared.load()


def test_threads_share_a_host(host: Host, ns: Namespace) -> None:
    """Eight at once: each loads, attaches in one namespace, looks, detaches and unloads its own, again and again."""
    needs("tcx")
    host.lock_timeout = 120
    data = [loads.tc(f"h{number}") for number in range(8)]

    def work(number: int) -> None:
        hook = Tcx(ns.interface, "ingress", priority=number, netns=ns.path)
        for _ in range(6):
            loaded = loads.run(host, data[number], hook, name=f"app{number}")
            assert loaded.record is not None
            assert [program.name for program in loaded.record.programs] == [f"{TAG}h{number}"]
            assert loaded.id in loads.chain(ns, "ingress")
            seen = next(each for each in host.loads() if each.id == loaded.id)
            assert seen == loaded
            run.detach(host, loaded.links[0].id)
            assert run.unload(host, f"app{number}").id == loaded.id

    with none_left():
        with ThreadPoolExecutor(8) as pool:
            for done in [pool.submit(work, number) for number in range(8)]:
                done.result()
        assert loads.chain(ns, "ingress") == []
