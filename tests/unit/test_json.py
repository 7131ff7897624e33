"""One strict reader of JSON for the whole house."""

from __future__ import annotations

import json

import pytest

from bpfimg._json import VALUES, NotStrict, compact, loose_value, strict_object
from bpfimg.errors import quoted


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'{"a":{"b":1,"b":2}}', "has the key 'b' twice in one object"),
        (b'{"a":NaN}', "holds NaN, which is not JSON"),
        (b'{"a":"\\ud800"}', "is not JSON"),
        (b'{"a":"\xff"}', "is not JSON"),
        (b'\xef\xbb\xbf{"a":1}', "is not JSON"),
        (b'{"a":1}x', "is not JSON"),
        (b'"x"', "is a string, expected a JSON object"),
        (b'{"a":' + b"[" * 64 + b"]" * 64 + b"}", "nests deeper than 64 levels"),
        (b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}", "nests deeper than 64 levels"),
        (b'{"a":' + b"9" * 5000 + b"}", "is not JSON"),
        (b'{"a":"' + b"x" * 500_000 + b'"}', "has 500008 bytes, expected at most 450000"),
    ],
    ids=range(11),
)
def test_what_two_readers_could_understand_differently_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(NotStrict) as caught:
        strict_object(data, limit=450_000)
    assert says in str(caught.value)
    assert len(str(caught.value)) < 300


def test_what_is_read() -> None:
    deep = b'{"a":' + b"[" * 63 + b"]" * 63 + b"}"
    assert list(strict_object(deep, limit=1000)) == ["a"]
    assert strict_object('{"a":"\\ud83d\\ude00"}', limit=100) == {"a": "\U0001f600"}
    assert compact({"b": [1, None], "a": "é"}) == '{"b":[1,null],"a":"é"}'.encode()
    assert compact({"a": "é"}, ascii_only=True) == b'{"a":"\\u00e9"}'


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"a": "[{" * 100, "b[[": ['"[' * 100, "\\" + "[" * 100, '\\"' + "{" * 100]}),
        "[" + ",".join(["[{}]"] * 100) + "]",
        "[" * 64 + '"[\\\\"' + "]" * 64,
    ],
    ids=["in texts", "beside each other", "64 levels"],
)
def test_only_brackets_inside_each_other_count(text: str) -> None:
    assert loose_value(text) == loose_value(text.encode()) == json.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 65 + "]" * 65,
        '["\\\\",' + "[" * 64 + "]" * 65,
        '["\\""' + ',["]"' * 64 + "]" * 65,
        '{"[":' * 65,
        '["\u222b",' + "[" * 64,
    ],
    ids=range(5),
)
def test_more_levels_are_refused_before_they_take_stack(text: str) -> None:
    with pytest.raises(NotStrict, match="nests deeper than 64 levels"):
        loose_value(text)


@pytest.mark.parametrize("data", [b'{"a":"\xff"}', b'["' + b"[" * 100, b"[" * 64, '"\u222b"'.encode("utf-16"), b""])
def test_what_is_no_json_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # json's own, and UnicodeDecodeError
        loose_value(data)


def test_many_keys_that_stand_twice_take_no_time() -> None:
    pairs = ",".join(f'"{n}":1' for n in range(100_000))
    with pytest.raises(NotStrict, match="'99999' twice"):
        strict_object(f'{{{pairs},"99999":2}}', limit=1 << 22)


def test_untrusted_words_reach_no_terminal() -> None:
    assert quoted("a\x1b[31m\n\u202e") == r"'a\x1b[31m\n\u202e'"
    assert quoted(b"\xff\x00") == r"'\\xff\x00'"
    assert quoted("x" * 1000) == "'" + "x" * 96 + "...'"


def test_a_small_text_of_many_values_is_refused_before_it_fills_the_memory() -> None:
    many = b'{"a":[' + b"{}," * VALUES + b"{}]}"
    with pytest.raises(NotStrict, match="holds over 1000000 values"):
        strict_object(many, limit=len(many))
    long = b'{"a":"' + b"many words " * VALUES + b'"}'
    assert strict_object(long, limit=len(long))
