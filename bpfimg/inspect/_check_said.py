"""The table as CI systems take it: a test case for each program on each kernel, a remark for each thing wrong."""

from __future__ import annotations

from bpfimg.inspect._annotations import Annotation
from bpfimg.inspect._check_model import FAILS, OK, UNKNOWN
from bpfimg.inspect._junit import Case

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from bpfimg.inspect._check_model import Cell, Check, Column, Reason

    Place = Callable[[str, int], str]
    """File and line as BTF names them -> path in the repository, "" where none is surely meant."""


def cases(what: str, check: Check, place: Place = lambda file, line: "") -> tuple[Case, ...]:
    """A case for each program on each kernel; what is not known, and what is not loaded unasked, is skipped."""
    return tuple(_case(what, column, cell, place) for column in check.kernels for cell in column.cells)


def _case(what: str, column: Column, cell: Cell, place: Place) -> Case:
    name = f"{cell.program} on {column.release or column.name}"
    if cell.result == OK:
        return Case(name, what, output=figures(cell))
    worst = next((reason for reason in cell.reasons if reason.effect == cell.result), None)
    words = _words(worst) if worst else cell.result
    if cell.result == UNKNOWN:
        return Case(name, what, skipped=words)
    if cell.optional:
        return Case(name, what, skipped=f"not loaded unasked, and could not be: {words}")
    file, line = _at(worst, place) if worst else ("", 0)
    lines = [*map(_words, cell.reasons)]
    if cell.trial is not None:
        lines += [each for each in (cell.trial.hint, figures(cell), cell.trial.log) if each]
    return Case(name, what, words, worst.kind if worst else "", "\n".join(lines), file=file, line=line)


def figures(cell: Cell) -> str:
    """What the verifier counted, in words; "" where no kernel was asked, or it counted nothing."""
    trial = cell.trial
    if trial is None:
        return ""
    counted = (
        (trial.insns, "instructions verified"),
        (trial.states, "states"),
        (trial.peak_states, "states at once"),
        (trial.stack, "bytes of stack"),
        (trial.size or None, "bytes of code"),
        (trial.jited or None, "bytes of machine code"),
    )
    return ", ".join(f"{number} {words}" for number, words in counted if number is not None)


def remarks(check: Check, place: Place) -> tuple[Annotation, ...]:
    """A remark for each thing that is wrong, once for all kernels on which it is; errors for what counts."""
    found: dict[tuple[str, str, str, str, tuple[str, ...], bool], list[str]] = {}
    firsts: dict[tuple[str, str, str, str, tuple[str, ...], bool], Reason] = {}
    for column in check.kernels:
        for cell in column.cells:
            for reason in cell.reasons:
                if reason.effect in (FAILS, UNKNOWN):
                    subject = "" if reason.kind == "guest" else reason.subject
                    key = (cell.program, reason.effect, reason.kind, subject, reason.places, cell.optional)
                    found.setdefault(key, []).append(column.release or column.name)
                    firsts.setdefault(key, reason)
    items = []
    for key, kernels in found.items():
        program, effect, kind, _, _, optional = key
        level = "notice" if effect == UNKNOWN else "warning" if optional else "error"
        file, line = _at(firsts[key], place)
        message = f"{program} on {', '.join(kernels)}: {_words(firsts[key])}"
        items.append(Annotation(level, message, f"bpfimg check: {kind}", file, line))
    return tuple(items)


def _words(reason: Reason) -> str:
    near = f"; nearest: {reason.nearest}" if reason.nearest else ""
    return f"{title(reason)}: {reason.words}{near}"


def title(reason: Reason) -> str:
    """Kind and subject: "verifier null", "core task_struct.state"."""
    return f"{reason.kind} {reason.subject}".rstrip()


def _at(reason: Reason, place: Place) -> tuple[str, int]:
    """Path and line of the first place that is in the repository."""
    for words in reason.places:
        file, _, number = words.rpartition(":")
        if file and number.isascii() and number.isdigit() and len(number) < 10:
            path = place(file, int(number))
            if path:
                return path, int(number)
    return "", 0
