"""Pages in roff, with the macros of man(7): pure text, read by groff and mandoc alike."""

from __future__ import annotations

import re
from textwrap import wrap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bpfimg.cli._described import Argument, Paragraph

__all__ = ["bold", "entry", "escaped", "filled", "kept", "options", "paragraphs", "section", "slanted", "title"]

_WIDTH = 78
#: what roff would read as its own, or show as another letter than the one that was meant
_LETTERS = {
    "\\": "\\e",
    "-": "\\-",
    "'": "\\(aq",
    "`": "\\(ga",
    "^": "\\(ha",
    "~": "\\(ti",
    '"': "\\(dq",
}


def escaped(text: str) -> str:
    """`text` as roff shows it letter by letter; what is not ASCII goes by its number."""
    return "".join(_LETTERS.get(c, c if c.isascii() else f"\\[u{ord(c):04X}]") for c in text)


def bold(text: str) -> str:
    """What is typed as it is."""
    return f"\\fB{escaped(text)}\\fR"


def slanted(text: str) -> str:
    """What stands for something else."""
    return f"\\fI{escaped(text)}\\fR"


def title(name: str, date: str, source: str) -> str:
    """The first lines of a page of section 1; words are not broken, so that they can be searched and copied."""
    shown = (escaped(name.upper()), "1", date, escaped(source), "User Commands")
    return "\n".join([".TH " + " ".join(f'"{word}"' for word in shown), ".nh", ".ad l"])


def section(heading: str, *, small: bool = False) -> str:
    """A heading, or one below a heading."""
    return f'.{"SS" if small else "SH"} "{escaped(heading)}"'


def filled(text: str) -> str:
    """Running text: what stands between backquotes, and options, is bold."""
    lines = wrap(" ".join(text.split()), _WIDTH, break_long_words=False, break_on_hyphens=False)
    whole = re.sub(r"`([^`]+)`|(?<![\w`/-])(--[a-z][a-z-]*[a-z]|-[a-zA-Z])(?![\w-])", _typed, "\n".join(lines))
    pieces = re.split("(\0B.*?\0R)", whole, flags=re.S)
    return "\n".join(_line(line) for line in "".join(map(_marked, pieces)).split("\n"))


def _typed(found: re.Match[str]) -> str:
    return f"\0B{found[1] or found[2]}\0R"


def _marked(piece: str) -> str:
    if piece.startswith("\0B"):
        return f"\\fB{escaped(piece[2:-2])}\\fR"
    return escaped(piece)


def _line(line: str) -> str:
    """A point at the beginning would be a request, a blank a new line."""
    return f"\\&{line}" if line.startswith((".", " ")) else line


def kept(text: str) -> str:
    """Lines that stay as they are, in letters of one width."""
    lines = [_line(escaped(line)) if line.startswith(".") else escaped(line) for line in text.split("\n")]
    return "\n".join([".EX", *lines, ".EE"])


def paragraphs(some: Iterable[Paragraph]) -> Iterator[str]:
    """Text and tables as the help has them."""
    for each in some:
        yield ".PP"
        yield kept(each.text) if each.kept else filled(each.text)


def entry(term: str, text: str) -> str:
    """A term (roff already) and what is said of it."""
    return f".TP\n{term}\n{filled(text) if text else '.'}"


def options(arguments: Iterable[Argument]) -> Iterator[str]:
    """One entry for each word or option."""
    for each in arguments:
        behind = f" {slanted(each.metavar)}" if each.metavar else ""
        term = ", ".join(f"{bold(flag)}{behind}" for flag in each.flags) or slanted(each.metavar)
        yield entry(term, each.help + (" (required)" if each.required and each.flags else ""))
