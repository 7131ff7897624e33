"""The policy's language: our reader and the published schema give one verdict, but where the reader is stricter."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import hypothesis
import jsonschema
import pytest

from bpfimg.sign._policy import _language
from bpfimg.sign._strict import Junk
from tests.unit.sign.craft import key

SCHEMA = json.loads((Path(__file__).parents[3] / "schemas" / "policy.schema.json").read_text())
CHECK = jsonschema.Draft202012Validator(SCHEMA)
KEY = key("alice").public.pem
OTHER = key("bob").public.pem
DIGEST = "sha256:" + "0" * 64


def document(**changes: Any) -> dict[str, Any]:
    """A policy that uses all of the language that this version knows; None removes a field."""
    full = {
        "version": 1,
        "default": "deny",
        "authorities": {
            "release": {"type": "key", "keyPaths": ["/keys/release.pub"], "tlog": "ignore", "timestamp": "if-present"},
            "spare": {"type": "key", "keyData": [OTHER]},
        },
        "rules": [rule(threshold=2, requireAny=["release", "spare"], formats=["bundle"], identity="repository")],
        "denyDigests": [DIGEST],
    }
    full.update(changes)
    return {name: value for name, value in full.items() if value is not None}


def rule(**changes: Any) -> dict[str, Any]:
    full = {"scope": "registry.example/**", "requireAny": ["release"], **changes}
    return {name: value for name, value in full.items() if value is not None}


def authority(**changes: Any) -> dict[str, Any]:
    full = {"type": "key", "keyData": [KEY], **changes}
    return {
        "release": {name: value for name, value in full.items() if value is not None},
        "spare": {"type": "key", "keyData": [OTHER]},
    }


def ours(data: bytes) -> Any:
    return _language.parse(data, {"/keys/release.pub": KEY.encode()}.__getitem__)


IDENTITY = {"issuer": "https://issuer.example", "subject": "me"}
ROOTS = {"corp": {"path": "/root.json", "sha256": "0" * 64}, "public": {"builtin": "sigstore-public-good"}}
KEYLESS = {"type": "keyless", "trustedRoot": "corp", "identities": [IDENTITY]}

ACCEPTED: dict[str, Any] = {
    "everything": document(),
    "nothing": document(authorities=None, rules=[], denyDigests=None),
    "allowed by default": document(default="insecure-allow-unsigned"),
    "actions": document(
        rules=[
            {"scope": "a.example", "action": "deny"},
            {"scope": "b.example/x:y", "action": "insecure-allow-unsigned"},
            {"scope": "*.c.example", "action": "deny"},
        ]
    ),
    "all formats": document(rules=[rule(formats=["legacy", "bundle"])]),
    "identity none": document(rules=[rule(identity="none")]),
    "identity if present": document(rules=[rule(identity="repository-if-present")]),
    "remap": document(rules=[rule(identity={"remap": "other.example/x"})]),
    "remap to a host, strict": document(rules=[rule(identity={"remap": "other.example:5000", "strict": True})]),
    "empty lists": document(denyDigests=[], rules=[]),
    "key data": document(authorities=authority(keyData=[KEY, OTHER])),
    "threshold one": document(rules=[rule(threshold=1)]),
}

REFUSED: dict[str, Any] = {
    "not an object": [],
    "no version": document(version=None),
    "version 2": document(version=2),
    "version as text": document(version="1"),
    "version true": document(version=True),
    "no default": document(default=None),
    "default allow": document(default="allow"),
    "no rules": document(rules=None),
    "rules as object": document(rules={}),
    "1001 rules": document(rules=[rule()] * 1001),
    "unknown field": document(extra=1),
    "unknown field in authority": document(authorities=authority(extra=1)),
    "unknown field in rule": document(rules=[rule(extra=1)]),
    "unknown field in action": document(rules=[{"scope": "a.example", "action": "deny", "formats": ["legacy"]}]),
    "unknown field in identity": document(rules=[rule(identity={"remap": "a.example", "extra": 1})]),
    "both action and requireAny": document(rules=[rule(action="deny")]),
    "neither action nor requireAny": document(rules=[{"scope": "a.example"}]),
    "unknown action": document(rules=[{"scope": "a.example", "action": "allow"}]),
    "no scope": document(rules=[rule(scope=None)]),
    "scope as number": document(rules=[rule(scope=1)]),
    "rule as text": document(rules=["deny"]),
    "rule null": document(rules=[None]),
    "authority name": document(authorities={"Release": {"type": "key", "keyData": [KEY]}}, rules=[]),
    "authority name with newline": document(authorities={"a\n": {"type": "key", "keyData": [KEY]}}, rules=[]),
    "authority name too long": document(authorities={"a" * 64: {"type": "key", "keyData": [KEY]}}, rules=[]),
    "authority as list": document(authorities=[]),
    "authority as text": document(authorities={"a": "key"}, rules=[]),
    "authority without type": document(authorities=authority(type=None)),
    "unknown type": document(authorities=authority(type="pgp")),
    "both kinds of keys": document(authorities=authority(keyPaths=["/keys/release.pub"])),
    "no keys": document(authorities=authority(keyData=None)),
    "empty keys": document(authorities=authority(keyData=[])),
    "17 keys": document(authorities=authority(keyData=[KEY + "\n" * i for i in range(17)])),
    "the same key twice": document(authorities=authority(keyData=[KEY, KEY])),
    "keys as text": document(authorities=authority(keyData=KEY)),
    "key as number": document(authorities=authority(keyData=[1])),
    "key without PEM": document(authorities=authority(keyData=["x"])),
    "relative path": document(authorities=authority(keyData=None, keyPaths=["release.pub"])),
    "unknown evidence word": document(authorities=authority(tlog="never")),
    "evidence null": document(authorities=authority(timestamp=None) | {"x": {"type": "key", "tlog": None}}),
    "require without root": document(authorities=authority(tlog="require")),
    "window without root": document(authorities=authority(notBefore="2026-01-01T00:00:00Z")),
    "requireAny empty": document(rules=[rule(requireAny=[])]),
    "requireAny text": document(rules=[rule(requireAny="release")]),
    "requireAny twice": document(rules=[rule(requireAny=["release", "release"])]),
    "requireAny 65": document(rules=[rule(requireAny=[f"a{i}" for i in range(65)])]),
    "requireAny of no name": document(rules=[rule(requireAny=["Release!"])]),
    "threshold 0": document(rules=[rule(threshold=0)]),
    "threshold negative": document(rules=[rule(threshold=-1)]),
    "threshold text": document(rules=[rule(threshold="1")]),
    "threshold true": document(rules=[rule(threshold=True)]),
    "formats empty": document(rules=[rule(formats=[])]),
    "formats twice": document(rules=[rule(formats=["legacy", "legacy"])]),
    "formats unknown": document(rules=[rule(formats=["sig"])]),
    "identity unknown": document(rules=[rule(identity="exact")]),
    "identity null in object": document(rules=[rule(identity={"remap": None})]),
    "remap of no name": document(rules=[rule(identity={"remap": "a b"})]),
    "remap with tag": document(rules=[rule(identity={"remap": "a.example/b:v1"})]),
    "strict as text": document(rules=[rule(identity={"remap": "a.example", "strict": "yes"})]),
    "strict alone": document(rules=[rule(identity={"strict": True})]),
    "digest short": document(denyDigests=["sha256:00"]),
    "digest upper case": document(denyDigests=["sha256:" + "A" * 64]),
    "digest with newline": document(denyDigests=[DIGEST + "\n"]),
    "digest sha512": document(denyDigests=["sha512:" + "0" * 128]),
    "digests twice": document(denyDigests=[DIGEST, DIGEST]),
    "digests as text": document(denyDigests=DIGEST),
    "trusted root relative": document(trustedRoots={"a": {"path": "root.json"}}),
    "keyless without root": document(authorities={"ci": {**KEYLESS, "trustedRoot": None}}, rules=[]),
    "keyless without identity": document(authorities={"ci": {**KEYLESS, "identities": []}}, rules=[]),
    "rollback unknown": document(rules=[rule(rollback={"mode": "on"})]),
    "age unknown": document(rules=[rule(maxSignatureAge="P")]),
    "age with newline": document(rules=[rule(maxSignatureAge="P1D\n")]),
}

LATER = "is not supported by this version"
STRICTER: dict[str, tuple[Any, str]] = {
    # what this version cannot enforce
    "trusted roots": (document(trustedRoots=ROOTS), f"trustedRoots {LATER}"),
    "keyless": (document(authorities={"release": KEYLESS, "spare": KEYLESS}), f"'release' is keyless, which {LATER}"),
    "root of a key": (document(authorities=authority(trustedRoot="corp")), f"'release': trustedRoot {LATER}"),
    "log required": (
        document(authorities=authority(trustedRoot="corp", tlog="require")),
        f"trustedRoot {LATER}",
    ),
    "timestamp required": (
        document(authorities=authority(trustedRoot="corp", timestamp="require")),
        f"trustedRoot {LATER}",
    ),
    "window": (
        document(authorities=authority(trustedRoot="corp", notBefore="2026-01-01T00:00:00Z")),
        LATER,
    ),
    "attestations": (
        document(rules=[rule(attestations=[{"predicateType": "https://x.example/p", "requireAny": ["release"]}])]),
        f"rules[0]: attestations {LATER}",
    ),
    "rollback": (document(rules=[rule(rollback={"mode": "monotonic"})]), f"rules[0]: rollback {LATER}"),
    "age": (document(rules=[rule(maxSignatureAge="P30D")]), f"rules[0]: maxSignatureAge {LATER}"),
    "elsewhere": (
        document(rules=[rule(signatureRepository="sigs.example/x")]),
        f"rules[0]: signatureRepository {LATER}",
    ),
    # what a schema cannot say
    "dangling name": (document(rules=[rule(requireAny=["nobody"])]), "requires 'nobody', expected the name of one"),
    "equal scopes": (document(rules=[rule(), rule()]), "rules[0] and rules[1] have the same scope"),
    "equal when normalised": (
        document(rules=[rule(scope="docker.io/nginx"), rule(scope="index.docker.io/library/nginx")]),
        "have the same scope",
    ),
    "host is host/**": (document(rules=[rule(), rule(scope="registry.example")]), "have the same scope"),
    "threshold too high": (document(rules=[rule(threshold=2)]), "threshold is '2', expected 1 to 1"),
    "remap of a domain": (
        document(rules=[rule(scope="*.example", identity={"remap": "a.example"})]),
        "cannot be used with the scope '*.example'",
    ),
    "no PEM inside": (
        document(authorities=authority(keyData=["-----BEGIN PUBLIC KEY-----"])),
        "authority 'release': keyData[0]: public key is not PEM",
    ),
    "surrogates": (document(authorities=authority(keyData=["-----BEGIN PUBLIC KEY-----\ud800"])), "is not JSON"),
    "version 1.0": (document(version=1.0), "version is '1.0', expected 1"),
    "threshold 1.0": (document(rules=[rule(threshold=1.0)]), "threshold is '1.0'"),
}


def accepted_by_schema(value: Any) -> bool:
    return bool(CHECK.is_valid(value))


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", ACCEPTED)
def test_both_accept(name: str) -> None:
    assert accepted_by_schema(ACCEPTED[name])
    ours(json.dumps(ACCEPTED[name]).encode())


@pytest.mark.parametrize("name", REFUSED)
def test_both_refuse(name: str) -> None:
    assert not accepted_by_schema(REFUSED[name])
    with pytest.raises(Junk) as caught:
        ours(json.dumps(REFUSED[name]).encode())
    assert 5 < len(str(caught.value)) < 400


@pytest.mark.parametrize("name", STRICTER)
def test_ours_is_stricter_by_design(name: str) -> None:
    value, says = STRICTER[name]
    assert accepted_by_schema(value)
    with pytest.raises(Junk) as caught:
        ours(json.dumps(value).encode())
    assert says in str(caught.value)


SCOPES = [
    "a", "a.example", "a.example:5000", "a.example/**", "a.example/b", "a.example/b/c", "a.example/b/**",
    "a.example/b:t", "*.example", "*.example:5000", "[::1]", "[::1]:5000/b",
    "127.0.0.1:5000/b_c/d__e/f-g/h---i/j.k", "a.example/b:T_x.y-z", "a" * 512, "a/b:" + "t" * 128, "", "*",
    "*.", "**", "/", "a/", "/a", "a//b", "a/**/b", "a/b/*", "*.a/b", "a/B", "A/b", "a/b:", "a/b:.x", "a/b@c",
    "a\n", "a/b\n", "a/../b", "a/b:t/**", "https://a/b", "a:x/b", "a:123456", "a/-b", "a/b-", "a/b..c",
    "a/b___c", "a/b_.c", "[::1", "*.[::1]", "[g::1]", "a" * 513, "a/b:" + "t" * 129, "a b", "a/é", "-a", "a-",
    ".a", "a.", "*.-a", "**/a", "a/b:t\n", "a:1/b:",
]  # fmt: skip


@pytest.mark.parametrize("scope", SCOPES)
def test_one_grammar_of_scopes(scope: str) -> None:
    check_scope(scope)


def check_scope(scope: str) -> None:
    value = document(rules=[rule(scope=scope)])
    try:
        ours(json.dumps(value).encode())
        found = True
    except Junk:
        found = False
    assert found == accepted_by_schema(value)


@hypothesis.given(hypothesis.strategies.text("aB1.-_:/*[]\n", max_size=14))
def test_one_grammar_of_scopes_whatever_they_are(scope: str) -> None:
    check_scope(scope)


def test_scopes_are_of_both_kinds() -> None:
    verdicts = [accepted_by_schema(document(rules=[rule(scope=scope)])) for scope in SCOPES]
    assert verdicts.count(True) > 12 < verdicts.count(False)


@pytest.mark.parametrize(
    "text",
    [
        '{"version":1,"version":1,"default":"deny","rules":[]}',
        '{"version":1,"default":"deny","rules":[],"rules":[]}',
        '{"version":1,"default":"deny","rules":[],"authorities":{"a":{},"a":{}}}',
        '{"version":1,"default":"deny","rules":[]} {}',
        '\ufeff{"version":1,"default":"deny","rules":[]}',
        '// comment\n{"version":1,"default":"deny","rules":[]}',
        '{"version":1,"default":"deny","rules":[],}',
        "",
    ],
)
def test_what_a_lenient_json_reader_forgives_is_refused(text: str) -> None:
    with pytest.raises(Junk):
        ours(text.encode())


def test_the_size_is_bounded() -> None:
    with pytest.raises(Junk, match="expected at most 1048576"):
        ours(b" " * (1 << 20) + b'{"version":1,"default":"deny","rules":[]}')


def test_the_sample_of_the_whole_language_is_a_policy_for_later() -> None:
    sample = document(
        trustedRoots=ROOTS,
        authorities={**authority(trustedRoot="corp", timestamp="require"), "ci": KEYLESS},
        rules=[
            rule(
                attestations=[{"predicateType": "https://slsa.dev/provenance/v1", "requireAny": ["ci"]}],
                rollback={"mode": "monotonic", "minVersion": "1"},
                maxSignatureAge="P1DT6H",
                signatureRepository="sigs.example/x",
            )
        ],
    )
    assert accepted_by_schema(sample)


def test_what_is_read_is_what_was_written() -> None:
    rules, default, denied = ours(json.dumps(document()).encode())
    (found,) = rules
    assert [authority.name for authority in found.authorities] == ["release", "spare"]
    assert found.authorities[0].keys == (key("alice").public,)
    assert (found.authorities[0].tlog, found.authorities[0].timestamp) == ("ignore", "if-present")
    assert (found.authorities[1].tlog, found.authorities[1].timestamp) == ("if-present", "if-present")
    assert (found.action, found.threshold, found.formats, found.identity) == ("verify", 2, ("bundle",), "repository")
    assert (default.action, default.name) == ("deny", "default")
    assert denied == {DIGEST}
