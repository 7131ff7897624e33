"""Lint's problems as each form of `bpfimg lint --format` has them."""

from __future__ import annotations

from bpfimg._value import replace, value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from bpfimg.cli._options import Options
    from bpfimg.inspect import Problem

__all__ = ["FORMATS", "Looked", "render"]

FORMATS = ("text", "json", "sarif", "markdown", "github", "gitlab", "junit")


@value(frozen=True, slots=True)
class Looked:
    """What was looked at and found, and how it was asked for."""

    found: Sequence[tuple[str, Problem]]
    names: Sequence[str]
    fail_on: str
    disabled: Collection[str]


def render(form: str, looked: Looked, options: Options) -> str:
    """The text of one form, with its last line end."""
    from bpfimg import __version__
    from bpfimg.cli._render import json_text
    from bpfimg.inspect import lint

    found, names = looked.found, looked.names
    match form:
        case "json":
            return f"{json_text(lint.report(found))}\n"
        case "sarif":
            return f"{json_text(lint.sarif(_placed(found, keep=True), names, __version__))}\n"
        case "markdown":
            return lint.markdown(_placed(found, keep=True), names)
        case "github":
            return lint.remarks(_placed(found))
        case "gitlab":
            return f"{json_text(lint.quality(_placed(found)))}\n"
        case "junit":
            return lint.junit(_placed(found, keep=True), names, looked.fail_on, looked.disabled)
    if options.quiet:
        return "".join(f"{problem.rule}\n" for _, problem in found)
    return "".join(_lines(name, problem) for name, problem in found)


def _placed(found: Sequence[tuple[str, Problem]], *, keep: bool = False) -> list[tuple[str, Problem]]:
    """With the names of source files as the repository has them; what it does not have, only if `keep`."""
    from bpfimg.cli._checkout import Checkout

    checkout = Checkout.here()
    placed = []
    for name, problem in found:
        file = checkout.place(problem.file, problem.line, problem.text)
        if file:
            placed.append((name, replace(problem, file=file)))
        elif problem.file and not keep:
            placed.append((name, replace(problem, file="", line=0, column=0)))
        else:
            placed.append((name, problem))
    return placed


def _lines(name: str, problem: Problem) -> str:
    from bpfimg.cli._render import clean

    where = f" ({', '.join(problem.platforms)})" if problem.platforms else ""
    place = f" [{problem.file}:{problem.line}]" if problem.file else ""
    said = clean(f"{name}{where}: {problem.severity} {problem.rule} {problem.name}: {problem.message}{place}")
    hint = f"    hint: {clean(problem.hint)}\n" if problem.hint else ""
    return f"{said}\n{hint}"
