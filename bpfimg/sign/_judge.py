"""The decision, which touches nothing: findings and a rule in, a verdict out."""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.errors import quoted
from bpfimg.sign._candidate import Candidate
from bpfimg.sign._policy._names import claimed
from bpfimg.sign._policy._rules import IDENTITIES, IGNORE
from bpfimg.sign._strict import Junk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from bpfimg.errors import Error
    from bpfimg.sign._collect import Finding
    from bpfimg.sign._policy._rules import Authority, Rule


@value(frozen=True, slots=True)
class Believed:
    """A signature that counts: whose it is by the policy, by which key, in which format, and where it was found."""

    authority: str
    fingerprint: str
    format: str
    where: str


@value(frozen=True, slots=True, eq=False)
class Verdict:
    """What came of the findings: who is believed, why others are not, the first error, and how many there were."""

    satisfied: bool
    believed: tuple[Believed, ...]
    reasons: tuple[str, ...]
    error: Error | None
    candidates: int


def weigh(findings: Iterable[Finding], rule: Rule, repository: str, *, thorough: bool) -> Verdict:
    """Returns the verdict of `rule` on an image in `repository` (canonical).

    Stops asking for findings as soon as the rule is satisfied, unless `thorough`: evidence only ever adds, so what
    comes later (errors, too) cannot take away.
    """
    believed: list[Believed] = []
    reasons: list[str] = []
    failed: Error | None = None
    candidates = 0
    satisfied = False
    for finding in findings:
        if isinstance(finding, Candidate):
            candidates += 1
            signers, why = _judge(finding, rule, repository)
            believed += signers
            reasons += why
            satisfied = independent(believed) >= rule.threshold
            if satisfied and not thorough:
                break
        elif isinstance(finding, Junk):
            reasons.append(str(finding))
        else:
            failed = failed or finding
            reasons.append(f"a signature could not be read: {finding}")
    return Verdict(satisfied, tuple(believed), tuple(reasons), failed, candidates)


def _judge(candidate: Candidate, rule: Rule, repository: str) -> tuple[list[Believed], list[str]]:
    """Returns for which authorities a candidate counts, and why it does not count for others."""
    keys = {key.fingerprint: key for authority in rule.authorities for key in authority.keys}
    fingerprint = next((name for name, key in keys.items() if key.verify(candidate.message, candidate.signature)), "")
    if not fingerprint:
        kind = "a keyless signature, which is not supported by this version" if candidate.keyless else "a signature"
        return [], [f"{candidate.where} holds {kind}, not by a key that the rule names"]
    wrong = _wrong_name(candidate, rule, repository)
    if wrong:
        return [], [f"{candidate.where} is signed by {fingerprint}, but {wrong}"]
    signers, reasons = [], []
    for authority in rule.authorities:
        if any(key.fingerprint == fingerprint for key in authority.keys):
            unchecked = _unchecked(candidate, authority)
            if unchecked:
                reasons.append(f"{candidate.where} is signed by {authority.name}, but {unchecked}")
            else:
                signers.append(Believed(authority.name, fingerprint, candidate.format, candidate.where))
    return signers, reasons


def _wrong_name(candidate: Candidate, rule: Rule, repository: str) -> str:
    """Says what is wrong with the repository that a signature names; "" when nothing is."""
    if rule.identity == IDENTITIES[2]:
        return ""
    wanted = rule.signed_name(repository)
    wrong = ""
    for name in candidate.names:
        if not name:
            if rule.identity != IDENTITIES[0]:
                return ""
            wrong = "it names no repository, which the rule asks for"
            continue
        try:
            if claimed(name) == wanted:
                return ""
            wrong = f"for another repository, {quoted(name)}, expected {wanted}"
        except Junk as junk:
            wrong = str(junk)
    return wrong


def _unchecked(candidate: Candidate, authority: Authority) -> str:
    """Says which evidence a signature carries that cannot be checked and is not to be ignored; "" when none."""
    for there, setting, field, what in (
        (candidate.tlog, authority.tlog, "tlog", "a transparency log entry"),
        (candidate.timestamp, authority.timestamp, "timestamp", "a timestamp"),
    ):
        if there and setting != IGNORE:
            return f'it carries {what}, which cannot be verified without a trusted root (or set "{field}": "ignore")'
    return ""


def independent(believed: Iterable[Believed]) -> int:
    """Returns how many authorities can each be given a key of their own: the size of a largest matching."""
    keys: dict[str, list[str]] = {}
    for signer in believed:
        keys.setdefault(signer.authority, []).append(signer.fingerprint)
    holder: dict[str, str] = {}

    def place(authority: str, tried: set[str]) -> bool:
        for key in keys[authority]:
            if key not in tried:
                tried.add(key)
                if key not in holder or place(holder[key], tried):
                    holder[key] = authority
                    return True
        return False

    return sum(place(authority, set()) for authority in keys)
