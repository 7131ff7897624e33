"""The table as JSON (schemas/check.schema.json) and as GitHub's Markdown."""

from __future__ import annotations

from bpfimg.inspect._check_model import FAILS, OK, UNKNOWN
from bpfimg.inspect._markdown import code

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.inspect._check_model import Answer, Cell, Check, Column, Reason, Trial

_MARKS = {OK: "ok", FAILS: "**fails**", UNKNOWN: "?"}
_REASONS = 200


def report(check: Check) -> dict[str, object]:
    """The document without what was looked at: kernels, questions, requirements."""
    names = [column.name for column in check.kernels if column.by == "types"]
    return {
        "result": check.worst(),
        "max_insns": check.max_insns,
        "kernels": [_column(column) for column in check.kernels],
        "relocations": [_question(answer, names) for answer in check.questions],
        "requirements": [_requirement(answer, names) for answer in check.requirements],
    }


def _column(column: Column) -> dict[str, object]:
    return {
        "id": column.name,
        "release": column.release or None,
        "byte_order": column.byte_order,
        "modules": column.modules,
        "by": column.by,
        "package": column.package or None,
        "programs": [_cell(cell) for cell in column.cells],
    }


def _cell(cell: Cell) -> dict[str, object]:
    outcomes = ("resolved", "absent", "unresolved", "refused")
    return {
        "id": cell.program,
        "result": cell.result,
        "optional": cell.optional,
        "relocations": {outcome: cell.relocations.get(outcome, 0) for outcome in outcomes},
        "reasons": [_reason(reason) for reason in cell.reasons],
        "trial": None if cell.trial is None else _trial(cell.trial),
    }


def _trial(trial: Trial) -> dict[str, object]:
    return {
        "loaded": trial.loaded,
        "errno": trial.errno or None,
        "hint": trial.hint or None,
        "insns": trial.insns,
        "states": trial.states,
        "peak_states": trial.peak_states,
        "stack": trial.stack,
        "size": trial.size or None,
        "jited": trial.jited or None,
        "log": trial.log or None,
    }


def _reason(reason: Reason) -> dict[str, object]:
    return {
        "kind": reason.kind,
        "subject": reason.subject,
        "effect": reason.effect,
        "words": reason.words,
        "nearest": reason.nearest or None,
        "places": list(reason.places),
    }


def _question(answer: Answer, names: list[str]) -> dict[str, object]:
    answers = zip(names, answer.answers, strict=True)
    return {
        "id": f"{answer.kind} {answer.subject}",
        "kind": answer.kind,
        "subject": answer.subject,
        "words": answer.words,
        "programs": list(answer.programs),
        "optional": answer.optional,
        "kernels": {name: {"outcome": outcome, "value": _exact(number)} for name, (outcome, number) in answers},
    }


def _exact(number: int | None) -> int | str | None:
    """What every JSON reader keeps exactly, and larger numbers as text (RFC 7493, 2.2)."""
    return number if number is None or number < 1 << 53 else str(number)


def _requirement(answer: Answer, names: list[str]) -> dict[str, object]:
    return {
        "id": f"{answer.kind} {answer.subject}",
        "kind": answer.kind,
        "name": answer.subject,
        "since": answer.since,
        "programs": list(answer.programs),
        "optional": answer.optional,
        "kernels": {name: known for name, (known, _) in zip(names, answer.answers, strict=True)},
    }


def markdown(what: str, check: Check) -> str:
    """A heading, the table of kernels and programs, and the reasons below it."""
    programs = [cell.program for cell in check.kernels[0].cells] if check.kernels else []
    lines = ["### bpfimg check", "", f"{code(what)}: {_verdict(check)}", ""]
    lines += ["| kernel | " + " | ".join(code(name) for name in programs) + " |"]
    lines += ["| --- |" + " --- |" * len(programs)]
    for column in check.kernels:
        head = code(column.name) + (f" ({code(column.release)})" if column.release not in ("", column.name) else "")
        lines.append(f"| {head} | " + " | ".join(_mark(cell) for cell in column.cells) + " |")
    rows = list(_rows(check))
    if rows:
        lines += ["", "| kernel | program | what | why |", "| --- | --- | --- | --- |", *rows[:_REASONS]]
        lines += [f"| | | | and {len(rows) - _REASONS} more |"] if len(rows) > _REASONS else []
    return "\n".join(lines) + "\n"


def _rows(check: Check) -> Iterator[str]:
    for column in check.kernels:
        for cell in column.cells:
            for reason in cell.reasons:
                if reason.effect in (FAILS, UNKNOWN):
                    near = f"; nearest: {code(reason.nearest)}" if reason.nearest else ""
                    where = f" ({', '.join(code(place) for place in reason.places)})" if reason.places else ""
                    subject = f" {code(reason.subject)}" if reason.subject else ""
                    what = f"{_MARKS[reason.effect]} {reason.kind}{subject}"
                    yield f"| {code(column.name)} | {code(cell.program)} | {what} | {code(reason.words)}{near}{where} |"


def _mark(cell: Cell) -> str:
    """The result; of a program that was loaded, what that cost the verifier."""
    cost = cell.trial.insns if cell.trial is not None and cell.trial.loaded else None
    return _MARKS[cell.result] + (f", {cost} insns" if cost is not None else "")


def _verdict(check: Check) -> str:
    asked = all(column.by == "verifier" for column in check.kernels)
    words = {
        OK: "**all programs load**" if asked else "**nothing speaks against it**",
        UNKNOWN: "**not all can be known**",
        FAILS: "**some programs cannot be loaded**",
    }
    return words[check.worst()]
