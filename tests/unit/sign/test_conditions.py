"""Conditions on predicates: where they look (RFC 6901), what they find equal, and that nothing odd passes."""

from __future__ import annotations

from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from bpfimg.sign._policy._conditions import POINTER, Condition, at, same
from bpfimg.sign._policy._patterns import Pattern

RFC = {"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, 'k"l': 6, " ": 7, "m~n": 8}


@pytest.mark.parametrize(
    ("pointer", "found"),
    [("", RFC), ("/foo", ["bar", "baz"]), ("/foo/0", "bar"), ("/", 0), ("/a~1b", 1), ("/c%d", 2), ("/e^f", 3),
     ("/g|h", 4), ("/i\\j", 5), ('/k"l', 6), ("/ ", 7), ("/m~0n", 8)],
)  # fmt: skip
def test_pointers_lead_where_the_rfc_says(pointer: str, found: object) -> None:
    assert POINTER.fullmatch(pointer)
    assert at(RFC, pointer) == found


@pytest.mark.parametrize(
    "pointer",
    ["/x", "/foo/2", "/foo/-", "/foo/00", "/foo/-1", "/foo/+1", "/foo/1.0", "/foo/\u0661", "/foo/0/0", "//x", "/a/b",
     "/foo/999999999999", "/m~01n"],
)  # fmt: skip
def test_what_is_not_there_passes_no_test_but_absence(pointer: str) -> None:
    assert Condition(pointer, "exists", False).holds(RFC)
    assert not Condition(pointer, "exists", True).holds(RFC)
    assert not Condition(pointer, "equals", None).holds(RFC)
    assert not Condition(pointer, "oneOf", (None, "", 0)).holds(RFC)
    assert not Condition(pointer, "matches", Pattern.parse(".*", "x")).holds(RFC)


def test_a_tilde_is_unescaped_once() -> None:
    assert at({"~1": 1, "/": 2}, "/~01") == 1
    assert at({"~1": 1, "/": 2}, "/~1") == 2


@pytest.mark.parametrize(
    ("found", "wanted", "equal"),
    [
        ("x", "x", True), ("x", "X", False), (1, 1, True), (1, 1.0, True), (1.5, 1.5, True), (1, True, False),
        (True, 1, False), (True, True, True), (False, 0, False), (None, None, True), (None, "", False), (0, "", False),
        ("1", 1, False), (["x"], "x", False), ({}, None, False), ([], None, False), (False, None, False),
    ],
)  # fmt: skip
def test_equality_is_that_of_json(found: object, wanted: Any, equal: bool) -> None:
    assert Condition("/a", "equals", wanted).holds({"a": found}) is equal
    assert Condition("/a", "oneOf", ("other", wanted)).holds({"a": found}) is equal


def test_patterns_fit_texts_only_and_as_a_whole() -> None:
    builder = Condition("/builder/id", "matches", Pattern.parse(r"https://ci\.example/.*", "x"))
    assert builder.holds({"builder": {"id": "https://ci.example/1"}})
    for other in ("x https://ci.example/1", "https://ci.example", 1, None, ["https://ci.example/1"], {}):
        assert not builder.holds({"builder": {"id": other}})


@pytest.mark.parametrize("predicate", [None, [], "x", 1, True, {"a": None}])
def test_any_predicate_may_be_asked(predicate: object) -> None:
    assert not Condition("/a/b", "equals", "x").holds(predicate)


def test_an_unknown_test_holds_for_nothing_odd() -> None:
    assert not Condition("/a", "matches", "a plain text").holds({"a": "a plain text"})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab/~0", max_size=2), inner, max_size=3),
    max_leaves=8,
)


def pointers(value: object) -> list[tuple[str, object]]:
    found = [("", value)]
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inside:
        step = "/" + str(key).replace("~", "~0").replace("/", "~1")
        found += [(step + rest, deep) for rest, deep in pointers(one)]
    return found


@hypothesis.given(JSON)
def test_every_place_in_a_document_can_be_pointed_at(value: object) -> None:
    for pointer, found in pointers(value):
        assert POINTER.fullmatch(pointer)
        assert at(value, pointer) is found
        if not isinstance(found, list | dict):
            assert same(found, at(value, pointer))
            assert Condition(pointer, "exists", True).holds(value)


@hypothesis.given(JSON, st.text("/ab~01-", max_size=6).filter(POINTER.fullmatch))
def test_any_pointer_leads_somewhere_or_nowhere(value: object, pointer: str) -> None:
    there = dict(pointers(value))
    assert Condition(pointer, "exists", True).holds(value) is (pointer in there)
