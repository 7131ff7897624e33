"""A function in a process of its own: its result comes back, whatever happens to the process, and nothing is left."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from bpfimg.kernel import walk
from tests.support.descriptors import none_left

pytestmark = pytest.mark.alone
needs_two = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two processors")


def nothing_left() -> None:
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@needs_two
def test_it_runs_in_another_process() -> None:
    with walk.Apart(os.getpid) as apart:
        assert apart.result() != os.getpid()
    nothing_left()


def test_much_comes_back_whole() -> None:
    with walk.Apart(lambda: ["x" * 99] * 50_000) as apart:
        assert apart.result() == ["x" * 99] * 50_000
    nothing_left()


def test_one_that_nobody_waits_for_ends() -> None:
    with none_left():
        for function in (lambda: ["x" * 99] * 50_000, lambda: time.sleep(600)):
            with walk.Apart(function):
                pass
        nothing_left()


@needs_two
def test_one_that_was_killed_runs_again_here() -> None:
    here = os.getpid()

    def fatal() -> int:
        if os.getpid() != here:
            os.kill(os.getpid(), signal.SIGKILL)
        return here

    with walk.Apart(fatal) as apart:
        assert apart.result() == here
    nothing_left()


def test_what_it_raises_is_raised_here() -> None:
    with walk.Apart(lambda: 1 // 0) as apart, pytest.raises(ZeroDivisionError):
        apart.result()
    nothing_left()


def test_a_process_with_threads_is_not_forked() -> None:
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        with walk.Apart(os.getpid) as apart:
            assert apart.result() == os.getpid()
    finally:
        done.set()
        thread.join()
