"""Every verb as plain values, from the parsers that also print `--help`: for man pages, the book and completion."""

from __future__ import annotations

import argparse
import re
from itertools import groupby

from bpfimg._value import field, value
from bpfimg.cli._hooks import Hooks
from bpfimg.cli._options import COMMON_TITLE
from bpfimg.cli._parser import Parser, parser_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Argument", "Group", "Paragraph", "Verb", "described", "verbs"]


@value(frozen=True, slots=True)
class Argument:
    """A word or an option: `flags` is empty for a word, `metavar` is empty for a switch."""

    flags: tuple[str, ...]
    metavar: str
    help: str
    required: bool = False
    repeats: bool = False


@value(frozen=True, slots=True)
class Group:
    """Arguments under one heading of the help."""

    title: str
    arguments: tuple[Argument, ...]


@value(frozen=True, slots=True)
class Paragraph:
    """Text to be filled; lines that stay as they are when `kept`."""

    text: str
    kept: bool = False


@value(frozen=True, slots=True)
class Verb:
    """One page: `name` is "map", or "map dump", "key generate", "run xdp" for what is in the `subs` of a verb.

    `examples` are commands as they are typed, some of several lines that end in a backslash.
    """

    name: str
    line: str
    usage: str
    paragraphs: tuple[Paragraph, ...] = ()
    groups: tuple[Group, ...] = ()
    subs: tuple[Verb, ...] = ()
    subs_title: str = ""
    examples: tuple[str, ...] = ()
    common: Group = field(default=Group(COMMON_TITLE, ()))


def verbs() -> tuple[Verb, ...]:
    """All of them, in the order of `bpfimg --help`."""
    from bpfimg.cli._main import VERBS

    return tuple(described(name) for name in VERBS)


def described(name: str) -> Verb:
    """One of `_main.VERBS`."""
    parser, line = parser_of(name)
    paragraphs, examples = _prose(str(parser.epilog or ""))
    *groups, common = _groups(parser)
    subs_title, subs = _subs(name, parser, paragraphs, examples)
    return Verb(name, line, _usage(parser), paragraphs, tuple(groups), subs, subs_title, examples, common)


def _prose(epilog: str) -> tuple[tuple[Paragraph, ...], tuple[str, ...]]:
    """The paragraphs before `examples:`, and the commands behind it."""
    text, _, commands = re.sub(r"(?m)^examples?:\n", "\0", epilog, count=1).partition("\0")
    shown = re.sub(r"(?m)^ {2}", "", commands.strip("\n"))
    return tuple(_paragraphs(text)), tuple(re.findall(r"(?m)^(?:.*\\\n)*.+$", shown))


def _paragraphs(text: str) -> Iterator[Paragraph]:
    """As the help does it: what begins with a blank keeps its lines, all else is filled."""
    for empty, lines in groupby(text.splitlines(), key=lambda line: not line.strip()):
        if empty:
            continue
        for kept, some in groupby(lines, key=lambda line: line.startswith(" ")):
            yield Paragraph(("\n" if kept else " ").join(some), kept)


def _groups(parser: argparse.ArgumentParser) -> Iterator[Group]:
    """The words, the options, further groups; those of every verb last, and there although there may be none."""
    common = Group(COMMON_TITLE, ())
    for group in parser._action_groups:
        shown = tuple(_argument(parser, each) for each in group._group_actions if _is_shown(each))
        if group.title == COMMON_TITLE:
            common = Group(COMMON_TITLE, shown)
        elif shown:
            title = {"positional arguments": "words", None: "options"}.get(group.title, group.title)
            yield Group(str(title), shown)
    yield common


def _is_shown(action: argparse.Action) -> bool:
    return action.help != argparse.SUPPRESS and not isinstance(action, Hooks | argparse._SubParsersAction)


