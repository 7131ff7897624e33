"""One verb's parser: built when the verb is asked for, and only that one."""

from __future__ import annotations

import argparse
import os
import sys

from bpfimg.cli._options import add_common, resolve
from bpfimg.errors import UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType
    from typing import NoReturn

    from bpfimg.cli._options import Options

__all__ = ["Parser", "chosen_format", "key_values", "note", "parse", "parser_of", "tell", "warn"]


# For each of its own words argparse asks gettext, which imports locale and looks for files of translations in vain:
# a millisecond of every command. Ours are not translated either.
argparse._ = str  # type: ignore[attr-defined]
argparse.ngettext = lambda one, many, count: one if count == 1 else many  # type: ignore[attr-defined]


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Help at the terminal's width. argparse makes a formatter for every option, only to check its metavar, and
    each would import shutil (with bz2 and lzma) to ask how wide the terminal is."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30, width=_width())

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        """Paragraphs at the terminal's width; lines that begin with a blank, and headings, stay as they are."""
        from itertools import groupby
        from textwrap import fill

        def kept(line: str) -> bool:
            return not line or line.startswith(" ") or line.endswith(":")

        pieces: list[str] = []
        for keep, lines in groupby(text.splitlines(), key=kept):
            paragraph = list(lines)
            if not keep:
                paragraph = [fill(" ".join(paragraph), width, break_on_hyphens=False, break_long_words=False)]
            pieces += paragraph
        return "\n".join(pieces)


def _width() -> int:
    columns = os.environ.get("COLUMNS", "")
    if columns.isascii() and columns.isdigit():
        return max(int(columns) - 2, 40)
    try:
        return max(min(os.get_terminal_size(sys.__stdout__.fileno()).columns - 2, 118), 40)  # type: ignore[union-attr]
    except (OSError, ValueError, AttributeError):
        return 98


class Parser(argparse.ArgumentParser):
    """argparse, with errors as `UsageError`, no abbreviations, and help that keeps its line breaks."""

    def __init__(self, **settings: object) -> None:
        settings.setdefault("allow_abbrev", False)
        settings.setdefault("formatter_class", _Formatter)
        super().__init__(**settings)  # type: ignore[arg-type]

    def error(self, message: str) -> NoReturn:
        """Raises `UsageError` where argparse would exit."""
        from bpfimg.cli._misused import sentence

        raise UsageError(sentence(self, message), hint=f"`{self.prog} --help` shows the words and options")

    def _check_value(self, action: argparse.Action, value: object) -> None:
        """A word of many, such as HOOK, is answered with those near it; argparse would list them all."""
        if action.choices is None or value in action.choices:
            return
        from difflib import get_close_matches

        words = [str(word) for word in action.choices]
        what = "/".join(action.option_strings) or str(action.metavar or action.dest)
        near = get_close_matches(str(value), words, n=3)
        listed = f"`{self.prog} --help` lists them"
        expected = f"one of {', '.join(words)}" if len(words) <= 6 else f"one of {len(words)} words"
        raise UsageError(
            f"{what} is {quoted(str(value))}, expected {expected}",
            hint=f"near it: {', '.join(near)}; {listed}" if near else listed,
        )


def parse(verb: str, line: str, module: ModuleType, words: list[str]) -> tuple[argparse.Namespace, Options]:
    """Parses the words of `verb`; `module.add(parser)` says which there are, `module.EPILOG` gives examples.

    Raises `UsageError`; `--help` prints and ends the process through `SystemExit`, as argparse does.
    """
    arguments = _parsed(_made(verb, line, module), words)
    options = resolve(arguments, os.environ, os.geteuid())
    return arguments, options


def parser_of(verb: str) -> tuple[Parser, str]:
    """The parser of one of `_main.VERBS`, and its line there."""
    from bpfimg.cli._main import VERBS, module_of

    line = VERBS[verb][1]
    return _made(verb, line, module_of(verb)), line


def _made(verb: str, line: str, module: ModuleType) -> Parser:
    parser = Parser(prog=f"bpfimg {verb}", description=f"{line[0].upper()}{line[1:]}.", epilog=module.EPILOG)
    module.add(parser)
    add_common(parser)
    return parser


def _parsed(parser: Parser, words: list[str]) -> argparse.Namespace:
    """The words, with options between them where people put them: `copy SRC --flatten DST`."""
    try:
        return parser.parse_args(words)
    except UsageError as error:
        # argparse gives a word that may be missing its value, none, at the first option
        try:
            return parser.parse_intermixed_args(words)
        except (UsageError, TypeError):  # TypeError: not for verbs with a HOOK
            raise _explained(parser, words, error) from None


def _explained(parser: Parser, words: list[str], error: UsageError) -> UsageError:
    """The error, or, where an option is none of the verb's, that: what else is wrong may follow from it."""
    from bpfimg.cli._misused import deepest, may_be_inner, unknown_option
    from bpfimg.cli._near import near_option

    unknown = unknown_option(parser, words)
    if not unknown or may_be_inner(parser, words):
        error.hint = near_option(parser, words) or error.hint
        return error
    prog = deepest(parser, words).prog
    hint = near_option(parser, words) or f"`{prog} --help` shows the words and options"
    return UsageError(f"`{prog}` has no option {unknown}", hint=hint)


def key_values(words: list[str] | None, what: str) -> dict[str, str]:
    """`["A=1", "B=x=y"]` as a dict; `what` names the option in the `UsageError` for a word without `=`."""
    pairs: dict[str, str] = {}
    for word in words or []:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise UsageError(f"{what} is {word!r}, expected NAME=VALUE")
        if key in pairs:
            raise UsageError(f"{what} gives {key!r} twice, expected one value")
        pairs[key] = value
    return pairs


def chosen_format(given: str | None, options: Options, formats: Sequence[str]) -> str:
    """What `--format` asks for, else `-o`; UsageError for what is none of `formats`."""
    form = given or options.output
    if form not in formats:
        raise UsageError(f"--format is {form!r}, expected {', '.join(formats)}")
    return form


def note(options: Options, text: str) -> None:
    """Says on stderr what is being done, where `-v` asks for it."""
    if options.verbose:
        _say(text)


def tell(options: Options, text: str) -> None:
    """Says on stderr what a person may like to know, unless `-q` asks for silence."""
    if not options.quiet:
        _say(text)


def warn(text: str) -> None:
    """Says on stderr what a person should know although the command goes on."""
    from bpfimg.cli._colour import paint

    _say(text, paint("warning:", "warn", sys.stderr) + " ")


def _say(text: str, word: str = "") -> None:
    from bpfimg.cli._render import clean

    sys.stderr.write(f"bpfimg: {word}{clean(text)}\n")  # in one piece: several threads may have something to say
