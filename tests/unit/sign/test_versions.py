"""Version labels are ordered as Semantic Versioning 2.0 says, and what has no order is refused."""

from __future__ import annotations

import itertools

import hypothesis
import pytest
from hypothesis import strategies as st

from bpfimg.sign._policy._versions import version_key
from bpfimg.sign._strict import Junk

RISING = [
    "0", "0.0.1", "0.1", "1.0.0-0", "1.0.0-1", "1.0.0-10", "1.0.0--", "1.0.0-alpha", "1.0.0-alpha.1",
    "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.0.1", "1.0.1-rc",
    "1.0.1", "1.2", "1.2.3.4", "1.10.0", "2.0.0", "2026.01", "2026.01.15", "2026.2",
]  # fmt: skip


def test_labels_rise() -> None:
    keys = [version_key(text) for text in RISING]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    "texts",
    [("1", "v1", "1.0", "1.0.0", "1.00", "1.0.0.0"), ("1.2.3+a", "1.2.3+b.c", "1.2.3", "v1.2.3"), ("0", "0.0.0", "00")],
)
def test_labels_that_say_the_same(texts: tuple[str, ...]) -> None:
    assert len({version_key(text) for text in texts}) == 1


@pytest.mark.parametrize(
    "text",
    ["", "v", "latest", "V1.0.0", "1.", ".1", "1..2", "1.2-rc1", "1.2.3-", "1.2.3-01", "1.2.3-a..b", "1.2.3+", "-1",
     "1.2.3 ", "1.2.3\n", "\u0661.2.3", "1.2.3-\u0661", "1e5", "sha256:00", "vv1", "1" * 257, "1.2.3-rc_1"],
)  # fmt: skip
def test_what_has_no_order_is_refused(text: str) -> None:
    with pytest.raises(Junk, match="has no order"):
        version_key(text)


NUMBER = st.integers(0, 30).map(str)
LABEL = st.one_of(NUMBER, st.from_regex(r"[0-9]{0,2}[a-zA-Z-][0-9a-zA-Z-]{0,2}", fullmatch=True))
EARLY = st.lists(LABEL, min_size=1, max_size=3).map(".".join)
SEMVER = st.builds(
    lambda numbers, early, build: ".".join(numbers) + (f"-{early}" if early else "") + (f"+{build}" if build else ""),
    st.tuples(NUMBER, NUMBER, NUMBER),
    st.none() | EARLY,
    st.none() | st.from_regex(r"[0-9a-zA-Z-]{1,3}", fullmatch=True),
)


def by_the_book(a: str, b: str) -> int:
    """Section 11 of the specification, sentence by sentence, as -1, 0 or 1."""
    (a, *_), (b, *_) = a.split("+"), b.split("+")
    (core_a, _, early_a), (core_b, _, early_b) = a.partition("-"), b.partition("-")
    for one, other in zip(core_a.split("."), core_b.split("."), strict=True):
        if int(one) != int(other):
            return 1 if int(one) > int(other) else -1
    if not early_a or not early_b:
        return (not early_a) - (not early_b)
    labels_a, labels_b = early_a.split("."), early_b.split(".")
    for one, other in zip(labels_a, labels_b, strict=False):
        if one != other:
            if one.isdigit() and other.isdigit():
                return 1 if int(one) > int(other) else -1
            if one.isdigit() or other.isdigit():
                return -1 if one.isdigit() else 1
            return 1 if one > other else -1
    return (len(labels_a) > len(labels_b)) - (len(labels_a) < len(labels_b))


@hypothesis.given(SEMVER, SEMVER)
def test_the_order_is_that_of_the_specification(a: str, b: str) -> None:
    one, other = version_key(a), version_key(b)
    assert (one > other) - (one < other) == by_the_book(a, b)


DOTTED = st.lists(st.integers(0, 5), min_size=1, max_size=5).map(lambda parts: ".".join(map(str, parts)))


@hypothesis.given(st.lists(st.one_of(SEMVER, DOTTED, DOTTED.map("v".__add__)), max_size=6))
def test_all_labels_together_have_one_order(texts: list[str]) -> None:
    rising = sorted(texts, key=version_key)
    for earlier, later in itertools.combinations(rising, 2):
        assert version_key(earlier) <= version_key(later)


@hypothesis.given(st.text(max_size=12))
def test_any_text_has_an_order_or_is_refused(text: str) -> None:
    try:
        key = version_key(text)
    except Junk:
        return
    assert key == version_key(text)
