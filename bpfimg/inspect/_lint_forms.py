"""Lint's problems in the forms that CI systems take, and as Markdown for a job's summary."""

from __future__ import annotations

from bpfimg.inspect._annotations import Annotation
from bpfimg.inspect._junit import Case
from bpfimg.inspect._markdown import code
from bpfimg.inspect._rules import RULES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from bpfimg.inspect._lint_model import Problem

    Found = tuple[str, Problem]

_LEVELS = {"error": "error", "warning": "warning", "note": "notice"}
_ROWS = 200
_SENTENCE = 600


def annotated(found: Iterable[Found]) -> list[Annotation]:
    """One remark for each problem, at its line where that is known."""
    return [
        Annotation(
            _LEVELS[problem.severity],
            sentence(name, problem),
            f"{problem.rule} {problem.name}",
            problem.file,
            problem.line,
            problem.column,
        )
        for name, problem in found
    ]


def cases(
    found: Sequence[Found], subjects: Iterable[str], failing: Collection[str], disabled: Collection[str]
) -> list[Case]:
    """A case for each rule and each thing that was looked at; it failed where a problem is of a severity in `failing`.

    What is less severe is the output of a case that passed.
    """
    made = []
    for subject in dict.fromkeys(subjects):
        for rule in RULES:
            if rule.id in disabled:
                continue
            own = [problem for name, problem in found if name == subject and problem.rule == rule.id]
            severe = [problem for problem in own if problem.severity in failing]
            lines = "\n".join(_line(subject, problem) for problem in own)
            first = next((problem for problem in (*severe, *own) if problem.file), None)
            made.append(
                Case(
                    f"{rule.id} {rule.name}",
                    subject,
                    failure=severe[0].message if severe else "",
                    kind=rule.id,
                    text=lines if severe else "",
                    output="" if severe else lines,
                    file=first.file if first else "",
                    line=first.line if first else 0,
                )
            )
    return made


def markdown(found: Sequence[Found], subjects: Sequence[str]) -> str:
    """A heading, a count, a table of problems; no text of the objects can be more than text in it."""
    counts = {word: sum(problem.severity == word for _, problem in found) for word in _LEVELS}
    said = ", ".join(f"{number} {word}{'s' * (number != 1)}" for word, number in counts.items() if number)
    names = ", ".join(code(name) for name in dict.fromkeys(subjects[:5])) + (" ..." if len(subjects) > 5 else "")
    lines = ["### bpfimg lint", "", f"{names}: **{said or 'no problem'}**", ""]
    if found:
        lines += ["| severity | rule | what | where |", "| --- | --- | --- | --- |"]
        lines += [_row(*each) for each in found[:_ROWS]]
        lines += [f"| | | and {len(found) - _ROWS} more | |"] if len(found) > _ROWS else []
        lines.append("")
    return "\n".join(lines)


def sentence(name: str, problem: Problem) -> str:
    """The message, with what it is about where a line of the source does not show it, and the hint below."""
    where = f" ({', '.join(problem.platforms)})" if problem.platforms else ""
    about = "" if problem.file else f"{name}: "
    return f"{about}{problem.message}{where}" + (f"\nhint: {problem.hint}" if problem.hint else "")


def _line(name: str, problem: Problem) -> str:
    place = f"{problem.file}:{problem.line}: " if problem.file else ""
    return f"{place}{problem.severity}: {sentence(name, problem)}"


def _row(name: str, problem: Problem) -> str:
    place = f"{problem.file}:{problem.line}" if problem.file else name
    what = code(problem.message, _SENTENCE) + (f"<br>{code(problem.hint, _SENTENCE)}" if problem.hint else "")
    return f"| {problem.severity} | {problem.rule} {problem.name} | {what} | {code(place)} |"
