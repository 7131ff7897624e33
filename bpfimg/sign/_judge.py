"""The decision, which touches nothing: findings and a rule in, a verdict out."""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.sign._candidate import Candidate
from bpfimg.sign._collect import Other
from bpfimg.sign._policy._independent import independent as matched
from bpfimg.sign._strict import Junk
from bpfimg.sign._whose import signers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from bpfimg.errors import Error
    from bpfimg.sign._believed import Believed
    from bpfimg.sign._collect import Finding
    from bpfimg.sign._whose import Question


@value(frozen=True, slots=True, eq=False)
class Verdict:
    """What came of the findings: who is believed, why others are not, the first error, and how many there were.

    `others` are what was no signature and nothing bad either.
    """

    satisfied: bool
    believed: tuple[Believed, ...] = ()
    reasons: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    error: Error | None = None
    candidates: int = 0


NOTHING = Verdict(satisfied=False)


def weigh(findings: Iterable[Finding], asked: Question, *, thorough: bool, before: Verdict = NOTHING) -> Verdict:
    """Returns the verdict of the rule that is asked about, on what is found and what counted `before`.

    Stops asking for findings as soon as the rule is satisfied, unless `thorough`: evidence only ever adds, so what
    comes later (errors, too) cannot take away.
    """
    believed, reasons, others = list(before.believed), list(before.reasons), list(before.others)
    failed, candidates, satisfied = before.error, before.candidates, before.satisfied
    for finding in findings:
        if isinstance(finding, Candidate):
            candidates += 1
            counted, why = signers(finding, asked.rule.authorities, asked)
            believed += counted
            reasons += why
            satisfied = independent(believed) >= asked.rule.threshold
            if satisfied and not thorough:
                break
        elif isinstance(finding, Other):
            others.append(str(finding))
        elif isinstance(finding, Junk):
            reasons.append(str(finding))
        else:
            failed = failed or finding
            reasons.append(f"a signature could not be read: {finding}")
    return Verdict(satisfied, tuple(believed), tuple(reasons), tuple(others), failed, candidates)


def independent(believed: Iterable[Believed]) -> int:
    """Returns how many authorities can each be given a signer of their own.

    A signer is a key or an identity: one in two authorities counts once, and two of one authority count once.
    """
    signers_of: dict[str, list[str]] = {}
    for one in believed:
        signers_of.setdefault(one.authority, []).append(one.signer)
    return matched(signers_of)
