"""What a valid policy says that its author may not mean: doors left open, rules that nothing reaches, keys that end.

Nothing here decides: a policy with warnings is the same policy without.
"""

from __future__ import annotations

import re

from bpfimg._value import value
from bpfimg.errors import UsageError
from bpfimg.sign._policy._independent import independent
from bpfimg.sign._policy._names import DOMAIN, PREFIX, TAG, canonical
from bpfimg.sign._policy._rules import (
    ALLOW_UNSIGNED,
    ANY,
    FORMATS,
    IDENTITIES,
    IF_PRESENT,
    IGNORE,
    REQUIRE,
    TLOG,
    TSA,
    VERIFY,
)
from bpfimg.sign._rfc3339 import rfc3339

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.sign._policy._names import Scope
    from bpfimg.sign._policy._patterns import Pattern
    from bpfimg.sign._policy._policy import Policy
    from bpfimg.sign._policy._rules import Authority, Rule

_SOON = 30 * 86400
_BARE_DOT = re.compile(r"(?<=[a-z0-9])\.(?=[a-z])")
_NO_RULE = (
    "images that no rule is for are believed unsigned, also those of a host that has rules, under another of its names"
    " (an address, localhost, a CNAME)"
)
_OLD = "against old images, say rollback or denyDigests, too"
_STRANGE = ("x", "https://stranger.example/x/y@refs/heads/z", "stranger@example.org")


@value(frozen=True, slots=True)
class Advice:
    """Something to look at: `code` is stable, `place` is a rule's scope or a name in the policy."""

    code: str
    place: str
    text: str


def review(policy: Policy, now: float) -> tuple[Advice, ...]:
    """Returns what to look at in `policy`; every trusted root is parsed, and a bad one is a `PolicyError`."""
    for root in policy.roots:
        root.trusted()
    return (
        *_open_doors(policy),
        *(advice for rule in policy.rules for advice in _rule(rule)),
        *_unused(policy),
        *(advice for one in policy.authorities for advice in (*_authority(one), *_times(one, now), *_identities(one))),
        *_mixed_formats(policy),
        *_roots(policy, now),
    )


def _open_doors(policy: Policy) -> Iterator[Advice]:
    if policy.default.action == ALLOW_UNSIGNED:
        yield Advice("insecure-default", "default", _NO_RULE)
    if policy.local_files:
        yield Advice("insecure-local-files", "localFiles", "files that nobody signed are believed")
    for rule in policy.rules:
        if rule.action == ALLOW_UNSIGNED:
            yield Advice("insecure-scope", rule.name, "images here are believed unsigned")


def _rule(rule: Rule) -> Iterator[Advice]:
    if rule.scope is not None:
        why = unreachable(rule.scope)
        if why:
            yield Advice("never-reached", rule.name, why)
    if rule.action != VERIFY:
        return
    if rule.identity == IDENTITIES[2]:
        yield Advice("any-name", rule.name, "a signature for any other repository counts here, too")
    signers = {one.name: [key.fingerprint for key in one.keys] or [f"keyless {one.name}"] for one in rule.authorities}
    if independent(signers) < rule.threshold:
        text = f"{rule.threshold} authorities must sign with a key each, and together they have fewer"
        yield Advice("never-believed", rule.name, text)
    if rule.max_age is not None:
        for one in rule.authorities:
            if not _says_when(one):
                text = f"maxSignatureAge takes a verified time, and signatures of {one.name} have none"
                yield Advice("never-believed", rule.name, text)
            elif one.keys:
                text = (
                    f"whoever can write to the registry can have an old signature of {one.name} stamped again; {_OLD}"
                )
                yield Advice("age-of-key", rule.name, text)


def _unused(policy: Policy) -> Iterator[Advice]:
    rules = [rule for rule in policy.rules if rule.action == VERIFY]
    used = {one.name for rule in rules for one in rule.authorities}
    used |= {one.name for rule in rules for attested in rule.attestations for one in attested.authorities}
    for one in policy.authorities:
        if one.name not in used:
            yield Advice("unused", one.name, "no rule requires this authority")
    roots = {one.root.name for one in policy.authorities if one.root is not None}
    for root in policy.roots:
        if root.name not in roots:
            yield Advice("unused", root.name, "no authority uses this trusted root")


def _authority(one: Authority) -> Iterator[Advice]:
    if one.root is None:
        if IF_PRESENT in (one.tlog, one.timestamp):
            text = (
                "without a trustedRoot, a signature beside which a log entry or timestamp stands does not count (cosign"
                " makes such); give it one, or set tlog and timestamp to ignore"
            )
            yield Advice("evidence-refused", one.name, text)
        return
    found = one.root.trusted()
    needs = {
        "certificate authority": one.keyless and not found.authorities,
        "certificate log": one.keyless and not found.certificate_logs,
        "log": not found.logs and (one.timestamp == TLOG if one.keyless else one.tlog == REQUIRE),
        "timestamp authority": not found.timestamp_authorities and one.timestamp in (TSA, REQUIRE),
        "log or timestamp authority": not found.logs and not found.timestamp_authorities and one.timestamp == ANY,
    }
    if not one.keyless and one.tlog == one.timestamp == IGNORE:
        yield Advice("no-effect", one.name, f"the trusted root {one.root.name} is not used: both kinds are ignored")
    lacks = [what for what, lacking in needs.items() if lacking]
    for what in lacks:
        yield Advice("never-believed", one.name, f"its trusted root {one.root.name} has no {what}, which it needs")
    if not lacks and (one.not_before, one.not_after) != (None, None) and not _says_when(one):
        text = f"its window takes a verified time, which nothing in the trusted root {one.root.name} can give"
        yield Advice("never-believed", one.name, text)


