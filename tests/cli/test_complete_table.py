"""Every word and option has its line in the table of candidates, and every line of the table means something."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import pytest

from bpfimg.cli import (
    _complete_images,
    _complete_line,
    _complete_names,
    _complete_shells,
    _complete_system,
    _complete_table,
    _complete_tracing,
)
from bpfimg.cli._hooks import Hooks
from bpfimg.cli._main import VERBS
from bpfimg.cli._parser import parser_of
from bpfimg.sign._predicates import PREDICATE_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator

FILES = {
    "images": _complete_images,
    "names": _complete_names,
    "system": _complete_system,
    "tracing": _complete_tracing,
}


def actions(verb: str, parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.Action]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action._choices_actions:
                inner = action.parser_of(each.dest) if isinstance(action, Hooks) else action.choices[each.dest]
                yield from actions(f"{verb} {each.dest}", inner)
        elif action.nargs != 0:
            yield verb, action


@pytest.mark.parametrize("verb", VERBS)
def test_what_a_verb_takes_has_its_line(verb: str) -> None:
    lacking = [
        f"{where} {action.option_strings[-1] if action.option_strings else action.metavar}"
        for where, action in actions(verb, parser_of(verb)[0])
        if _complete_table.source(where, action) is None
    ]
    assert lacking == [], "add a line to SOURCES in cli/_complete_table.py; an empty one where anything can stand"


@pytest.mark.parametrize("said", sorted(set(_complete_table.SOURCES.values())))
def test_every_line_names_a_function(said: str) -> None:
    file, _, function = said.partition(" ")[0].partition(".")
    assert file in ("", "words", "list") or function in FILES[file].__all__


def test_every_function_has_a_line() -> None:
    named = {said.partition(" ")[0] for said in _complete_table.SOURCES.values()}
    unused = {f"{file}.{function}" for file, module in FILES.items() for function in module.__all__} - named
    assert unused <= {"system.named_files", "system.listed"}


def test_predicate_types_are_those_of_the_room_of_trust() -> None:
    words = set(_complete_table.SOURCES["--attestation"].split()[1:])
    assert words == {word for word in PREDICATE_TYPES if word != "slsaprovenance02"}


@pytest.mark.parametrize("verb", ["lint", "diff"])
def test_forms_are_those_that_the_help_lists(verb: str) -> None:
    said = next(action.help for _, action in actions(verb, parser_of(verb)[0]) if "--format" in action.option_strings)
    words = _complete_table.SOURCES[f"{verb} --format"].split()[1:]
    assert str(said).partition(": ")[2].partition(" (")[0].split(", ") == words


def wanted(line: str) -> _complete_line.Wanted:
    typed, last, _ = _complete_shells.split(line)
    return _complete_line.read(typed[1], parser_of(typed[1])[0], typed[2:], last)


def test_what_stands_before_the_cursor_is_known() -> None:
    found = wanted("bpfimg run -g a=1 -g b=2 x:v1 --name app xdp --iface=e0 --mode nat")
    assert found.line.verb == "run xdp"
    assert found.line.word("REF") == "x:v1"
    assert found.line.values["--global"] == ["a=1", "b=2"]
    assert (found.line.value("-i"), found.line.value("--name")) == ("e0", "app")
    assert found.action is not None
    assert (found.action.metavar, found.line.current) == ("auto|native|generic", "nat")


def test_behind_two_dashes_there_are_only_words() -> None:
    assert wanted("bpfimg inspect -- -x").action is not None
    assert wanted("bpfimg inspect -x").action is None


def test_an_option_with_several_values_takes_them_until_the_next() -> None:
    found = wanted("bpfimg check x.o --btf a b ")
    assert found.action is not None
    assert found.action.dest == "btf"
    assert wanted("bpfimg check x.o --btf a --").action is None


@pytest.mark.parametrize(
    ("line", "words", "meant"),
    [
        ("bpfimg a", ["bpfimg"], "a"),
        ("bpfimg a ", ["bpfimg", "a"], ""),
        ("bpfimg 'a b' \"c d", ["bpfimg", "a b"], "c d"),
        ("bpfimg a\\ b", ["bpfimg"], "a b"),
        ("bpfimg 'a\\b' \"\\$x\\y\"", ["bpfimg", "a\\b"], "$x\\y"),
        ("bpfimg '' x", ["bpfimg", ""], "x"),
        ("bpfimg x\\", ["bpfimg"], "x"),
    ],
)
def test_words_are_divided_as_shells_do(line: str, words: list[str], meant: str) -> None:
    assert _complete_shells.split(line)[:2] == (words, meant)
