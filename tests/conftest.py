"""For all tests: one profile of hypothesis, the same examples everywhere; marks of what a test needs of the kernel."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest
from hypothesis import settings

from tests.support import features

settings.register_profile("bpfimg", derandomize=True, database=None, deadline=None)
settings.load_profile("bpfimg")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # what a shell starts in the background hears no Ctrl-C, and neither do its children, to which tests send it
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    features.decide(item)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Calls a test that is marked `alone` in a pytest of its own while this one has other threads or children."""
    if pyfuncitem.get_closest_marker("alone") is None or (threading.active_count() == 1 and not _has_children()):
        return None
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", pyfuncitem.nodeid]
    environ = {name: text for name, text in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    place = pyfuncitem.config.rootpath
    done = subprocess.run(command, cwd=place, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return True


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True
