"""A command line that is not finished: which word is asked for, and what stands before it."""

from __future__ import annotations

import argparse
import os

from bpfimg._value import field, value
from bpfimg.cli._hooks import Hooks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from bpfimg.cli._options import Options

    Candidates = Iterable[tuple[str, str]]  # what can stand there, and a few words about it

__all__ = ["Line", "Wanted", "read"]


@value(frozen=True, slots=True)
class Line:
    """What stands before the word that is asked for: words by metavar, values by flag (all flags of an option).

    `current` is what is there of the word, or of that part of it that is asked for. `verb` is "run" or "run xdp".
    """

    verb: str
    current: str = ""
    words: Mapping[str, list[str]] = field(default_factory=dict)
    values: Mapping[str, list[str]] = field(default_factory=dict)

    def word(self, metavar: str) -> str:
        """The first word that was given for `metavar`, "" for none."""
        return next(iter(self.words.get(metavar, ())), "")

    def value(self, flag: str) -> str | None:
        """The last value of an option, None where it was not given."""
        return next(reversed(self.values.get(flag, ())), None)

    def options(self) -> Options:
        """The common options in force; raises `UsageError` for what is none."""
        from bpfimg.cli._options import resolve

        named = {flag[2:].replace("-", "_"): given[-1] for flag, given in self.values.items() if flag[:2] == "--"}
        named["store"] = os.path.expanduser(named["store"]) if "store" in named else None  # type: ignore[assignment]
        given = {name: text for name, text in named.items() if text is not None and name not in _SWITCHES}
        return resolve(argparse.Namespace(**given), os.environ, os.geteuid())


_SWITCHES = ("quiet", "verbose", "plain_http", "insecure_skip_tls_verify", "limit")


@value(frozen=True, slots=True)
class Wanted:
    """What is asked for: the value of `action`, or one of `flags`, or both; `before` stands in the same word."""

    line: Line
    action: argparse.Action | None = None
    flags: tuple[tuple[tuple[str, ...], str], ...] = ()
    before: str = ""


class _Reader:
    """Goes through the words as argparse does, but takes what is wrong as it comes."""

    def __init__(self, verb: str, parser: argparse.ArgumentParser) -> None:
        self.verb, self.parser = verb, parser
        self.words: dict[str, list[str]] = {}
        self.values: dict[str, list[str]] = {}
        self.given: set[str] = set()
        self.positionals = iter(parser._get_positional_actions())
        self.place = next(self.positionals, None)
        self.open: argparse.Action | None = None  # the option whose value comes next, or may come
        self.only_words = False

    def take(self, word: str) -> None:
        """One more word that is finished."""
        if self.open is not None and (self.open.nargs is None or not word.startswith("-")):
            self._keep(self.open, word)
            if self.open.nargs not in ("+", "*"):
                self.open = None
            return
        self.open = None
        if word == "--":
            self.only_words = True
        elif word.startswith("-") and len(word) > 1 and not self.only_words:
            self._option(word)
        elif self.place is not None:
            self._word(self.place, word)

    def _option(self, word: str) -> None:
        name, equals, glued = word.partition("=")
        known = self.parser._option_string_actions
        action = known.get(name if word.startswith("--") else word[:2])
        if action is None:
            return
        self.given.update(action.option_strings)
        if action.nargs == 0:
            return
        if not word.startswith("--"):
            equals, glued = word[2:3], word[2:]
        if equals:
            self._keep(action, glued)
        else:
            self.open = action

    def _word(self, place: argparse.Action, word: str) -> None:
        self.words.setdefault(str(place.metavar or place.dest), []).append(word)
        if isinstance(place, argparse._SubParsersAction):
            self._enter(place, word)
        elif place.nargs not in ("*", "+"):
            self.place = next(self.positionals, None)

    def _enter(self, place: argparse._SubParsersAction[argparse.ArgumentParser], word: str) -> None:
        self.place = None
        if word not in place.choices:
            return
        self.parser = place.parser_of(word) if isinstance(place, Hooks) else place.choices[word]
        self.verb = f"{self.verb} {word}"
        self.positionals = iter(self.parser._get_positional_actions())
        self.place = next(self.positionals, None)

    def _keep(self, action: argparse.Action, word: str) -> None:
        for flag in action.option_strings:
            self.values.setdefault(flag, []).append(word)

    def wanted(self, current: str) -> Wanted:
        """What the last word, which is not finished, can be."""
        line = Line(self.verb, current, self.words, self.values)
        if self.open is not None and (self.open.nargs is None or not current.startswith("-")):
            return Wanted(line, self.open)
        if current.startswith("-") and not self.only_words:
            return self._flag(line, current)
        if self.place is not None:
            return Wanted(line, self.place)
        return Wanted(line, None, tuple(self._flags("--")))

    def _flag(self, line: Line, current: str) -> Wanted:
        name, equals, glued = current.partition("=")
        action = self.parser._option_string_actions.get(name)
        if equals and action is not None and action.nargs != 0:
            return Wanted(Line(line.verb, glued, line.words, line.values), action, before=f"{name}=")
        return Wanted(line, None, tuple(self._flags(current[:2])))

    def _flags(self, begin: str) -> Iterator[tuple[tuple[str, ...], str]]:
        for action in self.parser._actions:
            again = isinstance(action, argparse._AppendAction) or action.nargs in ("*", "+")
            if action.help == argparse.SUPPRESS or (not again and self.given.intersection(action.option_strings)):
                continue
            names = tuple(flag for flag in action.option_strings if flag.startswith(begin))
            if names:
                yield names, str(action.help or "")


def read(verb: str, parser: argparse.ArgumentParser, words: Iterable[str], current: str) -> Wanted:
    """What can stand in place of `current`, behind `words` of `verb`."""
    reader = _Reader(verb, parser)
    for word in words:
        reader.take(word)
    return reader.wanted(current)
