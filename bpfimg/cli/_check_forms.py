"""What `check` found, as each form of `--format` has it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from bpfimg.cli._options import Options
    from bpfimg.inspect import check

__all__ = ["FORMATS", "document", "render"]

FORMATS = ("text", "json", "markdown", "github", "junit")


def render(form: str, arguments: argparse.Namespace, found: check.Check, options: Options) -> str:
    """The text of one form, with its last line end."""
    from bpfimg.cli._render import json_text
    from bpfimg.inspect import check, forms

    match form:
        case "json":
            return f"{json_text(document(arguments, found))}\n"
        case "markdown":
            return check.markdown(arguments.what, found)
        case "github":
            return forms.remarks(check.remarks(found, _placing()))
        case "junit":
            return forms.junit("bpfimg check", check.cases(arguments.what, found, _placing()))
    if options.quiet:
        return f"{found.worst()}\n"
    return "".join(f"{line}\n" for line in _text(arguments, found, everything=options.verbose))


def document(arguments: argparse.Namespace, found: check.Check) -> dict[str, object]:
    """What `-o json` prints, and an attestation has as its predicate."""
    from bpfimg.cli._object_file import shown
    from bpfimg.inspect import check

    return {"id": shown(arguments.what), **check.report(found)}


def _placing() -> Callable[[str, int], str]:
    from bpfimg.cli._checkout import Checkout

    return Checkout.here().place


def _text(arguments: argparse.Namespace, found: check.Check, *, everything: bool) -> Iterator[str]:
    from bpfimg.cli._render import clean

    yield _table(found)
    for line in _reasons(found, everything=everything):
        yield clean(line)
    if arguments.fields:
        yield "\n" + _fields(found)


def _table(found: check.Check) -> str:
    """Kernels by programs; the other way round when that is narrower than a terminal is wide."""
    from bpfimg.cli._render import table

    programs = [cell.program for cell in found.kernels[0].cells]
    marks = [[_mark(cell) for cell in column.cells] for column in found.kernels]
    kernels = [_kernel(column) for column in found.kernels]
    if sum(len(name) + 2 for name in programs) <= max(80, sum(len(name) + 2 for name in kernels)):
        rows = [(kernel, *cells) for kernel, cells in zip(kernels, marks, strict=True)]
        return table(("KERNEL", *programs), rows)
    rows = [(name, *(cells[at] for cells in marks)) for at, name in enumerate(programs)]
    return table(("PROGRAM", *kernels), rows)


def _kernel(column: check.Column) -> str:
    return f"{column.name} ({column.release})" if column.release not in ("", column.name) else column.name


def _mark(cell: check.Cell) -> str:
    """The result; of a program that was loaded, what that cost the verifier."""
    from bpfimg.inspect import check

    mark = "?" if cell.result == check.UNKNOWN else cell.result
    if cell.trial is not None and cell.trial.loaded and cell.trial.insns is not None:
        mark += f" {cell.trial.insns}"
    return f"({mark})" if cell.optional else mark


def _reasons(found: check.Check, *, everything: bool) -> Iterator[str]:
    """What fails and what is not known, program by program; with `everything` also what does no harm, and figures."""
    from bpfimg.inspect import check

    for column in found.kernels:
        for cell in column.cells:
            told = [r for r in cell.reasons if everything or r.effect in (check.FAILS, check.UNKNOWN)]
            counted = check.figures(cell) if everything else ""
            if told or counted:
                yield ""
                yield f"{column.name}: {cell.program}"
                yield from (f"  {_reason(reason)}" for reason in told)
                if cell.trial is not None and cell.trial.hint:
                    yield f"  {'hint':8}  {cell.trial.hint}"
                if counted:
                    yield f"  {'figures':8}  {counted}"
                if everything and cell.trial is not None:
                    yield from (f"  {'log':8}  {line}" for line in cell.trial.log.splitlines())


def _reason(reason: check.Reason) -> str:
    near = f"; nearest: {reason.nearest}" if reason.nearest else ""
    where = f" ({', '.join(reason.places)})" if reason.places else ""
    subject = f" {reason.subject}" if reason.subject else ""
    return f"{reason.effect:8}  {reason.kind}{subject}: {reason.words}{near}{where}"


def _fields(found: check.Check) -> str:
    from bpfimg.cli._render import table

    rows = [(answer.subject, answer.kind, *(_value(each) for each in answer.answers)) for answer in found.questions]
    kernels = [column.name for column in found.kernels if column.by == "types"]
    return table(("SUBJECT", "ASKED", *kernels), rows)


def _value(answer: tuple[str, int | None]) -> str:
    outcome, number = answer
    return str(number) if outcome == "resolved" and number is not None else outcome
