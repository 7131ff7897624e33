"""What is wrong with a command line, in sentences: argparse's own words say neither what nor what was expected."""

from __future__ import annotations

import argparse
import re

from bpfimg.errors import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["deepest", "may_be_inner", "sentence", "unknown_option"]

_SHOWN = 6  # words to choose from; of more, as of hooks, the name that they have together
_OPTION = re.compile(r"-[A-Za-z]|--[a-z][a-z0-9-]*")


def sentence(parser: argparse.ArgumentParser, message: str) -> str:
    """What argparse says of a command line, as one sentence with the value and what was expected."""
    for pattern, say in _SAYINGS:
        if found := re.fullmatch(pattern, message, re.S):
            return say(parser, found)
    return message


def deepest(parser: argparse.ArgumentParser, words: Sequence[str]) -> argparse.ArgumentParser:
    """The parser of the words' hook or action, where they name one that was asked for; else the verb's."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word in words:
                if (inner := action.choices.get(word)) is not None:
                    return deepest(inner, words)
    return parser


def unknown_option(parser: argparse.ArgumentParser, words: Sequence[str]) -> str:
    """The first of the words that looks like an option and is none of these parsers'; "" when all are known."""
    known = _flags(parser)
    for word in words:
        if word == "--":
            break
        name = word.partition("=")[0]
        if _OPTION.fullmatch(name) and name not in known:
            return name
    return ""


def may_be_inner(parser: argparse.ArgumentParser, words: Sequence[str]) -> bool:
    """Whether options that the parser does not know may be those of a hook that no word names."""
    subs = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return any(None in action.choices.values() for action in subs) and deepest(parser, words) is parser


def _flags(parser: argparse.ArgumentParser) -> set[str]:
    found = {flag for action in parser._actions for flag in action.option_strings}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for made in action.choices.values():
                found |= _flags(made) if made is not None else set()  # hooks are made when they are asked for
    return found


def _usage(parser: argparse.ArgumentParser) -> str:
    """The words that a command has, as its first line of help gives them."""
    words = [parser.prog]
    for action in parser._actions:
        if not action.option_strings:
            known = [str(word) for word in action.choices or ()]
            name = "|".join(known) if 0 < len(known) <= _SHOWN else str(action.metavar or action.dest)
            forms = {"?": f"[{name}]", "*": f"[{name} ...]", "+": f"{name} ...", argparse.PARSER: f"{name} ..."}
            words.append(forms.get(str(action.nargs), name))
        elif action.required:
            words.append(f"{action.option_strings[-1]} {action.metavar}")
    return " ".join(words)


def _and(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _missing(parser: argparse.ArgumentParser, found: re.Match[str]) -> str:
    words = [word.rpartition("/")[2] for word in found[1].split(", ")]
    needed = {str(each.metavar or each.dest) for each in parser._actions if each.nargs not in ("?", "*")}
    words = [word for word in words if word in needed or word.startswith("-")] or words
    return f"{_and(words)} {'is' if len(words) == 1 else 'are'} missing, expected `{_usage(parser)}`"


def _too_many(parser: argparse.ArgumentParser, found: re.Match[str]) -> str:
    *words, last = found[1].split(" ")
    first = (words or [last])[0].partition("=")[0]
    if _OPTION.fullmatch(first):
        return f"`{parser.prog}` has no option {first}"
    # the last: behind an option argparse leaves over words that are in their places
    return f"the word {quoted(last)} is one too many, expected `{_usage(parser)}`"


def _value(parser: argparse.ArgumentParser, found: re.Match[str]) -> str:
    flag = found[1].rpartition("/")[2]
    metavars = (str(each.metavar or "a value") for each in parser._actions if flag in each.option_strings)
    return f"{flag} has no value, expected {flag} {next(metavars, 'VALUE')}"


def _no_value(_: argparse.ArgumentParser, found: re.Match[str]) -> str:
    return f"{found[1].rpartition('/')[2]} is {found[2]}, expected no value: it is a switch"


def _not_both(_: argparse.ArgumentParser, found: re.Match[str]) -> str:
    return f"{found[1].rpartition('/')[2]} and {found[2].rpartition('/')[2]} are both given, expected one of them"


def _none(parser: argparse.ArgumentParser, found: re.Match[str]) -> str:
    words = found[1].split(" ")
    return f"none of {_and(words)} is given, expected one of them"


_SAYINGS: tuple[tuple[str, Callable[[argparse.ArgumentParser, re.Match[str]], str]], ...] = (
    (r"the following arguments are required: (.*)", _missing),
    (r"unrecognized arguments: (.*)", _too_many),
    (r"argument (\S+): expected (?:at least )?(?:one|\d+) arguments?", _value),
    (r"argument (\S+): ignored explicit argument (.*)", _no_value),
    (r"argument (\S+): not allowed with argument (\S+)", _not_both),
    (r"one of the arguments (.*) is required", _none),
)
