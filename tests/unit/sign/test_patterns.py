"""Patterns mean what `re.fullmatch` says they mean, and none of them takes long."""

from __future__ import annotations

import re
import warnings

import hypothesis
import pytest
from hypothesis import strategies as st

from bpfimg.sign._policy._patterns import Pattern
from bpfimg.sign._strict import Junk

GITHUB = r"https://github\.com/acme/bpf/\.github/workflows/release\.yml@refs/tags/v.*"


def fits(pattern: str, text: str) -> bool:
    return Pattern.parse(pattern, "pattern").fullmatch(text)


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (GITHUB, "https://github.com/acme/bpf/.github/workflows/release.yml@refs/tags/v1", True),
        (GITHUB, "https://github.com/acme/bpf/.github/workflows/release.yml@refs/tags/v1\n", False),
        (GITHUB, "x" + "https://github.com/acme/bpf/.github/workflows/release.yml@refs/tags/v1", False),
        (GITHUB, "https://githubXcom/acme/bpf/.github/workflows/release.yml@refs/tags/v1", False),
        ("^https://a$", "https://a", True),
        ("^https://a$", "https://a.evil", False),
        ("^a|b$", "b", True),
        ("^a|b$", "ab", False),
        ("a$", "a\n", False),
        ("[]a]+", "]a", True),
        ("[^]a]", "]", False),
        (r"[\]a-c-]{2,3}", "-]", True),
        (r"\d{4}-\d{2}", "2026-01", True),
        ("(?:a|bc)*?d{,2}", "abcadd", True),
        ("(a{2}){3}", "aaaaaa", True),
        ("(a{2}){3}", "aaaaa", False),
        ("", "", False),
        ("()", "", True),
        ("a|", "", True),
        ("x{0}", "", True),
        ("é+", "éé", True),
    ],
)
def test_what_fits(pattern: str, text: str, found: bool) -> None:
    if not pattern:
        with pytest.raises(Junk, match="expected 1 to 1024"):
            fits(pattern, text)
    else:
        assert fits(pattern, text) is found
        assert (re.fullmatch(pattern, text) is not None) is found


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("(", "the group at 0 is not closed"),
        ("a)", "the ')' at 1 closes nothing"),
        ("[a", "the set at 0 is not closed"),
        ("[z-a]", "the set at 0 is none: bad character range z-a"),
        ("[]", "the set at 0 is not closed"),
        ("a**", "repeats a repetition"),
        ("a*+", "repeats a repetition"),
        ("a{2}{3}", "repeats a repetition"),
        ("*a", "repeats nothing"),
        ("(+)", "repeats nothing"),
        ("^*", "repeats nothing"),
        ("a{x}", "begins no number of times"),
        ("a{", "begins no number of times"),
        ("a{,}", "begins no number of times"),
        ("a{3,2}", "ends before it begins"),
        ("a{99999}", "too large"),
        ("a{2001}", "too large"),
        ("((a{40}){40}){40}", "too large"),
        ("(((){999}){999}){999}", "too large"),
        ("a^", "neither at the beginning nor at the end"),
        ("(^a)", "neither at the beginning nor at the end"),
        ("a$b", "neither at the beginning nor at the end"),
        (r"(a)\1", "there is no '\\\\1'"),
        (r"\bword\b", "there is no '\\\\b'"),
        (r"a\Z", "there is no '\\\\Z'"),
        ("a\\", "there is no '\\\\'"),
        (r"[\n]", "there is no '\\\\n'"),
        ("(?i)a", "of a kind that is not there"),
        ("(?=a)", "of a kind that is not there"),
        ("(?!a)", "of a kind that is not there"),
        ("(?<!a)b", "of a kind that is not there"),
        ("(?P<n>a)", "of a kind that is not there"),
        ("(?>a+)b", "of a kind that is not there"),
        ("[[:alpha:]]", "holds '\\['"),
        ("[a--b]", "'--'"),
        ("[a&&b]", "'&&'"),
        ("(" * 33 + "a" + ")" * 33, "nests deeper"),
        ("a" * 1025, "expected 1 to 1024"),
    ],
)
def test_what_is_no_pattern_here_is_refused_and_says_why(pattern: str, says: str) -> None:
    with pytest.raises(Junk) as caught:
        Pattern.parse(pattern, "rules[0]: subjectRegex")
    assert str(caught.value).startswith("rules[0]: subjectRegex ")
    assert says.replace("\\\\", "\\").replace("\\[", "[") in str(caught.value)


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+b", "(a*)*b", "(a|a)*b", "(a|aa)+b", "(.*a){20}b", "a*a*a*a*a*a*a*a*b", "(?:.+/)*.+/.+/.+/.+x",
     ".*.*.*.*=.*", "((a?){40}a{40})*b", "([a-z]+[0-9a-z]*)*!", "(a?){500}b", "[a-z]{900}b", "(.?){999}b"],
)  # fmt: skip
def test_what_keeps_re_busy_forever_is_answered(pattern: str) -> None:
    """With the longest text that is looked at, `re` would come back from few of these while the universe lasts."""
    assert fits(pattern, "a" * 2048) is False


