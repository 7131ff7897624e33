"""Which rule is for a reference, and why: without the image, and without a network."""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.sign._policy._names import TAG, canonical
from bpfimg.sign._policy._words import fits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.oci import Reference
    from bpfimg.sign._policy._policy import Policy
    from bpfimg.sign._policy._rules import Rule


@value(frozen=True, slots=True, eq=False)
class Explained:
    """The `rule` for a reference and `why` it is the one; `others` are the rules that also match, and why they lose.

    `repository` is the name that scopes are compared with; `denied` says that the digest in the reference is refused
    whatever the rule says.
    """

    reference: Reference
    repository: str
    rule: Rule
    why: str
    others: tuple[tuple[Rule, str], ...]
    denied: bool


def explained(policy: Policy, reference: Reference) -> Explained:
    """Returns what `policy` says of `reference`: the very rule that `verify` would ask."""
    repository = canonical(str(reference.repository))
    tag = reference.tag if reference.digest is None else None
    winner = policy.rule_for(reference)
    others: list[tuple[Rule, str]] = []
    for rule in policy.rules:
        if rule.scope is None or rule is winner:
            continue
        if rule.scope.matches(repository, tag):
            others.append((rule, f"{fits(rule.scope)}, but the rule for {winner.name} is more specific"))
        elif rule.scope.kind == TAG and rule.scope.matches(repository, reference.tag):
            others.append((rule, "a tag beside a digest says nothing: nobody looks at what it stands for"))
    matching = any(rule.scope is not None and rule.scope.matches(repository, tag) for rule, _ in others)
    why = "no rule matches"
    if winner.scope is not None:
        least = "of those that match it is the most specific" if matching else "no other rule matches"
        why = f"{fits(winner.scope)}, and {least}"
    return Explained(
        reference=reference,
        repository=repository,
        rule=winner,
        why=why,
        others=tuple(others),
        denied=reference.digest is not None and str(reference.digest) in policy.denied,
    )
