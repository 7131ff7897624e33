"""Policies as documents: those that are accepted, those that are not, and those that only the schema accepts."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import jsonschema

from bpfimg.sign._policy import _language
from tests.unit.sign.craft import key

SCHEMA = json.loads((Path(__file__).parents[3] / "schemas" / "policy.schema.json").read_text())
CHECK = jsonschema.Draft202012Validator(SCHEMA)
KEY = key("alice").public.pem
OTHER = key("bob").public.pem
ROOT = b"{}"  # what is in it is read when it is used
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


class Given:
    """The files that the policies here name."""

    def key(self, path: str) -> bytes:
        return {"/keys/release.pub": KEY.encode()}[path]

    def root(self, path: str) -> bytes:
        return {"/root.json": ROOT}[path]

    def builtin(self) -> bytes:
        return ROOT


def ours(data: bytes) -> Any:
    return _language.parse(data, Given())  # type: ignore[arg-type]


IDENTITY = {"issuer": "https://issuer.example", "subject": "me"}
PIN = hashlib.sha256(ROOT).hexdigest()
ROOTS = {"corp": {"path": "/root.json", "sha256": PIN}, "public": {"builtin": "sigstore-public-good"}}
KEYLESS = {"type": "keyless", "trustedRoot": "corp", "identities": [IDENTITY]}

SLSA = "https://slsa.dev/provenance/v1"


def keyless(**changes: Any) -> dict[str, Any]:
    """A policy with a keyless authority; `identity_...` changes its one identity."""
    identity = {**IDENTITY, **{name[9:]: changes.pop(name) for name in list(changes) if name.startswith("identity_")}}
    full = {**KEYLESS, "identities": [{name: value for name, value in identity.items() if value is not None}]}
    full.update(changes)
    ci = {name: value for name, value in full.items() if value is not None}
    return document(trustedRoots=ROOTS, authorities={"ci": ci}, rules=[rule(requireAny=["ci"])])


def rooted(**changes: Any) -> dict[str, Any]:
    """A policy with a key that has a trusted root."""
    return document(trustedRoots=ROOTS, authorities=authority(trustedRoot="corp", **changes))


def attested(**changes: Any) -> dict[str, Any]:
    full = {"predicateType": SLSA, "requireAny": ["release"], **changes}
    return document(rules=[rule(attestations=[{name: value for name, value in full.items() if value is not None}])])


def compatible(**asked: Any) -> dict[str, Any]:
    return attested(predicateType="urn:bpfimg:compatibility:1", compatibility=asked)


def condition(**changes: Any) -> dict[str, Any]:
    return attested(conditions=[{"pointer": "/a/0/b~1c~0d", **changes}])


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
    "trusted roots": document(trustedRoots=ROOTS),
    "no trusted roots": document(trustedRoots={}),
    "a root without pin": document(trustedRoots={"a": {"path": "/root.json"}}),
    "keyless": keyless(),
    "keyless with times of an authority": keyless(timestamp="tsa"),
    "keyless with times of a log": keyless(timestamp="tlog"),
    "patterns": keyless(
        identity_subject=None, identity_subjectRegex="a.*", identity_issuer=None, identity_issuerRegex="b"
    ),
    "extensions": keyless(
        identity_extensions={
            "sourceRepositoryURI": "a",
            "buildTrigger": "b",
            "buildSignerURI": "c",
            "sourceRepositoryRef": "d",
            "runnerEnvironment": "e",
        }
    ),
    "the longest subject": keyless(identity_subject="a" * 2048),
    "the longest pattern": keyless(identity_subject=None, identity_subjectRegex="a" * 1024),
    "root of a key": rooted(),
    "log required": rooted(tlog="require"),
    "timestamp required": rooted(timestamp="require"),
    "window": rooted(notBefore="2026-01-01T00:00:00Z", notAfter="2026-01-01T00:00:00.5-01:00"),
    "attestation": attested(),
    "attestation of a urn": attested(predicateType="urn:x"),
    "no conditions": attested(conditions=[]),
    "compatibility with whatever was tried": compatible(),
    "compatibility": compatible(kernels=["6.1", "6.12.9-1-amd64"], result="ok", thisKernel=True),
    "compatibility that lets unknown pass": compatible(result="unknown", thisKernel=False),
    "equals text": condition(equals="x"),
    "equals empty text": condition(equals=""),
    "equals null": condition(equals=None),
    "equals number": condition(equals=1.5),
    "equals false": condition(equals=False),
    "one of": condition(oneOf=["x", 1, True, None, 2.5]),
    "matches": condition(matches="https://.*"),
    "exists": condition(exists=True),
    "exists not": condition(exists=False),
    "pointer to all": condition(pointer="", exists=True),
    "pointer to an empty key": condition(pointer="/", exists=True),
    "rollback": document(rules=[rule(rollback={"mode": "monotonic"})]),
    "rollback off": document(rules=[rule(rollback={"mode": "off", "annotation": "x"})]),
    "rollback in full": document(rules=[rule(rollback={"mode": "monotonic", "annotation": "x", "minVersion": "v1.2"})]),
    "age in days": document(rules=[rule(maxSignatureAge="P30D")]),
    "age in hours": document(rules=[rule(maxSignatureAge="PT12H")]),
    "age in both": document(rules=[rule(maxSignatureAge="P1DT6H")]),
    "elsewhere": document(rules=[rule(signatureRepository="sigs.example/x")]),
    "local files": document(localFiles="insecure-allow-unsigned"),
    "no local files": document(localFiles="deny"),
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
    "age in Arabic digits": document(rules=[rule(maxSignatureAge="P\u0661D")]),
    "age of an empty time": document(rules=[rule(maxSignatureAge="P1DT")]),
    "age in weeks": document(rules=[rule(maxSignatureAge="P1W")]),
    "age as number": document(rules=[rule(maxSignatureAge=30)]),
    "age of 100000 days": document(rules=[rule(maxSignatureAge="P100000D")]),
    "root of an unknown kind": document(trustedRoots={"a": {"builtin": "sigstore-staging"}}),
    "root of both kinds": document(trustedRoots={"a": {"builtin": "sigstore-public-good", "path": "/root.json"}}),
    "root without anything": document(trustedRoots={"a": {}}),
    "root as text": document(trustedRoots={"a": "/root.json"}),
    "root with a bad name": document(trustedRoots={"A": {"path": "/root.json"}}),
    "root with a short pin": document(trustedRoots={"a": {"path": "/root.json", "sha256": "00"}}),
    "root with an empty pin": document(trustedRoots={"a": {"path": "/root.json", "sha256": ""}}),
    "root with an upper case pin": document(trustedRoots={"a": {"path": "/root.json", "sha256": "A" * 64}}),
    "root with a pin of null": document(trustedRoots={"a": {"path": "/root.json", "sha256": None}}),
    "roots as list": document(trustedRoots=[]),
    "keyless with a key": keyless(keyData=[KEY]),
    "keyless with a log setting": keyless(tlog="require"),
    "keyless with a window": keyless(notAfter="2026-01-01T00:00:00Z"),
    "keyless with a key's timestamp": keyless(timestamp="require"),
    "key with a keyless timestamp": rooted(timestamp="any"),
    "key with identities": rooted(identities=[IDENTITY]),
    "identities as object": keyless(identities=IDENTITY),
    "65 identities": keyless(identities=[IDENTITY] * 65),
    "identity as text": keyless(identities=["me"]),
    "identity without issuer": keyless(identity_issuer=None),
    "identity without subject": keyless(identity_subject=None),
    "identity with two issuers": keyless(identity_issuerRegex="x"),
    "identity with two subjects": keyless(identity_subjectRegex="x"),
    "identity with an empty subject": keyless(identity_subject=""),
    "identity with a long subject": keyless(identity_subject="a" * 2049),
    "identity with an empty pattern": keyless(identity_subject=None, identity_subjectRegex=""),
    "identity with a long pattern": keyless(identity_subject=None, identity_subjectRegex="a" * 1025),
    "identity with a number": keyless(identity_subject=1),
    "identity with an unknown field": keyless(identity_email="me"),
    "no extensions": keyless(identity_extensions={}),
    "an unknown extension": keyless(identity_extensions={"sourceRepository": "x"}),
    "an empty extension": keyless(identity_extensions={"buildTrigger": ""}),
    "an extension of null": keyless(identity_extensions={"buildTrigger": None}),
    "time without zone": rooted(notBefore="2026-01-01T00:00:00"),
    "time as date": rooted(notBefore="2026-01-01"),
    "time as number": rooted(notBefore=1),
    "time with newline": rooted(notBefore="2026-01-01T00:00:00Z\n"),
    "time in small letters": rooted(notBefore="2026-01-01t00:00:00z"),
    "attestation without type": attested(predicateType=None),
    "attestation without authority": attested(requireAny=[]),
    "attestation of a word": attested(predicateType="slsaprovenance"),
    "attestation with a blank": attested(predicateType="https://a b"),
    "attestation with a long type": attested(predicateType="https://" + "a" * 505),
    "attestation with an unknown field": attested(threshold=1),
    "compatibility of another type": attested(compatibility={}),
    "compatibility without kernels": compatible(kernels=[]),
    "compatibility with a kernel twice": compatible(kernels=["6.1", "6.1"]),
    "compatibility with a pattern": compatible(kernels=["6.*"]),
    "compatibility with an empty kernel": compatible(kernels=[""]),
    "compatibility that lets failures pass": compatible(result="fails"),
    "compatibility with a result as a list": compatible(result=["ok"]),
    "compatibility with 1 for true": compatible(thisKernel=1),
    "compatibility with more": compatible(maxInsns=5),
    "compatibility as text": attested(predicateType="urn:bpfimg:compatibility:1", compatibility="ok"),
    "attestation as text": document(rules=[rule(attestations=[SLSA])]),
    "attestations as object": document(rules=[rule(attestations={})]),
    "33 attestations": document(rules=[rule(attestations=[{"predicateType": SLSA, "requireAny": ["release"]}] * 33)]),
    "65 conditions": attested(conditions=[{"pointer": "", "exists": True}] * 65),
    "conditions as object": attested(conditions={"pointer": "", "exists": True}),
    "condition without pointer": attested(conditions=[{"exists": True}]),
    "condition without test": condition(),
    "condition with two tests": condition(equals=1, exists=True),
    "condition with an unknown test": condition(startsWith="x"),
    "pointer without slash": condition(pointer="a", exists=True),
    "pointer with a bad escape": condition(pointer="/a~2", exists=True),
    "pointer as number": condition(pointer=0, exists=True),
    "pointer too long": condition(pointer="/" + "a" * 512, exists=True),
    "equals a list": condition(equals=[]),
    "equals an object": condition(equals={}),
    "one of none": condition(oneOf=[]),
    "one of text": condition(oneOf="x"),
    "one of a list": condition(oneOf=[[]]),
    "one of the same": condition(oneOf=[1, "x", 1.0]),
    "one of 65": condition(oneOf=list(range(65))),
    "matches nothing": condition(matches=""),
    "matches a number": condition(matches=1),
    "exists as text": condition(exists="yes"),
    "rollback as text": document(rules=[rule(rollback="monotonic")]),
    "rollback without mode": document(rules=[rule(rollback={})]),
    "rollback with an unknown field": document(rules=[rule(rollback={"mode": "off", "x": 1})]),
    "rollback without annotation": document(rules=[rule(rollback={"mode": "monotonic", "annotation": ""})]),
    "rollback without version": document(rules=[rule(rollback={"mode": "monotonic", "minVersion": ""})]),
    "elsewhere with a tag": document(rules=[rule(signatureRepository="sigs.example/x:v1")]),
    "elsewhere is a host": document(rules=[rule(signatureRepository="sigs.example")]),
    "demands of an action": document(rules=[{"scope": "a.example", "action": "deny", "rollback": {"mode": "off"}}]),
    "local files allowed": document(localFiles="allow"),
    "local files true": document(localFiles=True),
}

STRICTER: dict[str, tuple[Any, str]] = {
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
    "dangling root": (
        document(authorities=authority(trustedRoot="corp")),
        "authority 'release': trustedRoot is 'corp', expected the name of one of the trustedRoots",
    ),
    "dangling root of a keyless one": (
        document(authorities={"ci": KEYLESS}, rules=[]),
        "authority 'ci': trustedRoot is 'corp', expected the name",
    ),
    "wrong pin": (
        document(trustedRoots={"a": {"path": "/root.json", "sha256": "0" * 64}}),
        f"trusted root 'a': /root.json has the SHA-256 {PIN}, expected {'0' * 64}",
    ),
    "dangling name of an attestation": (
        attested(requireAny=["nobody"]),
        "rules[0]: attestations[0] requires 'nobody', expected the name",
    ),
    "no pattern": (
        keyless(identity_subject=None, identity_subjectRegex="("),
        "authority 'ci': identities[0]: subjectRegex is '(', which cannot be used: the group at 0 is not closed",
    ),
    "no pattern of an issuer": (
        keyless(identity_issuer=None, identity_issuerRegex="(?i)x"),
        "identities[0]: issuerRegex is '(?i)x', which cannot be used",
    ),
    "no pattern in a condition": (
        condition(matches="*"),
        "rules[0]: attestations[0]: conditions[0]: matches is '*', which cannot be used",
    ),
    "no such day": (
        rooted(notAfter="2026-02-30T00:00:00Z"),
        "authority 'release': notAfter is '2026-02-30T00:00:00Z', which is no time",
    ),
    "no such hour": (rooted(notBefore="2026-01-01T24:30:00Z"), "which is no time"),
    "window that ends before it begins": (
        rooted(notBefore="2026-01-01T00:00:00Z", notAfter="2026-01-01T00:00:00+01:00"),
        "notAfter is before notBefore",
    ),
    "window without anything that says when": (
        rooted(notBefore="2026-01-01T00:00:00Z", tlog="ignore", timestamp="ignore"),
        "has a time window, but ignores log entries and timestamps",
    ),
    "age of nothing": (document(rules=[rule(maxSignatureAge="P0DT0H")]), "maxSignatureAge is 'P0DT0H', expected days"),
    "minimum without order": (
        document(rules=[rule(rollback={"mode": "monotonic", "minVersion": "latest"})]),
        "rules[0]: rollback: minVersion: version 'latest' has no order",
    ),
    "minimum of nothing": (
        document(rules=[rule(rollback={"mode": "off", "minVersion": "1"})]),
        "rules[0]: rollback has a minVersion, which says nothing in the mode 'off'",
    ),
    "version 1.0": (document(version=1.0), "version is '1.0', expected 1"),
    "threshold 1.0": (document(rules=[rule(threshold=1.0)]), "threshold is '1.0'"),
}


def accepted_by_schema(value: Any) -> bool:
    return bool(CHECK.is_valid(value))
