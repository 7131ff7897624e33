"""What a guest writes is a stranger's: only a whole answer within bounds is one."""

from __future__ import annotations

import pytest

from bpfimg.errors import KernelError
from bpfimg.guest._ask import _answer, _failure, _trouble


def test_an_answer_is_one_when_it_is_whole() -> None:
    whole = b"bpfimg guest 1 0 5\nhello"
    for cut in range(len(whole)):
        assert _answer(bytearray(whole[:cut])) is None
    assert _answer(bytearray(whole + b"more, which nobody reads")) == (0, b"hello")
    assert _answer(bytearray(b"bpfimg guest 1 -11 0\n")) == (-11, b"")


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (b"bpfimg guest 1 0 16777217\n", "16777217 bytes, expected at most"),
        (b"bpfimg guest 2 0 1\nxx", "expected an answer"),
        (b"bpfimg guest 1 0 -1\nxx", "expected an answer"),
        (b"bpfimg guest 1 0 9999999999\nxx", "expected an answer"),
        (b"bpfimg guest 1 0 1\r\nx", "expected an answer"),
        (b"A" * 65, "expected an answer"),
        (b"\x1b[31m\n", r"'\\x1b\[31m\\n', expected an answer"),
    ],
)
def test_what_will_be_none_is_said_at_once(written: bytes, words: str) -> None:
    with pytest.raises(KernelError, match=words):
        _answer(bytearray(written))


def test_a_failure_shows_the_last_words() -> None:
    error = _failure(7, ["Traceback", "OSError: no"])
    assert str(error) == "what loads programs in the guest ended with 7: 'OSError: no'"
    assert error.hint == "its last words:\nTraceback\nOSError: no"
    assert str(_failure(0, [])) == "what loads programs in the guest gave no answer: it said nothing"


def test_the_line_that_matters_is_found_in_a_console() -> None:
    quiet = [f"[    0.{number:06}] driver" for number in range(40)]
    line, shown = _trouble([*quiet, "trying 'x'", "[    1.927905] Kernel panic - not syncing: Fatal", *quiet])
    assert line == "Kernel panic - not syncing: Fatal"
    assert "trying 'x'" in shown
    assert len(shown.splitlines()) < 20
    assert _trouble(quiet)[0] == ""
    assert _trouble([]) == ("", "")
