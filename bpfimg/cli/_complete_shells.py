"""How shells give what was typed, and how they want what can stand there."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["for_bash", "plain", "split"]

_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./~^-")
#: what bash obeys in double quotes; and what cannot be written within quotes at all (`!` is a word of its history)
_ALIVE, _LOST = frozenset('"\\$`'), {"'": frozenset("'"), '"': frozenset("!")}
#: behind these more is to come, so no blank is put there
_MORE = ("/", "=", ":", ",")


def split(line: str) -> tuple[list[str], str, str]:
    """The words of a line that is cut where the cursor stands, the last as it is meant and as it is written."""
    words: list[str] = []
    meant, raw, quote, begun = "", "", "", False
    letters = iter(line)
    for c in letters:
        if not quote and c in " \t":
            if begun:
                words.append(meant)
            meant, raw, begun = "", "", False
            continue
        raw, begun = raw + c, True
        if c == "\\" and quote != "'":
            following = next(letters, "")
            raw += following
            meant += following if not quote or following in '"\\$`' else c + following
        elif c == quote:
            quote = ""
        elif c in "'\"" and not quote:
            quote = c
        else:
            meant += c
    return words, meant, raw


def for_bash(found: Iterable[tuple[str, str]], raw: str, breaks: str) -> Iterator[str]:
    """Lines for COMPREPLY: what replaces the part of the word behind the last break, with a blank where it is final.

    readline breaks words at COMP_WORDBREAKS (`:` and `=` among them), and looks at the last part alone.
    """
    begin, quote = _last_break(raw, breaks)
    skip = len(split(raw[:begin])[1])
    meant = split(raw)[1]
    for text, _ in found:
        if text.startswith(meant):
            rest = text[skip:]
            if not quote:
                yield _escaped(rest) + ("" if text.endswith(_MORE) else " ")
            elif not _LOST[quote].intersection(rest):
                yield rest if quote == "'" else "".join(f"\\{c}" if c in _ALIVE else c for c in rest)


def _last_break(raw: str, breaks: str) -> tuple[int, str]:
    """Where the part begins that readline looks at, and the quote that is still open, "" for none."""
    begin, quote, i = 0, "", 0
    while i < len(raw):
        c = raw[i]
        if c == "\\" and quote != "'":
            i += 1
        elif c == quote:
            quote = ""
        elif c in "'\"" and not quote:
            quote, begin = c, i + 1
        elif c in breaks and not quote:
            begin = i + 1
        i += 1
    return begin, quote


def _escaped(text: str) -> str:
    return "".join(c if c in _SAFE or not c.isascii() else f"\\{c}" for c in text)


def plain(found: Iterable[tuple[str, str]]) -> Sequence[str]:
    """Lines for zsh and fish: the text, and behind a tab what it is."""
    return [f"{text}\t{what}" if what else text for text, what in found]