def _says_when(one: Authority) -> bool:
    """Whether anything can say when an authority signed."""
    if one.root is None:
        return False
    found = one.root.trusted()
    if one.keyless:
        return bool((found.logs and one.timestamp != TSA) or (found.timestamp_authorities and one.timestamp != TLOG))
    return bool((found.logs and one.tlog != IGNORE) or (found.timestamp_authorities and one.timestamp != IGNORE))


def _times(one: Authority, now: float) -> Iterator[Advice]:
    if one.not_after is not None and one.not_after < now:
        yield Advice("ended", one.name, f"signatures made after {rfc3339(one.not_after)} do not count")
    elif one.not_after is not None and one.not_after < now + _SOON:
        yield Advice("ends-soon", one.name, f"signatures made after {rfc3339(one.not_after)} will not count")
    if one.not_before is not None and one.not_before > now:
        yield Advice("not-yet", one.name, f"signatures made before {rfc3339(one.not_before)} do not count")


def _identities(one: Authority) -> Iterator[Advice]:
    for identity in one.identities:
        for what, wanted in (("subject", identity.subject), ("issuer", identity.issuer)):
            if isinstance(wanted, str):
                continue
            yield from _pattern(one.name, what, wanted)


def _pattern(name: str, what: str, wanted: Pattern) -> Iterator[Advice]:
    if any(wanted.fullmatch(text) for text in _STRANGE):
        text = f"the {what} pattern {wanted.text!a} fits strangers: anybody is believed, whoever it is"
        yield Advice(f"any-{what}", name, text)
    elif found := _BARE_DOT.search(wanted.text):
        around = wanted.text[max(found.start() - 12, 0) : found.end() + 12]
        text = f"in the {what} pattern, the '.' in {around!a} stands for any character, expected '\\.'"
        yield Advice("loose-pattern", name, text)
    if wanted.text.removesuffix("$").endswith("/") or wanted.text.startswith("@"):
        text = f"the {what} pattern {wanted.text!a} must fit all of a {what}, and looks like a part: add '.*'"
        yield Advice("part-pattern", name, text)


def _mixed_formats(policy: Policy) -> Iterator[Advice]:
    """A rule that takes both formats beside one of the same authority that takes one: which is meant?"""
    rules = [rule for rule in policy.rules if rule.action == VERIFY]
    for rule in rules:
        names = {one.name for one in rule.authorities}
        for other in rules:
            strict = set(other.formats) < set(FORMATS) and not set(rule.formats) <= set(other.formats)
            if strict and names & {one.name for one in other.authorities}:
                shared = min(names & {one.name for one in other.authorities})
                text = f"signatures of {shared} count here in formats that the rule for {other.name} refuses"
                yield Advice("mixed-formats", rule.name, text)
                break


def _roots(policy: Policy, now: float) -> Iterator[Advice]:
    for root in policy.roots:
        found = root.trusted()
        for what, parts in (
            ("certificate authority", found.authorities),
            ("log", found.logs),
            ("certificate log", found.certificate_logs),
            ("timestamp authority", found.timestamp_authorities),
        ):
            if parts and not any(one.window.holds(now) for one in parts):
                yield Advice("ended", root.name, f"no {what} in it is good any more, or yet, for new signatures")
            elif parts and not any(one.window.holds(now + _SOON) for one in parts):
                yield Advice("ends-soon", root.name, f"no {what} in it will be good in 30 days")
        for what in found.unused:
            yield Advice("no-effect", root.name, f"a part of it is of a kind that is not believed: {what}")


def unreachable(scope: Scope) -> str:
    """Returns why no reference can be in `scope`; "" where one can."""
    from bpfimg.oci import Reference

    if scope.kind == DOMAIN:
        sample = f"sample{scope.literal}/sample/sample"
        if scope.literal == ".docker.io":
            return "all names of Docker Hub are docker.io here, expected the scope docker.io"
    else:
        sample = f"{scope.literal}/sample/sample" if scope.kind == PREFIX else scope.literal
    text = f"{sample}:{scope.tag}" if scope.kind == TAG else sample
    try:
        found = Reference.parse(text)
    except UsageError as error:
        return f"no reference can be in it: {error}"
    repository = canonical(str(found.repository))
    if not scope.matches(repository, found.tag):
        return f"{sample} means {repository}, expected a scope that begins with a registry's host"
    return ""