def _argument(parser: argparse.ArgumentParser, action: argparse.Action) -> Argument:
    formatter = parser._get_formatter()
    said = formatter._expand_help(action) if action.help else ""
    return Argument(
        tuple(action.option_strings),
        _metavar(parser, action),
        "show the help text" if isinstance(action, argparse._HelpAction) else said,
        required=bool(action.required),
        repeats=isinstance(action, argparse._AppendAction) or action.nargs in ("*", "+"),
    )


def _metavar(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    """A word's is the word alone: whether it may be left out, `required` says."""
    if action.nargs == 0:
        return ""
    if not action.option_strings:
        return str(action.metavar or action.dest)
    if action.choices is not None and action.metavar is None:
        return "|".join(map(str, action.choices))
    return parser._get_formatter()._format_args(action, action.dest.upper())


def _usage(parser: argparse.ArgumentParser) -> str:
    """`bpfimg run [OPTIONS] REF HOOK ...`: the options themselves are listed below it."""
    formatter = parser._get_formatter()
    pieces = [parser.prog, "[OPTIONS]"]
    for action in parser._actions:
        if action.option_strings and action.required and action.help != argparse.SUPPRESS:
            pieces.append(f"{action.option_strings[0]} {_metavar(parser, action)}")
    for action in parser._get_positional_actions():
        pieces.append(formatter._format_args(action, action.dest))
    return " ".join(pieces)


def _subs(
    name: str, parser: argparse.ArgumentParser, paragraphs: Iterable[Paragraph], examples: tuple[str, ...]
) -> tuple[str, tuple[Verb, ...]]:
    """What may stand in place of HOOK or ACTION, with the options that only it has."""
    known = {(flag, str(action.metavar)) for action in parser._actions for flag in action.option_strings}
    for action in parser._get_positional_actions():
        if isinstance(action, argparse._SubParsersAction):
            title = "hooks" if isinstance(action, Hooks) else "actions"
            return title, tuple(
                _sub(f"{name} {each.dest}", str(each.help), _inner(action, each.dest), known, examples)
                for each in action._choices_actions
            )
        if action.dest == "action":  # words that are looked at by the verb itself; its help has a line for each
            return "actions", tuple(_told(name, paragraphs, examples))
    return "", ()


def _inner(action: argparse._SubParsersAction[Parser], word: str) -> argparse.ArgumentParser:
    if isinstance(action, Hooks):
        return action.parser_of(word)
    found: argparse.ArgumentParser = action.choices[word]
    return found


def _sub(
    name: str, line: str, parser: argparse.ArgumentParser, known: set[tuple[str, str]], examples: tuple[str, ...]
) -> Verb:
    *groups, common = _groups(parser)
    # what may stand behind the word as well as before it is told once, with the verb
    own = ((g.title, tuple(each for each in g.arguments if not _is_known(each, known))) for g in groups)
    word = name.rpartition(" ")[2]
    its = tuple(each for each in examples if f" {word} " in f"{each} ".replace("\n", " "))
    kept = tuple(Group(title, arguments) for title, arguments in own if arguments)
    return Verb(name, line, _usage(parser), (), kept, (), "", its, common)


def _is_known(argument: Argument, known: set[tuple[str, str]]) -> bool:
    metavar = argument.metavar or "None"
    return any((flag, metavar) in known for flag in argument.flags)


def _told(verb: str, paragraphs: Iterable[Paragraph], examples: tuple[str, ...]) -> Iterator[Verb]:
    for paragraph in paragraphs:
        if not paragraph.kept:
            continue
        text = re.sub(r"\n {4,}", " ", paragraph.text)
        for word, words, line in re.findall(r"(?m)^  ([a-z-]+)((?: [A-Z]+)+) {2,}(.+)$", text):
            its = tuple(each for each in examples if f"{each} ".startswith(f"bpfimg {verb} {word} "))
            yield Verb(f"{verb} {word}", line, f"bpfimg {verb} {word} [OPTIONS]{words}", examples=its)
