"""A descriptor has one owner, and a forgotten one is noticed."""

from __future__ import annotations

import gc
import os
import warnings

import pytest

from bpfimg.kernel import Fd
from bpfimg.kernel._fd import number


def opened() -> Fd:
    return Fd(os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC))


def test_with_closes() -> None:
    with opened() as fd:
        raw = fd.fileno()
        assert os.fstat(raw)
    assert fd.closed
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(raw)


def test_close_twice_closes_nobody_elses() -> None:
    fd = opened()
    raw = fd.fileno()
    fd.close()
    with opened() as other:
        assert other.fileno() == raw, "the number is free again, so a second close would hit the new owner"
        fd.close()
        assert os.fstat(other.fileno())


def test_detach_gives_it_away() -> None:
    fd = opened()
    raw = fd.detach()
    assert fd.closed
    os.close(raw)
    with pytest.raises(ValueError, match="closed"):
        fd.fileno()


@pytest.mark.alone  # others open descriptors meanwhile, which get the same number
def test_a_forgotten_one_is_closed_with_a_warning() -> None:
    raw = []

    def forget() -> None:
        raw.append(opened().fileno())

    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        forget()
        gc.collect()
    assert [each.category for each in seen] == [ResourceWarning]
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(raw[0])


def test_calls_take_plain_numbers_too() -> None:
    with opened() as fd:
        assert number(fd) == number(fd.fileno())
