"""Calls inside network namespaces."""

from __future__ import annotations

import os
import signal
import time

import pytest

from bpfimg.kernel import netns
from tests.support.netns import namespace, skip_unless

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize("seconds", [0, 0.1])
def test_an_interrupt_waits_for_what_is_at_work_inside(seconds: float) -> None:
    """Else it would go on while the caller undoes what it did; 0: while it is still being started."""
    skip_unless()
    done = []

    def work() -> None:
        time.sleep(seconds)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.2)
        done.append("all of it")

    with namespace() as ns:
        with pytest.raises(KeyboardInterrupt):
            netns.call(ns.name, work)
        assert done == ["all of it"]
