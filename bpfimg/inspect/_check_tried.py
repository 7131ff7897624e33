"""What kernels that ran said of the programs, as columns of the same table.

Of a kernel that did not survive the question, or gave an answer that is none, every program fails: an object that
brings a kernel down may not count as one that nothing speaks against.
"""

from __future__ import annotations

from bpfimg._value import replace, value
from bpfimg.inspect._check_model import FAILS, OK, UNKNOWN, Cell, Check, Column, Reason, Trial

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpfimg.bytecode import ProgramSpec
    from bpfimg.load import trial

_RESULTS = {"loaded": OK, "refused": FAILS}
VERIFIER = "verifier"


@value(frozen=True, slots=True)
class Asked:
    """A kernel that was asked, and what it said of each program; or the `error` that came of it in place of that.

    `kind` of an error is "guest" for a kernel that did not answer, "object" for an object that cannot be opened there.
    """

    name: str
    release: str
    package: str = ""
    tried: tuple[trial.Tried, ...] = ()
    error: str = ""
    hint: str = ""
    kind: str = "guest"


def tried(
    programs: Sequence[ProgramSpec], byte_order: str, kernels: Sequence[Asked], *, max_insns: int | None = None
) -> Check:
    """The table of these programs, of an object of that byte order, on the kernels that were asked.

    A program that is loaded fails all the same where the verifier went through more than `max_insns` instructions.
    """
    columns = tuple(
        Column(
            asked.name,
            asked.release,
            byte_order,
            0,
            tuple(_cell(program, asked, max_insns) for program in programs),
            VERIFIER,
            asked.package,
        )
        for asked in kernels
    )
    return Check(columns, (), (), max_insns)


def together(*checks: Check) -> Check:
    """Their columns side by side, each with a name of its own."""
    columns: dict[str, Column] = {}
    for column in (column for check in checks for column in check.kernels):
        name, number = column.name, 1
        while name in columns:
            number += 1
            name = f"{column.name} ({column.by if number == 2 else number})"
        columns[name] = column if name == column.name else replace(column, name=name)
    return Check(
        tuple(columns.values()),
        tuple(answer for check in checks for answer in check.questions),
        tuple(answer for check in checks for answer in check.requirements),
        next((check.max_insns for check in checks if check.max_insns is not None), None),
    )


def _cell(program: ProgramSpec, asked: Asked, max_insns: int | None) -> Cell:
    optional = not program.autoload
    found = next((each for each in asked.tried if each.program == program.name), None)
    if found is None:
        words = asked.error or "the kernel said nothing about it"
        reason = Reason(asked.kind, asked.release or asked.name, FAILS, words)
        return Cell(program.name, FAILS, optional, {}, (reason,), Trial(loaded=False, error=words, hint=asked.hint))
    said = _trial(found)
    result = _RESULTS.get(found.result, UNKNOWN)
    reasons: tuple[Reason, ...] = ()
    if result != OK:
        places = (found.source,) if found.source else ()
        reasons = (Reason(found.kind, found.subject, result, found.error, "", places),)
    elif max_insns is not None:
        reasons = _over(said.insns, max_insns)
        result = reasons[0].effect if reasons else OK
    return Cell(program.name, result, optional, {}, reasons, said)


def _over(insns: int | None, most: int) -> tuple[Reason, ...]:
    if insns is None:
        words = "this kernel does not say how many instructions its verifier went through"
        return (Reason("budget", "instructions", UNKNOWN, words),)
    if insns <= most:
        return ()
    words = f"the verifier went through {insns} of them, expected at most {most}"
    return (Reason("budget", "instructions", FAILS, words),)


def _trial(found: trial.Tried) -> Trial:
    return Trial(
        loaded=found.result == "loaded",
        errno=found.errno,
        error=found.error,
        source=found.source,
        hint=found.hint,
        insns=found.insns,
        states=found.states,
        peak_states=found.peak_states,
        stack=found.stack,
        size=found.size,
        jited=found.jited,
        log=found.log,
    )
