"""A host of its own for each test: a private bpffs, and nothing left in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bpfimg.load import Host
from tests.support import loads
from tests.support.netns import bpffs, skip_unless

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def host() -> Iterator[Host]:
    skip_unless("bpffs", "btf", "xdp")
    with bpffs() as mount:
        host = Host(mount, lock_timeout=5)
        yield host
        loads.clear(host)
        assert loads.tree(host) == []
        assert loads.programs_left() == []
