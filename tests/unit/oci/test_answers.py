"""Bodies of answers: as they come in, and not for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest
from urllib3.exceptions import TimeoutError as TooSlow

from bpfimg.oci import _answers

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse


class Dripping:
    """A response that gives `piece` each time it is asked; `clock` moves by `seconds` meanwhile."""

    def __init__(self, piece: bytes, seconds: float) -> None:
        self.clock = 0.0
        self._piece = piece
        self._seconds = seconds

    def read1(self, amt: int, decode_content: bool) -> bytes:
        assert not decode_content
        self.clock += self._seconds
        return self._piece[:amt]


def read(response: Dripping, limit: int, monkeypatch: pytest.MonkeyPatch) -> bytes:
    monkeypatch.setattr(_answers.time, "monotonic", lambda: response.clock)
    return _answers.read_limited(cast("BaseHTTPResponse", response), limit)


def test_a_byte_now_and_then_is_no_body(monkeypatch: pytest.MonkeyPatch) -> None:
    response = Dripping(b"x", 30.0)
    with pytest.raises(TooSlow):
        read(response, 1 << 20, monkeypatch)
    assert response.clock == 90.0


def test_a_slow_line_is_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    response = Dripping(b"x" * 8192, 1.0)
    assert len(read(response, 1 << 20, monkeypatch)) == (1 << 20) + 1
    assert response.clock > 100.0
