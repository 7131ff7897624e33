"""The trust policy's own language, read strictly; `schemas/policy.schema.json` says the same for other tools.

What the language has and this version cannot enforce is refused by name: a policy never means less than it says.
"""

from __future__ import annotations

import re

from bpfimg._json import json_kind
from bpfimg.errors import KeyFileError, quoted
from bpfimg.sign._keys._public import PublicKey
from bpfimg.sign._policy._names import DOMAIN, Scope, is_name
from bpfimg.sign._policy._rules import (
    ALLOW_UNSIGNED,
    DENY,
    FORMATS,
    IDENTITIES,
    IF_PRESENT,
    IGNORE,
    VERIFY,
    Authority,
    Rule,
)
from bpfimg.sign._strict import Junk, document, fields, string

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LIMIT = 1024 * 1024
_NAME = re.compile(r"[a-z0-9-]{1,63}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_ACTIONS = (DENY, ALLOW_UNSIGNED)
_KEY_LATER = ("trustedRoot", "notBefore", "notAfter")
_RULE_LATER = ("signatureRepository", "attestations", "rollback", "maxSignatureAge")


def parse(data: bytes, read_key: Callable[[str], bytes]) -> tuple[tuple[Rule, ...], Rule, frozenset[str]]:
    """Returns the rules (most specific first), the default rule and the denied digests of the policy in `data`.

    `read_key` returns the content of a key file, given its absolute path. Raises `Junk`, which names the place.
    """
    top = fields(
        document(data, limit=LIMIT, what="it"),
        "it",
        ("version", "default", "rules"),
        ("trustedRoots", "authorities", "denyDigests"),
    )
    if type(top["version"]) is not int or top["version"] != 1:
        raise Junk(f"version is {quoted(top['version'])}, expected 1")
    _later(top, "it", ("trustedRoots",))
    named = _object(top.get("authorities", {}), "authorities")
    authorities = {name: _authority(name, value, read_key) for name, value in named.items()}
    rules = tuple(
        _rule(value, f"rules[{i}]", authorities) for i, value in enumerate(_list(top["rules"], "rules", most=1000))
    )
    _distinct(rules)
    default = Rule(None, _one_of(top["default"], "default", _ACTIONS), tuple(authorities.values()))
    denied = frozenset(_digest(value) for value in _set(top.get("denyDigests", []), "denyDigests"))
    return tuple(sorted(rules, key=_order, reverse=True)), default, denied


def _authority(name: str, value: object, read_key: Callable[[str], bytes]) -> Authority:
    what = f"authority {quoted(name)}"
    if not _NAME.fullmatch(name):
        raise Junk(f"{what} is not a name, expected 1 to 63 of a-z, 0-9 and '-'")
    if type(value) is dict and value.get("type") == "keyless":
        raise Junk(f"{what} is keyless, which is not supported by this version, expected the type 'key'")
    found = fields(value, what, ("type",), ("keyPaths", "keyData", "tlog", "timestamp", *_KEY_LATER))
    _one_of(found["type"], f"{what}: type", ("key",))
    _later(found, what, _KEY_LATER)
    if ("keyPaths" in found) == ("keyData" in found):
        raise Junk(f"{what} has both or neither of keyPaths and keyData, expected one of them")
    evidence = {}
    for field in ("tlog", "timestamp"):
        evidence[field] = _one_of(found.get(field, IF_PRESENT), f"{what}: {field}", (IF_PRESENT, IGNORE, "require"))
        if evidence[field] == "require":
            raise Junk(f"{what}: {field} 'require' is not supported by this version")
    return Authority(name, _keys(found, what, read_key), tlog=evidence["tlog"], timestamp=evidence["timestamp"])


def _keys(found: Mapping[str, object], what: str, read_key: Callable[[str], bytes]) -> tuple[PublicKey, ...]:
    field = "keyPaths" if "keyPaths" in found else "keyData"
    keys = []
    for i, text in enumerate(_set(found[field], f"{what}: {field}", least=1, most=16)):
        where = f"{what}: {field}[{i}]"
        if field == "keyPaths" and not text.startswith("/"):
            raise Junk(f"{where} is {quoted(text)}, expected an absolute path")
        try:
            keys.append(PublicKey.load(read_key(text) if field == "keyPaths" else text.encode("ascii", "replace")))
        except KeyFileError as error:
            raise Junk(f"{where}{f' ({text})' if field == 'keyPaths' else ''}: {error}") from error
    return tuple(keys)


def _rule(value: object, what: str, authorities: Mapping[str, Authority]) -> Rule:
    if type(value) is dict and "action" in value:
        found = fields(value, what, ("scope", "action"))
        action = _one_of(found["action"], f"{what}: action", _ACTIONS)
        return Rule(_scope(found["scope"], what), action, tuple(authorities.values()))
    found = fields(
        value,
        what,
        ("scope", "requireAny"),
        ("threshold", "formats", "identity", *_RULE_LATER),
    )
    _later(found, what, _RULE_LATER)
    scope = _scope(found["scope"], what)
    names = _set(found["requireAny"], f"{what}: requireAny", least=1, most=64)
    for name in names:
        if name not in authorities:
            raise Junk(f"{what} requires {quoted(name)}, expected the name of one of the authorities")
    threshold = found.get("threshold", 1)
    if type(threshold) is not int or not 1 <= threshold <= len(names):
        raise Junk(f"{what}: threshold is {quoted(threshold)}, expected 1 to {len(names)}, the number of authorities")
    formats = _set(found.get("formats", list(FORMATS)), f"{what}: formats", least=1)
    for format_ in formats:
        _one_of(format_, f"{what}: formats", FORMATS)
    identity, remap = _identity(found.get("identity", IDENTITIES[1]), what, scope)
    return Rule(scope, VERIFY, tuple(authorities[name] for name in names), threshold, formats, identity, remap)


def _identity(value: object, what: str, scope: Scope) -> tuple[str, str | None]:
    what = f"{what}: identity"
    if type(value) is not dict:
        return _one_of(value, what, IDENTITIES), None
    found = fields(value, what, ("remap",), ("strict",))
    remap, strict = string(found["remap"], f"{what}: remap"), found.get("strict", False)
    if not is_name(remap, host_only=True):
        raise Junk(f"{what}: remap is {quoted(remap)}, expected HOST or HOST/PATH")
    if type(strict) is not bool:
        raise Junk(f"{what}: strict is {json_kind(strict)}, expected a boolean")
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


def _later(found: Mapping[str, object], what: str, names: tuple[str, ...]) -> None:
    for name in names:
        if name in found:
            raise Junk(f"{what}: {name} is not supported by this version")


def _digest(value: str) -> str:
    if not _DIGEST.fullmatch(value):
        raise Junk(f"denyDigests holds {quoted(value)}, expected 'sha256:' and 64 hex digits")
    return value


def _one_of(value: object, what: str, words: tuple[str, ...]) -> str:
    if type(value) is not str or value not in words:
        raise Junk(f"{what} is {quoted(value)}, expected {' or '.join(words)}")
    return value


def _object(value: object, what: str) -> dict[str, object]:
    if type(value) is not dict:
        raise Junk(f"{what} is {json_kind(value)}, expected an object")
    return value


def _list(value: object, what: str, *, most: int) -> list[object]:
    if type(value) is not list:
        raise Junk(f"{what} is {json_kind(value)}, expected a list")
    if len(value) > most:
        raise Junk(f"{what} has {len(value)} entries, expected at most {most}")
    return value


def _set(value: object, what: str, *, least: int = 0, most: int = 100_000) -> tuple[str, ...]:
    items = tuple(string(item, f"an entry of {what}") for item in _list(value, what, most=most))
    if len(items) < least:
        raise Junk(f"{what} is empty, expected at least {least}")
    if len(set(items)) != len(items):
        raise Junk(f"{what} holds an entry twice")
    return items
