"""The verbs as values: nothing that `--help` tells is lost on the way to man pages and the book."""

from __future__ import annotations

import re

import pytest

from bpfimg.cli import _described
from bpfimg.cli._main import VERBS
from bpfimg.cli._parser import parser_of

DESCRIBED = {verb.name: verb for verb in _described.verbs()}


def words(text: str) -> set[str]:
    return set(re.findall(r"[a-z0-9]+", text.casefold()))


def texts(verb: _described.Verb) -> str:
    """Everything a page can show of it."""
    pieces = [verb.name, verb.line, verb.usage, *(each.text for each in verb.paragraphs), *verb.examples]
    for group in (*verb.groups, verb.common):
        pieces += [f"{' '.join(each.flags)} {each.metavar} {each.help}" for each in group.arguments]
    return " ".join(pieces + [texts(sub) for sub in verb.subs])


def test_every_verb_is_there_in_the_order_of_the_help() -> None:
    assert list(DESCRIBED) == list(VERBS)


@pytest.mark.parametrize("name", VERBS)
def test_nothing_of_the_help_text_is_lost(name: str) -> None:
    parser, _ = parser_of(name)
    body = parser.format_help().partition("\n\n")[2]
    headings = words("positional arguments: options of every verb: example: examples: ACTION HOOK where to attach")
    headings |= words("-h, --help show this help message and exit")
    assert words(body) - headings - words(texts(DESCRIBED[name])) == set()


def test_words_in_place_of_a_hook_or_an_action_have_their_own_entry() -> None:
    assert [sub.name for sub in DESCRIBED["map"].subs] == [
        f"map {word}" for word in ("dump", "get", "set", "delete", "watch")
    ]
    assert [sub.name for sub in DESCRIBED["key"].subs] == ["key generate", "key public"]
    xdp = next(sub for sub in DESCRIBED["run"].subs if sub.name == "run xdp")
    assert xdp.usage == "bpfimg run REF xdp [OPTIONS] -i IF"
    assert "--proceed-on" in texts(xdp)
    assert "--program" not in texts(xdp), "told with the verb, not once more with each of 29 hooks"


def test_an_option_that_means_something_else_behind_a_hook_is_told_there() -> None:
    sk_msg = next(sub for sub in DESCRIBED["run"].subs if sub.name == "run sk_msg")
    assert "--map" in texts(sk_msg).split()


def test_commands_of_several_lines_are_one_example() -> None:
    policy = DESCRIBED["policy"]
    assert any("\\\n" in example for example in policy.examples)
    assert all("bpfimg " in example for verb in DESCRIBED.values() for example in verb.examples)
