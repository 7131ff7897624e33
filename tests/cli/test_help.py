"""Help texts: an example for every verb, narrow terminals, words that were misspelt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bpfimg.cli import _described, main
from bpfimg.cli._main import VERBS

if TYPE_CHECKING:
    import subprocess

    from tests.support.cli import Cli

DESCRIBED = _described.verbs()
PAGES = [each.name for verb in DESCRIBED for each in (verb, *verb.subs)]


def shown(words: list[str], width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COLUMNS", str(width))
    try:
        code = main(words)
    except SystemExit as stop:
        code = int(stop.code or 0)
    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    return out


@pytest.mark.parametrize("verb", DESCRIBED, ids=lambda verb: verb.name)
def test_every_verb_has_examples_that_begin_with_it(verb: _described.Verb) -> None:
    assert any(f"bpfimg {verb.name} " in f"{example} " for example in verb.examples)


@pytest.mark.parametrize("page", ["", *PAGES])
def test_help_fits_into_80_columns(
    page: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = shown(["help", *page.split()], 80, capsys, monkeypatch)
    assert [line for line in text.splitlines() if len(line) > 80] == []


@pytest.mark.parametrize("page", PAGES)
def test_running_text_is_filled_at_60_columns(
    page: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tables and examples keep their lines; one word alone may be longer, as --dispatcher auto|freplace|fused is."""
    text = shown(["help", *page.split()], 60, capsys, monkeypatch).partition("\nexample")[0]
    wide = [line for line in text.splitlines() if len(line) > 60 and not line.startswith("  ")]
    assert wide == []


def test_help_of_a_word_in_place_of_a_hook_or_an_action(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shown(["help", "key", "generate"], 80, capsys, monkeypatch).startswith("usage: bpfimg key generate")
    assert shown(["help", "run", "xdp"], 80, capsys, monkeypatch).startswith("usage: bpfimg run REF xdp")
    assert shown(["help", "help"], 80, capsys, monkeypatch).startswith("usage: bpfimg VERB")


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["lsit"], "did you mean `bpfimg list`?"),
        (["help", "lsit"], "did you mean `bpfimg list`?"),
        (["run", "x", "xdp", "--ifcae", "e0"], "did you mean --iface?"),
        (["run", "x", "xdp", "--ifcae=e0"], "did you mean --iface?"),
        (["run", "--dryrun", "x", "xdp", "-i", "e0"], "did you mean --dry-run?"),
        (["list", "--stat"], "did you mean --stats?"),
        (["list", "--outptu", "json"], "did you mean --output?"),
        (["key", "generate", "--tpye", "ed25519"], "did you mean --type?"),
        (["run", "x", "xpd"], "near it: xdp"),
        (["key", "genrate"], "near it: generate"),
        (["key", "generate", "--type", "ed2551"], "near it: ed25519"),
        (["map", "dmup", "1"], "did you mean `map dump`?"),
        (["hooks", "kprob"], "did you mean kprobe?"),
        (["completion", "bsh"], "did you mean bash?"),
        (["list", "--type", "xpd"], "near it: xdp"),
    ],
    ids=" ".join,
)
def test_a_word_that_is_nearly_right_is_answered_with_the_right_one(cli: Cli, words: list[str], hint: str) -> None:
    assert hint in cli.error(*words, expect=2)["hint"]


def test_what_is_like_nothing_gets_no_guess(cli: Cli) -> None:
    assert "did you mean" not in cli.error("list", "--zzzzzz", expect=2)["hint"]
    assert "did you mean" not in cli.error("zzzzzz", expect=2)["hint"]


def test_every_line_of_the_main_help_is_there_once(cli: Cli) -> None:
    lines = cli("--help").stdout.splitlines()
    assert [line.split()[0] for line in lines if line.startswith("  ") and line.split()[0] in VERBS] == list(VERBS)


def test_help_through_a_pipe_is_as_wide_as_help_ever_is(cli: Cli) -> None:
    done: subprocess.CompletedProcess[str] = cli("list", "--help", COLUMNS="")
    assert max(map(len, done.stdout.splitlines())) <= 100