def test_longer_texts_never_fit() -> None:
    assert fits("a*", "a" * 2048)
    assert not fits("a*", "a" * 2049)


ATOM = st.sampled_from(
    ["a", "b", "/", ".", r"\.", r"\d", r"\w", r"\S", "[ab]", "[^a]", "[a-c/]", r"[\d.]", r"[^\]]", "1", "]", "-"]
)
REPEAT = st.sampled_from(["", "", "*", "+", "?", "*?", "{2}", "{1,2}", "{,2}", "{1,}", "??"])


def composed(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.lists(inner, max_size=3).map("".join),
        st.lists(inner, min_size=1, max_size=3).map("|".join).map("({})".format),
        st.builds("(?:{}){}".format, inner, REPEAT),
    )


PATTERN = st.recursive(st.builds("{}{}".format, ATOM, REPEAT), composed, max_leaves=6).filter(bool)
TEXT = st.text("ab/.1-]\n", max_size=7)


@hypothesis.settings(max_examples=500)
@hypothesis.given(PATTERN, st.lists(TEXT, min_size=1, max_size=6))
def test_patterns_mean_what_re_says(pattern: str, texts: list[str]) -> None:
    judged = re.compile(pattern)
    ours = Pattern.parse(pattern, "pattern")
    for text in texts:
        assert ours.fullmatch(text) is (judged.fullmatch(text) is not None)


@hypothesis.settings(max_examples=300)
@hypothesis.given(st.data(), PATTERN)
def test_texts_made_to_fit_do(data: st.DataObject, pattern: str) -> None:
    text = data.draw(st.from_regex(re.compile(pattern), fullmatch=True).filter(lambda found: len(found) < 40))
    assert Pattern.parse(pattern, "pattern").fullmatch(text)


@hypothesis.settings(max_examples=500)
@hypothesis.given(st.text(r"ab^$.|()[]{}*+?\-1,:=!&~dDwsbZ", max_size=10), TEXT)
def test_any_text_is_the_pattern_that_re_knows_or_refused(pattern: str, text: str) -> None:
    try:
        ours = Pattern.parse(pattern, "pattern")
    except Junk:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a set that `re` will read otherwise one day is refused here
        assert ours.fullmatch(text) is (re.fullmatch(pattern, text) is not None)


@pytest.mark.parametrize(
    ("pattern", "subject"),
    [
        ("https://github.com/acme/.*", "https://github.com/acme/x/.github/workflows/y.yml@refs/heads/main"),
        (r"^https://github\.com/acme/api/", ""),
        (r"https://github.com/acme/api/\.github/workflows/release\.yml@refs/tags/.*",
         "https://github.com/acme/api/.github/workflows/release.yml@refs/tags/v1"),
        (".*github.com/acme/.*", "https://github.com/acme/x"),
        (".*\\.github\\.com.*", "https://x.github.com/y"),
        ("^https://github.com/acme/.*$", "https://github.com/acme/x"),
        ("^https://github.com/acme/api/.+@refs/heads/main$", "https://github.com/acme/api/x@refs/heads/main"),
        ("https://github.com/acme/.+/.github/workflows/.+", "https://github.com/acme/a/.github/workflows/b"),
        ("@example.com$", ""),
        (r".*@example\.com$", "me@example.com"),
        (r"^https://github\.com/.+/.+/\.github/workflows/.+@refs/(heads/main|tags/v\d+\.\d+\.\d+)$",
         "https://github.com/a/b/.github/workflows/c.yml@refs/tags/v1.22.3"),
        (r"https:\/\/gitlab\.com\/acme\/.+\/\/\.gitlab-ci\.yml\@refs\/(heads|tags)\/.+",
         "https://gitlab.com/acme/x//.gitlab-ci.yml@refs/tags/v1"),
        ("^https://github.com/slsa-framework/slsa-github-generator/.github/workflows/"
         "generator_container_slsa3.yml@refs/tags/v[0-9]+.[0-9]+.[0-9]+$",
         "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/"
         "generator_container_slsa3.yml@refs/tags/v1.4.0"),
    ],
)  # fmt: skip
def test_what_people_write_for_cosign_is_a_pattern_here(pattern: str, subject: str) -> None:
    """As in the manuals of cosign, the policy-controller and Kyverno; what fits only a part there fits nothing here."""
    assert Pattern.parse(pattern, "subject").fullmatch(subject) is bool(subject)
