"""The trust policy's own language, read strictly; `schemas/policy.schema.json` says the same for other tools.

A policy never means less than it says: what is unknown, dangling, said twice or without effect makes all of it invalid.
"""

from __future__ import annotations

from bpfimg._value import value as frozen
from bpfimg.errors import quoted
from bpfimg.sign._policy._authorities import authorities as read_authorities
from bpfimg.sign._policy._names import DOMAIN, Scope, canonical, is_name
from bpfimg.sign._policy._readers import boolean, digest, one_of, texts
from bpfimg.sign._policy._roots import roots as read_roots
from bpfimg.sign._policy._rules import ALLOW_UNSIGNED, DENY, FORMATS, IDENTITIES, VERIFY, Authority, Rule
from bpfimg.sign._strict import Junk, document, fields, items, string

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bpfimg.sign._policy._files import Files
    from bpfimg.sign._policy._rules import Attested, Root

    Named = Callable[[tuple[str, ...], str], tuple[Authority, ...]]

LIMIT = 1024 * 1024
_ACTIONS = (DENY, ALLOW_UNSIGNED)
_TOP = ("trustedRoots", "authorities", "denyDigests", "localFiles")
_DEMANDS = ("signatureRepository", "attestations", "rollback", "maxSignatureAge")


@frozen(frozen=True, slots=True, eq=False)
class Parsed:
    """What a policy says: its rules, most specific first, the rule where none is, and what they are made of."""

    rules: tuple[Rule, ...]
    default: Rule
    denied: frozenset[str]
    local_files: bool
    authorities: tuple[Authority, ...]
    roots: tuple[Root, ...]


def parse(data: bytes, files: Files) -> Parsed:
    """Returns what the policy in `data` says; `files` reads what it names.

    Raises `Junk`, which names the place, or `PolicyError` for a file that cannot be had.
    """
    top = fields(document(data, limit=LIMIT, what="it"), "it", ("version", "default", "rules"), _TOP)
    if type(top["version"]) is not int or top["version"] != 1:
        raise Junk(f"version is {quoted(top['version'])}, expected 1")
    roots = read_roots(top.get("trustedRoots", {}), files)
    authorities = read_authorities(top.get("authorities", {}), roots, files)
    rules = tuple(
        _rule(value, f"rules[{i}]", authorities) for i, value in enumerate(items(top["rules"], "rules", most=1000))
    )
    _distinct(rules)
    everybody = tuple(authorities.values())
    return Parsed(
        rules=tuple(sorted(rules, key=_order, reverse=True)),
        default=Rule(None, one_of(top["default"], "default", _ACTIONS), everybody),
        denied=frozenset(digest(one, "denyDigests") for one in texts(top.get("denyDigests", []), "denyDigests")),
        local_files=one_of(top.get("localFiles", DENY), "localFiles", _ACTIONS) == ALLOW_UNSIGNED,
        authorities=everybody,
        roots=tuple(roots.values()),
    )


def _rule(value: object, what: str, authorities: Mapping[str, Authority]) -> Rule:
    if type(value) is dict and "action" in value:
        found = fields(value, what, ("scope", "action"))
        action = one_of(found["action"], f"{what}: action", _ACTIONS)
        return Rule(_scope(found["scope"], what), action, tuple(authorities.values()))
    found = fields(value, what, ("scope", "requireAny"), ("threshold", "formats", "identity", *_DEMANDS))
    scope = _scope(found["scope"], what)
    named = _resolver(authorities)
    signers = named(texts(found["requireAny"], f"{what}: requireAny", least=1, most=64), what)
    formats = texts(found.get("formats", list(FORMATS)), f"{what}: formats", least=1)
    for format_ in formats:
        one_of(format_, f"{what}: formats", FORMATS)
    identity, remap = _identity(found.get("identity", IDENTITIES[1]), what, scope)
    rule = Rule(scope, VERIFY, signers, _threshold(found.get("threshold", 1), what, signers), formats, identity, remap)
    return _with_demands(rule, found, what, named) if any(name in found for name in _DEMANDS) else rule


def _with_demands(rule: Rule, found: Mapping[str, object], what: str, named: Named) -> Rule:
    from bpfimg._value import replace
    from bpfimg.sign._policy import _demands

    elsewhere, attested = found.get("signatureRepository"), found.get("attestations", [])
    if "signatureRepository" in found and not is_name(string(elsewhere, f"{what}: signatureRepository")):
        raise Junk(f"{what}: signatureRepository is {quoted(elsewhere)}, expected HOST/PATH")
    attestations: tuple[Attested, ...] = _demands.attestations(attested, what, named)
    return replace(
        rule,
        attestations=attestations,
        rollback=_demands.rollback(found["rollback"], what) if "rollback" in found else None,
        max_age=_demands.max_age(found["maxSignatureAge"], what) if "maxSignatureAge" in found else None,
        signature_repository=canonical(str(elsewhere)) if "signatureRepository" in found else None,
    )


def _resolver(authorities: Mapping[str, Authority]) -> Named:
    def named(names: tuple[str, ...], what: str) -> tuple[Authority, ...]:
        for name in names:
            if name not in authorities:
                raise Junk(f"{what} requires {quoted(name)}, expected the name of one of the authorities")
        return tuple(authorities[name] for name in names)

    return named


def _threshold(value: object, what: str, signers: tuple[Authority, ...]) -> int:
    if type(value) is not int or not 1 <= value <= len(signers):
        raise Junk(f"{what}: threshold is {quoted(value)}, expected 1 to {len(signers)}, the number of authorities")
    return value


def _identity(value: object, what: str, scope: Scope) -> tuple[str, str | None]:
    what = f"{what}: identity"
    if type(value) is not dict:
        return one_of(value, what, IDENTITIES), None
    found = fields(value, what, ("remap",), ("strict",))
    remap, strict = string(found["remap"], f"{what}: remap"), boolean(found.get("strict", False), f"{what}: strict")
    if not is_name(remap, host_only=True):
        raise Junk(f"{what}: remap is {quoted(remap)}, expected HOST or HOST/PATH")
    if scope.kind == DOMAIN:
        raise Junk(f"{what}: remap cannot be used with the scope {quoted(scope.text)}, which has no literal part")
    return IDENTITIES[0 if strict else 1], remap


def _scope(value: object, what: str) -> Scope:
    return Scope.parse(string(value, f"{what}: scope"))


def _order(rule: Rule) -> tuple[int, int]:
    assert rule.scope is not None
    return rule.scope.order


def _distinct(rules: tuple[Rule, ...]) -> None:
    seen: dict[tuple[int, str, str], int] = {}
    for i, rule in enumerate(rules):
        assert rule.scope is not None
        first = seen.setdefault(rule.scope.same, i)
        if first != i:
            raise Junk(f"rules[{first}] and rules[{i}] have the same scope {quoted(rule.scope.text)}")
