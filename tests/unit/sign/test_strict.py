"""Readers of strangers' text: nothing is forgiven, nothing is unbounded."""

from __future__ import annotations

import pytest

from bpfimg.errors import quoted
from bpfimg.sign import _strict
from bpfimg.sign._strict import Junk


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'{"a":1,"a":1}', "has the key 'a' twice"),
        (b'{"a":{"b":1,"b":2}}', "has the key 'b' twice"),
        (b'{"a":NaN}', "holds NaN"),
        (b'{"a":-Infinity}', "holds -Infinity"),
        (b'{"a":1}x', "not JSON"),
        (b'{"a":1', "not JSON"),
        (b"", "not JSON"),
        (b'\xef\xbb\xbf{"a":1}', "not JSON"),
        (b'{"a":"\xff"}', "not JSON"),
        ('{"a":1}'.encode("utf-16"), "not JSON"),
        (b"[]", "is a list, expected a JSON object"),
        (b"null", "is null, expected a JSON object"),
        (b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}", "nests deeper"),
        (b'{"a":' + b"9" * 5000 + b"}", "not JSON"),
        (b'{"a":"' + b"x" * 500_000 + b'"}', "has 500008 bytes, expected at most 450000"),
    ],
)
def test_a_document_that_is_not_one_strict_object_is_junk(data: bytes, says: str) -> None:
    with pytest.raises(Junk) as caught:
        _strict.document(data, limit=450_000, what="it")
    assert says in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_document_is_read() -> None:
    assert _strict.document(b' {"a":[1,"\xc3\xa9"]}\n', limit=100, what="it") == {"a": [1, "é"]}


@pytest.mark.parametrize(
    "text", ["YQ", "YQ=", "YQ==\n", "Y Q==", "YQ==YQ==", "YQ==x", "=YQ=", "_-__", "YQ\u00e9=", "YQ===", 7, None]
)
def test_base64_has_one_spelling(text: object) -> None:
    with pytest.raises(Junk):
        _strict.base64(text, "it")


def test_base64_is_read() -> None:
    assert _strict.base64("YQ==", "it") == b"a"
    assert _strict.base64("", "it") == b""


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"-----BEGIN A-----\n-----END A-----\n",
        b"-----BEGIN A-----\nYQ==\n-----END B-----\n",
        b"-----BEGIN A-----\nYQ==\n-----END A-----\nrest",
        b"before\n-----BEGIN A-----\nYQ==\n-----END A-----\n",
        b"-----BEGIN A-----\nProc-Type: 4,ENCRYPTED\n\nYQ==\n-----END A-----\n",
        b"-----BEGIN A-----\nYQ==\n-----END A-----\n" * 2,
        b"-----BEGIN A-----\n\xc3\xa9YQ==\n-----END A-----\n",
        b"-----BEGIN A-----\n" + b"YWFh\n" * 9999 + b"-----END A-----\n",
    ],
)
def test_pem_is_one_block_and_nothing_else(data: bytes) -> None:
    with pytest.raises(Junk):
        _strict.pem(data, "it")


@pytest.mark.parametrize("size", [1, 47, 48, 49, 96, 500])
def test_pem_comes_back(size: int) -> None:
    text = _strict.to_pem("A THING", b"\xa5" * size)
    assert max(map(len, text.splitlines())) <= 64
    assert _strict.pem(text, "it") == ("A THING", b"\xa5" * size)
    assert _strict.pem(text.replace(b"\n", b"\r\n"), "it") == ("A THING", b"\xa5" * size)


def test_untrusted_words_reach_no_terminal() -> None:
    assert quoted("a\x1b[31m\n\u202e") == r"'a\x1b[31m\n\u202e'"
    assert quoted("x" * 1000).endswith("...'")
    assert len(quoted("\U0001f600" * 1000)) < 2000
