"""Authorities: whose signatures count, by key or by identity, and what must stand beside them."""

from __future__ import annotations

from bpfimg.errors import KeyFileError, quoted
from bpfimg.sign._keys._public import PublicKey
from bpfimg.sign._policy._readers import either, named, one_of, path, text, texts
from bpfimg.sign._policy._rules import (
    ANY,
    EXTENSIONS,
    IF_PRESENT,
    IGNORE,
    LONGEST_INPUT,
    REQUIRE,
    TLOG,
    TSA,
    Authority,
    IdentityPattern,
)
from bpfimg.sign._strict import Junk, fields, items, mapping, string

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpfimg.sign._policy._files import Files
    from bpfimg.sign._policy._patterns import Pattern
    from bpfimg.sign._policy._rules import Root

_EVIDENCE = (REQUIRE, IF_PRESENT, IGNORE)
_KEY_FIELDS = ("keyPaths", "keyData", "trustedRoot", "tlog", "timestamp", "notBefore", "notAfter")


def authorities(value: object, roots: Mapping[str, Root], files: Files) -> dict[str, Authority]:
    """Returns the authorities by name; raises `Junk`, and `PolicyError` for a key file that cannot be had."""
    return {name: _authority(name, one, roots, files) for name, one in named(value, "authorities").items()}


def _authority(name: str, value: object, roots: Mapping[str, Root], files: Files) -> Authority:
    what = f"authority {quoted(name)}"
    if type(value) is dict and value.get("type") == "keyless":
        return _keyless(name, value, what, roots)
    found = fields(value, what, ("type",), _KEY_FIELDS)
    one_of(found["type"], f"{what}: type", ("key", "keyless"))
    tlog = one_of(found.get("tlog", IF_PRESENT), f"{what}: tlog", _EVIDENCE)
    timestamp = one_of(found.get("timestamp", IF_PRESENT), f"{what}: timestamp", _EVIDENCE)
    root = _named_root(found["trustedRoot"], what, roots) if "trustedRoot" in found else None
    window = _time(found, "notBefore", what), _time(found, "notAfter", what)
    if root is None and (REQUIRE in (tlog, timestamp) or window != (None, None)):
        raise Junk(f"{what} asks for evidence or a time, which takes a trustedRoot")
    if window[0] is not None and window[1] is not None and window[0] > window[1]:
        raise Junk(f"{what}: notAfter is before notBefore, so that no signature could ever count")
    if window != (None, None) and tlog == timestamp == IGNORE:
        raise Junk(f"{what} has a time window, but ignores log entries and timestamps, which would say when")
    return Authority(name, _keys(found, what, files), root, tlog, timestamp, *window)


def _keys(found: dict[str, object], what: str, files: Files) -> tuple[PublicKey, ...]:
    field = either(found, what, "keyPaths", "keyData")
    keys = []
    for i, one in enumerate(texts(found[field], f"{what}: {field}", least=1, most=16)):
        where = f"{what}: {field}[{i}]"
        try:
            data = files.key(path(one, where)) if field == "keyPaths" else _inline(one, where)
            keys.append(PublicKey.load(data))
        except KeyFileError as error:
            raise Junk(f"{where}{f' ({one})' if field == 'keyPaths' else ''}: {error}") from error
    return tuple(keys)


def _inline(text: str, where: str) -> bytes:
    if text[:1].isspace():  # a file may begin so; in a policy the schema says how a key begins
        raise Junk(f"{where} begins with white space, expected '-----BEGIN PUBLIC KEY-----' first")
    return text.encode("ascii", "replace")


def _keyless(name: str, value: object, what: str, roots: Mapping[str, Root]) -> Authority:
    found = fields(value, what, ("type", "trustedRoot", "identities"), ("timestamp",))
    return Authority(
        name,
        root=_named_root(found["trustedRoot"], what, roots),
        timestamp=one_of(found.get("timestamp", ANY), f"{what}: timestamp", (ANY, TSA, TLOG)),
        identities=tuple(
            _identity(one, f"{what}: identities[{i}]")
            for i, one in enumerate(items(found["identities"], f"{what}: identities", least=1, most=64))
        ),
    )


def _identity(value: object, what: str) -> IdentityPattern:
    found = fields(value, what, (), ("issuer", "issuerRegex", "subject", "subjectRegex", "extensions"))
    extensions: tuple[tuple[str, str], ...] = ()
    if "extensions" in found:
        given = fields(mapping(found["extensions"], f"{what}: extensions"), f"{what}: extensions", (), EXTENSIONS)
        if not given:
            raise Junk(f"{what}: extensions is empty, expected at least one")
        extensions = tuple((key, text(one, f"{what}: {key}", most=LONGEST_INPUT)) for key, one in given.items())
    return IdentityPattern(_one(found, what, "issuer"), _one(found, what, "subject"), extensions)


def _one(found: dict[str, object], what: str, name: str) -> str | Pattern:
    field = either(found, what, name, f"{name}Regex")
    if field == name:
        return text(found[field], f"{what}: {field}", most=LONGEST_INPUT)
    from bpfimg.sign._policy._patterns import Pattern

    return Pattern.parse(string(found[field], f"{what}: {field}"), f"{what}: {field}")


def _named_root(value: object, what: str, roots: Mapping[str, Root]) -> Root:
    name = string(value, f"{what}: trustedRoot")
    if name not in roots:
        raise Junk(f"{what}: trustedRoot is {quoted(name)}, expected the name of one of the trustedRoots")
    return roots[name]


def _time(found: Mapping[str, object], field: str, what: str) -> int | None:
    """Whole seconds, inside of what was written."""
    if field not in found:
        return None
    from math import ceil, floor

    from bpfimg.sign._rfc3339 import seconds

    time = seconds(found[field], f"{what}: {field}")
    return ceil(time) if field == "notBefore" else floor(time)
