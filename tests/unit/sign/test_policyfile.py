"""The policy's language: our reader and the published schema give one verdict, but where the reader is stricter."""

from __future__ import annotations

import json

import hypothesis
import jsonschema
import pytest
from hypothesis import strategies as st

from bpfimg.sign._evidence._identity import Identity
from bpfimg.sign._policy import _language
from bpfimg.sign._strict import Junk
from tests.unit.sign.craft import GOLDEN, key
from tests.unit.sign.policy_documents import (
    ACCEPTED,
    DIGEST,
    KEY,
    KEYLESS,
    OTHER,
    PIN,
    REFUSED,
    ROOT,
    ROOTS,
    SCHEMA,
    SLSA,
    STRICTER,
    Given,
    accepted_by_schema,
    authority,
    document,
    ours,
    rule,
)


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


@hypothesis.given(st.text("aB1.-_:/*[]\n", max_size=14))
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


def test_what_is_read_is_what_was_written() -> None:
    said = ours(json.dumps(document()).encode())
    (found,) = said.rules
    assert [authority.name for authority in found.authorities] == ["release", "spare"]
    assert found.authorities[0].keys == (key("alice").public,)
    assert (found.authorities[0].tlog, found.authorities[0].timestamp) == ("ignore", "if-present")
    assert (found.authorities[1].tlog, found.authorities[1].timestamp) == ("if-present", "if-present")
    assert (found.action, found.threshold, found.formats, found.identity) == ("verify", 2, ("bundle",), "repository")
    assert (found.attestations, found.rollback, found.max_age, found.signature_repository) == ((), None, None, None)
    assert (said.default.action, said.default.name, said.local_files) == ("deny", "default", False)
    assert said.denied == {DIGEST}


def test_what_is_demanded_is_what_was_written() -> None:
    value = document(
        trustedRoots=ROOTS,
        authorities={
            **authority(
                trustedRoot="corp",
                timestamp="require",
                notBefore="1970-01-01T00:00:01.5Z",
                notAfter="1970-01-01T01:00:02.5+01:00",
            ),
            "ci": {**KEYLESS, "timestamp": "tsa"},
        },
        rules=[
            rule(
                attestations=[
                    {
                        "predicateType": SLSA,
                        "requireAny": ["ci"],
                        "conditions": [{"pointer": "/a", "oneOf": [1, None]}, {"pointer": "/b", "matches": "x+"}],
                    }
                ],
                rollback={"mode": "monotonic", "minVersion": "1"},
                maxSignatureAge="P1DT6H",
                signatureRepository="index.docker.io/x",
                identity={"remap": "other.example/x", "strict": True},
            )
        ],
        localFiles="insecure-allow-unsigned",
    )
    assert accepted_by_schema(value)
    said = ours(json.dumps(value).encode())
    (found,) = said.rules
    (release,) = found.authorities
    corp, public = said.roots
    assert (corp.name, corp.origin, corp.digest, corp.raw) == ("corp", "/root.json", f"sha256:{PIN}", ROOT)
    assert (public.name, public.origin) == ("public", "builtin sigstore-public-good")
    assert (release.root, release.timestamp, release.not_before, release.not_after) == (corp, "require", 2, 2)
    assert not release.keyless
    (needed,) = found.attestations
    assert needed.predicate_type == SLSA
    (ci,) = needed.authorities
    assert (ci.keyless, ci.root, ci.timestamp, ci.keys) == (True, corp, "tsa", ())
    assert [str(one) for one in ci.identities] == ["me of https://issuer.example"]
    assert [str(one) for one in needed.conditions] == ["'/a' is 1 or null", "'/b' fits x+"]
    assert found.rollback is not None
    assert (found.rollback.annotation, found.rollback.minimum) == ("org.opencontainers.image.version", "1")
    assert (found.max_age, found.signature_repository) == (30 * 3600, "docker.io/library/x")
    assert (found.identity, found.remap, said.local_files) == ("repository", "other.example/x", True)
    assert {one.name for one in said.authorities} == {"release", "spare", "ci"}


def test_the_sample_of_the_whole_language_is_a_policy() -> None:
    text = (GOLDEN / "policy-sample.json").read_text().replace("0" * 64, PIN)
    assert accepted_by_schema(json.loads(text))

    class Everything(Given):
        def key(self, path: str) -> bytes:
            return KEY.encode() if "release" in path else OTHER.encode()

        def root(self, path: str) -> bytes:
            assert path == "/etc/bpfimg/trusted_root.json"
            return ROOT

    said = _language.parse(text.encode(), Everything())  # type: ignore[arg-type]
    assert [one.name for one in said.rules] == [
        "registry.acme.example/bpf/offline",
        "registry.acme.example/bpf/**",
        "mirror.local:5000/acme/**",
        "127.0.0.1:5000/dev/**",
    ]
    ci = next(one for one in said.authorities if one.name == "ci")
    name = "https://gitlab.acme.example/bpf/xdp//.gitlab-ci.yml@refs/tags/v1"
    found = [one.matches(Identity(name, "uri", "https://gitlab.acme.example", {})) for one in ci.identities]
    assert found == [True, False]
