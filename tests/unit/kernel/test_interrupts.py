"""Ctrl-C inside of a C function that calls back: heard once, and only when the function has returned."""

from __future__ import annotations

import ctypes
import os
import signal
import threading

import pytest

from bpfimg.kernel._interrupts import Held
from bpfimg.kernel._syscall import libc

_COMPARE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)


@pytest.fixture(autouse=True)
def _handler() -> object:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def sorted_by_c() -> int:
    """How often C asked Python while each time an interrupt came."""
    asked = []

    def compare(one: int, other: int) -> int:
        asked.append(1)
        os.kill(os.getpid(), signal.SIGINT)
        return 0

    numbers = (ctypes.c_int * 3)(3, 2, 1)
    with Held():
        libc.qsort(numbers, 3, ctypes.sizeof(ctypes.c_int), _COMPARE(compare))
    return len(asked)


def test_an_interrupt_is_heard_when_the_function_has_returned(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt):
        sorted_by_c()
    assert capfd.readouterr().err == "", "nothing was raised where C would swallow it"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_somebody_elses_handler_hears_of_it_once() -> None:
    heard: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    assert sorted_by_c() >= 2
    assert heard == [signal.SIGINT]


def test_who_ignores_interrupts_goes_on_doing_so() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    assert sorted_by_c() >= 2
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_in_other_threads_nothing_is_held() -> None:
    entered = []

    def work() -> None:
        with Held():
            entered.append(signal.getsignal(signal.SIGINT) is signal.default_int_handler)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert entered == [True]


def test_what_the_function_raises_comes_through() -> None:
    with pytest.raises(ValueError, match="mine"), Held():
        raise ValueError("mine")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
