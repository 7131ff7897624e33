"""Remarks at lines of the source, as GitHub's runner and GitLab's merge requests take them."""

from __future__ import annotations

from bpfimg._value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LEVELS = ("error", "warning", "notice")
#: how many of each level GitHub shows of one step; more are dropped without a word
SHOWN = 10
_LONG = 4096


@value(frozen=True, slots=True)
class Annotation:
    """One remark.

    level   error, warning or notice
    message what is to be said; may have lines
    title   its headline: "BL011 no-license"
    file    path from the top of the repository, "" where no file of it is meant
    line, column   from 1; 0 where unknown
    """

    level: str
    message: str
    title: str = ""
    file: str = ""
    line: int = 0
    column: int = 0


def remarks(items: Sequence[Annotation]) -> str:
    """Workflow commands for the runner's log, the errors first, of each level as many as GitHub shows.

    What is beyond that is one line without a place, which says how many there are. No text of a remark can be a
    command of its own.
    """
    lines = []
    for level in LEVELS:
        found = [each for each in items if each.level == level]
        kept = found if len(found) <= SHOWN else found[: SHOWN - 1]
        lines += [_command(each) for each in kept]
        if len(found) > len(kept):
            more = f"{len(found) - len(kept)} more like these are in the summary and in the report files"
            lines.append(_command(Annotation(level, more, "bpfimg")))
    return "".join(f"{line}\n" for line in lines)


def _command(each: Annotation) -> str:
    words: dict[str, str] = {}
    if each.file:
        words["file"] = each.file
        if each.line:
            words["line"] = str(each.line)
            if each.column:
                words["col"] = str(each.column)
    if each.title:
        words["title"] = each.title
    said = ",".join(f"{key}={_property(text)}" for key, text in words.items())
    return f"::{each.level}{' ' if said else ''}{said}::{_message(each.message)}"


def _message(text: str) -> str:
    """As the toolkit's `escapeData`; other control characters made visible."""
    text = text if len(text) <= _LONG else f"{text[:_LONG]}..."
    text = "".join(c if c.isprintable() or c in "\r\n" else c.encode("unicode_escape").decode("ascii") for c in text)
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """As the toolkit's `escapeProperty`."""
    return _message(text).replace(":", "%3A").replace(",", "%2C")


def quality(items: Iterable[tuple[Annotation, str, str]]) -> list[dict[str, object]]:
    """GitLab's code quality report: remarks with the name of their rule and a fingerprint that no other one has.

    A remark without a file is left out: GitLab has no place to show it.
    """
    severities = {"error": "critical", "warning": "major", "notice": "info"}
    return [
        {
            "description": each.message,
            "check_name": rule,
            "fingerprint": key,
            "severity": severities[each.level],
            "location": {"path": each.file, "lines": {"begin": each.line or 1}},
        }
        for each, rule, key in items
        if each.file
    ]
