"""What rules and authorities mean, in words for people: one sentence for each demand."""

from __future__ import annotations

from bpfimg.errors import quoted
from bpfimg.sign._policy._names import DOMAIN, PREFIX, TAG
from bpfimg.sign._policy._rules import ALLOW_UNSIGNED, ANY, DENY, FORMATS, IDENTITIES, IGNORE, REQUIRE, TLOG
from bpfimg.sign._rfc3339 import rfc3339

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from bpfimg.sign._policy._names import Scope
    from bpfimg.sign._policy._rules import Authority, Rule

_FORMATS = {"bundle": "Sigstore bundles", "legacy": ".sig tags"}
_EVIDENCE = {REQUIRE: "{} must be there and verify", IGNORE: "{} is not looked at"}
_TIMES = {ANY: "a timestamp authority or a log", TLOG: "a log"}


def demands(rule: Rule) -> tuple[str, ...]:
    """Returns what `rule` asks of an image, the first thing first."""
    if rule.action == DENY:
        return ("nothing is believed",)
    if rule.action == ALLOW_UNSIGNED:
        return ("everything is believed, signed or not",)
    found = [_signers(rule)]
    if set(rule.formats) != set(FORMATS):
        found.append(f"only {_FORMATS[rule.formats[0]]} count")
    found.append(_name(rule))
    for one in rule.attestations:
        wanted = "".join(f", where {condition}" for condition in one.conditions)
        wanted += f", which says that {one.compatibility}" if one.compatibility is not None else ""
        found.append(f"an attestation of the type {one.predicate_type} by {_or(one.authorities)}{wanted}")
    if rule.max_age is not None:
        found.append(f"a signature is at most {duration(rule.max_age)} old, by verified time")
    if rule.rollback is not None:
        least = f", and is at least {rule.rollback.minimum}" if rule.rollback.minimum else ""
        found.append(f"the version ({rule.rollback.annotation}) never goes back on this host{least}")
    if rule.signature_repository is not None:
        found.append(f"signatures are looked for in {rule.signature_repository}")
    return tuple(found)


def _signers(rule: Rule) -> str:
    if rule.threshold == 1:
        return f"signed by {_or(rule.authorities)}"
    names = ", ".join(one.name for one in rule.authorities)
    return f"signed by {rule.threshold} of {names}, each with a key or identity of its own"


def _or(authorities: Iterable[Authority]) -> str:
    return " or ".join(one.name for one in authorities)


def _name(rule: Rule) -> str:
    if rule.identity == IDENTITIES[2]:
        return "signatures for other repositories count, too"
    which = "this repository"
    if rule.remap is not None and rule.scope is not None:
        which = f"the repository with {rule.remap} in place of {rule.scope.literal}"
    if rule.identity == IDENTITIES[0]:
        return f"a signature names {which}"
    return f"a signature that names a repository names {which}"


def described(one: Authority) -> tuple[str, ...]:
    """Returns whose signatures count for an authority, and what must stand beside them."""
    if one.keyless:
        root = one.root.name if one.root else ""
        times = _TIMES.get(one.timestamp, "a timestamp authority")
        who = tuple(f"certificate for {_plain(str(identity))}" for identity in one.identities)
        return (*who, f"checked with the trusted root {root}, at the time that {times} says")
    found = [f"key {key.fingerprint} ({key.kind})" for key in one.keys]
    present = f"{{}} that is there must verify{'' if one.root else ', which it cannot without a trusted root'}"
    for setting, what in ((one.tlog, "a log entry"), (one.timestamp, "a timestamp")):
        found.append(_EVIDENCE.get(setting, present).format(what))
    if one.root is not None:
        found.append(f"checked with the trusted root {one.root.name}")
    if one.not_before is not None:
        found.append(f"signed on {rfc3339(one.not_before)} or later, by verified time")
    if one.not_after is not None:
        found.append(f"signed on {rfc3339(one.not_after)} or earlier, by verified time")
    return tuple(found)


def _plain(text: str, limit: int = 400) -> str:
    """A pattern as its author wrote it, to be compared and copied; `quoted` doubles each backslash."""
    return text if len(text) <= limit and text.isascii() and text.isprintable() else quoted(text, limit)[1:-1]


def fits(scope: Scope) -> str:
    """Returns why a reference is in `scope`."""
    if scope.kind == TAG:
        return "it names this repository and tag"
    if scope.kind == DOMAIN:
        return "it names a domain above the host"
    if scope.kind == PREFIX:
        return "it names a part of the path" if "/" in scope.literal else "it names the host"
    return "it names this repository"


def duration(seconds: int) -> str:
    """Returns a time span in days and hours."""
    days, hours = seconds // 86400, seconds % 86400 // 3600
    parts = [f"{n} {word}{'' if n == 1 else 's'}" for n, word in ((days, "day"), (hours, "hour")) if n]
    return " and ".join(parts)
