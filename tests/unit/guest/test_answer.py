"""What a guest writes is a stranger's: only a whole answer within bounds is one."""

from __future__ import annotations

import pytest

from bpfimg.errors import KernelError
from bpfimg.guest._ask import _answer, _trouble


def test_an_answer_is_one_when_it_is_whole() -> None:
    whole = b"bpfimg guest 1 0 5 3\nhellosaid"
    for cut in range(len(whole) - 1):
        assert _answer(bytearray(whole[:cut])) is None
    assert _answer(bytearray(whole + b"more, which nobody reads")) == b"hello"


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (b"bpfimg guest 1 0 16777217 0\n", "16777217 bytes, expected at most"),
        (b"bpfimg guest 1 0 1 65537\n", "expected at most"),
        (b"bpfimg guest 2 0 1 1\nxx", "expected an answer"),
        (b"bpfimg guest 1 0 -1 1\nxx", "expected an answer"),
        (b"bpfimg guest 1 0 9999999999 1\nxx", "expected an answer"),
        (b"A" * 65, "expected an answer"),
        (b"\x1b[31m\n", r"'\\x1b\[31m\\n', expected an answer"),
        (b"bpfimg guest 1 0 0 0\n", "gave no answer: it said nothing"),
        (b"bpfimg guest 1 -11 0 0\n", "ended with -11"),
        (b"bpfimg guest 1 1 2 7\n{}no\n\x1bway", r"ended with 1: '\\x1bway'"),
    ],
)
def test_what_is_none_is_said(written: bytes, words: str) -> None:
    with pytest.raises(KernelError, match=words) as caught:
        _answer(bytearray(written))
    assert (str(caught.value) + caught.value.hint).replace("\n", "").isprintable()


def test_the_line_that_matters_is_found_in_a_console() -> None:
    quiet = [f"[    0.{number:06}] driver" for number in range(40)]
    line, shown = _trouble([*quiet, "trying 'x'", "[    1.927905] Kernel panic - not syncing: Fatal", *quiet])
    assert line == "Kernel panic - not syncing: Fatal"
    assert "trying 'x'" in shown
    assert len(shown.splitlines()) < 20
    assert _trouble(quiet)[0] == ""
    assert _trouble([]) == ("", "")
