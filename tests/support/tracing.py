"""Programs that watch the kernel: things to do that they see, and the contract that all their hooks keep."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bpfimg import inspect
from tests.support import loads
from tests.support.objects import compile_source

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpfimg.load import Hook, Host, LinkRecord

#: a function of each kernel that `nap` calls
NAP = "do_nanosleep"


def nap() -> None:
    """Lets the kernel run `do_nanosleep`, and the scheduler change tasks."""
    time.sleep(0.002)


def counts_until_detached(
    host: Host, data: bytes, hook: Hook, act: Callable[[], object] = nap, *, counter: str = "counters"
) -> LinkRecord:
    """Runs, and sees that `act` is counted after every descriptor is closed, that the host lists the link where it is,
    and that nothing is counted once it is detached; returns the record of the link."""
    loaded = loads.run(host, data, hook)
    link = loaded.links[0]
    act()
    seen = loads.counted(loaded, counter)
    assert seen > 0
    (view,) = [view for view in inspect.host(host).links if view.id == link.id]
    assert (view.hook, view.state, view.program_id) == (hook.word, "attached", link.program_id)
    assert view.target == link.where
    act()
    assert loads.counted(loaded, counter) > seen
    loads.detach(host, link.id)
    last = loads.counted(loaded, counter)
    act()
    assert loads.counted(loaded, counter) == last
    assert host.loads()[0].links == ()
    return link


def program(section: str, body: str = "hit(); return 0;", *, more: str = "") -> bytes:
    """One program in that section, which counts in the map `hits`."""
    code = f'{more}\nSEC("{section}") int {loads.TAG}p(unsigned long long *ctx) {{ {body} }}'
    return compile_source(loads._COUNTER + code)
