"""Places for the tests of one hook each: a host with a private bpffs, a network namespace, a control group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bpfimg import dispatcher
from bpfimg.load import Host
from tests.support import cgroups, chains, loads
from tests.support.netns import Namespace, bpffs, namespace, skip_unless

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def host() -> Iterator[Host]:
    """A host of the test's own; in the end nothing of it may be left in bpffs or in the kernel."""
    skip_unless("bpffs")
    with bpffs() as mount:
        host = Host(mount, lock_timeout=5)
        yield host
        loads.clear(host)
        assert loads.tree(host) == []
        assert loads.programs_left() == []


@pytest.fixture
def chained() -> Iterator[Host]:
    """The same with chains, as every command has it: hooks of xdp and tc take many programs."""
    skip_unless("bpffs")
    with bpffs() as mount:
        host = dispatcher.host(mount, lock_timeout=5)
        yield host
        loads.clear(host)
        assert chains.left(host) == []
        assert loads.programs_left() == []


@pytest.fixture
def ns() -> Iterator[Namespace]:
    """Two network namespaces joined by a veth pair."""
    skip_unless("bpffs")
    with namespace() as found:
        yield found


@pytest.fixture
def cgroup() -> Iterator[cgroups.Cgroup]:
    """A control group (v2)."""
    with cgroups.cgroup() as found:
        yield found
