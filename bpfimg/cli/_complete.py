"""`bpfimg complete`: what can stand where the cursor is; the shells ask, people do not.

Never an error and never a word on stderr, whatever was typed; nothing is changed, and nobody asks a registry.
"""

from __future__ import annotations

import os
import sys
from _signal import alarm  # type: ignore[import-not-found,unused-ignore]

from bpfimg import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bpfimg.cli._complete_line import Wanted

__all__ = ["candidates", "run"]

_SECONDS = 20  # then it ends: what is looked at may be a disk that does not answer
_MOST = 2000  # candidates; more than a screen shows is more than anybody reads
_ABOUT = 72  # letters of what is said of one


def run(words: Sequence[str]) -> int:
    """Answers `bash LINE BREAKS`, `zsh WORDS... LAST` or `fish WORDS... LAST`, one candidate a line."""
    from bpfimg.cli import _complete_shells as shells

    shell, *rest = words or ("",)
    alarm(_SECONDS)
    sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  # until the end of the process
    if shell == "bash" and len(rest) == 2:
        typed, last, raw = shells.split(rest[0])
        lines: Iterable[str] = shells.for_bash(_bounded(typed[1:], last), raw, rest[1])
    elif shell in ("zsh", "fish") and rest:
        lines = shells.plain(_bounded(rest[:-1], rest[-1]))
    else:
        return 0
    print("".join(f"{line}\n" for line in dict.fromkeys(lines)), end="")
    return 0


def _bounded(typed: Sequence[str], last: str) -> list[tuple[str, str]]:
    from itertools import islice

    from bpfimg.cli._render import clean

    found: list[tuple[str, str]] = []
    try:
        for text, what in islice(candidates(typed, last), _MOST):
            if text.isprintable():
                found.append((text, _short(clean(what))))
    except (errors.Error, OSError, ValueError, LookupError, RecursionError):
        pass  # what was found until then
    return found


def _short(what: str) -> str:
    """The first sentence, or as much as there is room for."""
    what = what.partition("; ")[0]
    return what if len(what) <= _ABOUT else f"{what[: _ABOUT - 1]}…"


def candidates(typed: Sequence[str], last: str) -> Iterator[tuple[str, str]]:
    """What can stand in place of `last`, and what that is; `typed` are the words before, without `bpfimg`."""
    from bpfimg.cli._main import VERBS
    from bpfimg.cli._options import takes_value

    i = 0
    while i < len(typed) and typed[i].startswith("-"):
        i += 2 if takes_value(typed[i]) else 1
    leading, rest = list(typed[:i]), list(typed[i:])
    if not rest:
        yield from _first(leading, last)
        return
    verb, *rest = rest
    if verb == "help":
        yield from _helped(rest)
        return
    if verb in VERBS:
        from bpfimg.cli._complete_line import read
        from bpfimg.cli._parser import parser_of

        yield from _answers(read(verb, parser_of(verb)[0], leading + rest, last))


def _first(leading: Sequence[str], last: str) -> Iterator[tuple[str, str]]:
    """Before the verb: a verb, or one of the common options or its value."""
    from bpfimg.cli._main import VERBS
    from bpfimg.cli._options import takes_value

    if last.startswith("-") or (leading and takes_value(leading[-1])):
        from bpfimg.cli._complete_line import read
        from bpfimg.cli._options import add_common
        from bpfimg.cli._parser import Parser

        parser = Parser(prog="bpfimg")
        parser.add_argument("--version", action="store_true", help="show the version")
        add_common(parser)
        wanted = read("", parser, leading, last)
        if wanted.action is not None or last.startswith("-"):
            yield from _answers(wanted)
            return
    yield from ((verb, line) for verb, (_, line) in VERBS.items())
    yield "help", "explain a verb"


def _helped(rest: Sequence[str]) -> Iterator[tuple[str, str]]:
    """`help VERB`, and what there is in place of HOOK or ACTION."""
    from bpfimg.cli._main import VERBS

    if not rest:
        yield from ((verb, line) for verb, (_, line) in VERBS.items())
    elif len(rest) == 1 and rest[0] in VERBS:
        from bpfimg.cli._described import described

        for sub in described(rest[0]).subs:
            yield sub.name.partition(" ")[2], sub.line


def _answers(wanted: Wanted) -> Iterator[tuple[str, str]]:
    for names, said in wanted.flags:
        what = said.replace("%%", "%")
        yield from ((name, what) for name in names)
    if wanted.action is not None:
        from bpfimg.cli._complete_table import values

        for text, what in values(wanted.line, wanted.action):
            # a file may be called like an option, which is not what its name asks for
            if not text.startswith("-") or wanted.line.current.startswith("-"):
                yield f"{wanted.before}{text}", what
