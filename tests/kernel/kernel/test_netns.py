"""Calls inside network namespaces."""

from __future__ import annotations

import os
import signal
import time

import pytest

from bpfimg.kernel import netns
from tests.support.netns import namespace, skip_unless

pytestmark = pytest.mark.kernel


def test_an_interrupt_waits_for_what_is_at_work_inside() -> None:
    """Else it would go on while the caller undoes what it did."""
    skip_unless()
    done = []

    def work() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.2)
        done.append("all of it")

    with namespace() as ns:
        with pytest.raises(KeyboardInterrupt):
            netns.call(ns.name, work)
        assert done == ["all of it"]
