"""HOOK words: their options beside those of `run`, and what is said of a word that is none."""

from __future__ import annotations

import pytest

from bpfimg.cli import _hooks, _run
from bpfimg.cli._parser import Parser
from bpfimg.errors import UsageError


@pytest.mark.parametrize("word", _hooks._LINES)
def test_no_option_of_a_hook_is_taken_for_another_of_run(word: str) -> None:
    """`raw_tracepoint NAME` was once the application's name as well."""
    run, hook = Parser(prog="run"), Parser(prog=word)
    _run.add(run)
    _hooks._options(word)[0](hook)
    of_run = {action.dest: action.option_strings for action in run._actions}
    for action in hook._actions:
        if action.dest not in ("help", "hook"):
            assert of_run.get(action.dest, action.option_strings) == action.option_strings, action.dest


def test_a_word_that_is_no_hook_is_answered_with_those_near_it() -> None:
    parser = Parser(prog="bpfimg run")
    _run.add(parser)
    with pytest.raises(UsageError, match=r"^HOOK is 'xpd', expected one of \d+ words$") as caught:
        parser.parse_args(["image", "xpd", "-i", "eth0"])
    assert "near it: xdp; `bpfimg run --help` lists them" in caught.value.hint
