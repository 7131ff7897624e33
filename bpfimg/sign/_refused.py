"""Saying no: one sentence with what was expected, and the reason of each signature that did not count."""

from __future__ import annotations

from bpfimg.errors import VerificationError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

    from bpfimg.oci import Reference
    from bpfimg.sign._attested import Answer
    from bpfimg.sign._judge import Verdict
    from bpfimg.sign._policy._policy import Policy
    from bpfimg.sign._policy._rules import Attested, Authority, Rule

_SHOWN = 200
"""Reasons that are said; strangers choose how many there are."""


def refuse_by_rule(rule: Rule, policy: Policy, reference: Reference) -> NoReturn:
    """Raises because the policy denies whatever it is."""
    if rule.scope is not None:
        raise VerificationError(f"{reference} is not believed: the rule {rule.name} of {policy.origin} denies it")
    raise VerificationError(
        f"{reference} is not believed: {policy.origin} has no rule for it, and its default is to deny",
        hint=f'add to "rules": {{"scope": "{reference.repository}", "requireAny": ["NAME OF AN AUTHORITY"]}}',
    )


def refuse(verdict: Verdict, rule: Rule, policy: Policy, name: str) -> NoReturn:
    """Raises because too few signatures count. An error while reading is never called unsigned."""
    wanted = f"one by {_names(rule.authorities)}"
    if rule.threshold > 1:
        wanted = f"one each by {rule.threshold} of {', '.join(one.name for one in rule.authorities)}"
    asked = f"expected {wanted}{_by(rule, policy)}"
    reasons = _bounded((*verdict.reasons, *verdict.others))
    if verdict.error is not None:
        text = f"{name} is not believed: its signatures could not be read ({verdict.error}), {asked}"
        raise VerificationError(text, reasons=reasons, hint=verdict.error.hint) from verdict.error
    if not verdict.candidates:
        hint = f"whoever builds it can sign it: bpfimg sign --key KEY {name}"
        raise VerificationError(f"{name} is not signed, {asked}", reasons=reasons, hint=hint)
    text = f"{name} is not believed: none of its signatures counts, {asked}"
    if verdict.believed:
        counted = ", ".join(dict.fromkeys(one.authority for one in verdict.believed))
        text = f"{name} is not believed: too few of its signatures count (by {counted}), {asked}"
    raise VerificationError(text, reasons=reasons)


def refuse_attestations(answer: Answer, rule: Rule, policy: Policy, name: str) -> NoReturn:
    """Raises because an attestation is missing."""
    wanted = " and ".join(map(_wanted, answer.missing))
    asked = f"expected {wanted}{_by(rule, policy)}"
    reasons = _bounded(answer.reasons)
    if answer.error is not None:
        text = f"{name} is not believed: its attestations could not be read ({answer.error}), {asked}"
        raise VerificationError(text, reasons=reasons, hint=answer.error.hint) from answer.error
    raise VerificationError(f"{name} is not believed: it lacks an attestation that counts, {asked}", reasons=reasons)


def _wanted(one: Attested) -> str:
    such = f" in which {' and '.join(map(str, one.conditions))}" if one.conditions else ""
    such += f" which says that {one.compatibility}" if one.compatibility is not None else ""
    return f"one of the type {quoted(one.predicate_type)} by {_names(one.authorities)}{such}"


def _names(authorities: Sequence[Authority]) -> str:
    return " or ".join(authority.name for authority in authorities)


def _by(rule: Rule, policy: Policy) -> str:
    return f" (rule {rule.name} of {policy.origin})" if rule.scope is not None else ""


def _bounded(reasons: tuple[str, ...]) -> tuple[str, ...]:
    if len(reasons) <= _SHOWN:
        return reasons
    return (*reasons[:_SHOWN], f"and {len(reasons) - _SHOWN} more")
