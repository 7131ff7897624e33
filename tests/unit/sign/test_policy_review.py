"""What `policy check` says beside "valid": doors left open, rules that nothing reaches, what can never be believed."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from bpfimg.errors import PolicyError
from bpfimg.oci import Digest, Reference
from bpfimg.sign import Policy, policies
from tests.support.sigstack import World
from tests.unit.sign.craft import key

if TYPE_CHECKING:
    from pathlib import Path

DAY = 86400
NOW = time.time()
WORLD = World()


@pytest.fixture
def made(tmp_path: Path) -> Any:
    def make(root: Any = None, **fields: Any) -> Policy:
        document = {"version": 1, "default": "deny", "rules": [], **fields}
        if root is not None:
            (tmp_path / "root.json").write_text(json.dumps(root))
            document["trustedRoots"] = {"corp": {"path": str(tmp_path / "root.json")}}
        return Policy.parse(json.dumps(document).encode(), "policy.json")

    return make


def signer(name: str = "alice", **fields: Any) -> dict[str, Any]:
    return {"type": "key", "keyData": [key(name).public.pem], "tlog": "ignore", "timestamp": "ignore", **fields}


def keyless(subject: str = "me", **fields: Any) -> dict[str, Any]:
    return {"type": "keyless", "trustedRoot": "corp", "identities": [{"issuer": "i", "subject": subject}], **fields}


def rule(scope: str = "registry.example", *names: str, **fields: Any) -> dict[str, Any]:
    return {"scope": scope, "requireAny": list(names or ("a",)), **fields}


def codes(policy: Policy, now: float = NOW) -> set[tuple[str, str]]:
    return {(one.code, one.place) for one in policies.review(policy, now)}


def without(*parts: str) -> dict[str, Any]:
    root = WORLD.root_document()
    for part in parts:
        root[part] = []
    return root


def test_a_good_policy_has_nothing_to_look_at(made: Any) -> None:
    assert codes(made(authorities={"a": signer()}, rules=[rule()])) == set()
    assert codes(made(WORLD.root_document(), authorities={"a": keyless()}, rules=[rule()])) == set()


def test_open_doors_are_named(made: Any) -> None:
    policy = made(
        default="insecure-allow-unsigned",
        localFiles="insecure-allow-unsigned",
        rules=[{"scope": "127.0.0.1:5000/dev/**", "action": "insecure-allow-unsigned"}],
    )
    assert codes(policy) == {
        ("insecure-default", "default"),
        ("insecure-local-files", "localFiles"),
        ("insecure-scope", "127.0.0.1:5000/dev/**"),
    }


@pytest.mark.parametrize(
    ("scope", "says"),
    [
        ("team/app", "team/app means docker.io/team/app, expected a scope that begins with a registry's host"),
        ("team/**", "means docker.io/team/sample/sample"),
        ("team", "means docker.io/team/sample/sample"),
        ("*.docker.io", "expected the scope docker.io"),
        ("registry.example:99999/x", "no reference can be in it"),
    ],
)
def test_scopes_that_nothing_can_be_in(made: Any, scope: str, says: str) -> None:
    policy = made(authorities={"a": signer()}, rules=[rule(scope)])
    (advice,) = policies.review(policy, NOW)
    assert (advice.code, advice.place) == ("never-reached", scope)
    assert says in advice.text


@pytest.mark.parametrize(
    "scope",
    ["docker.io", "docker.io/**", "index.docker.io/nginx", "docker.io/team/**", "localhost/x", "*.io", "[::1]:5000/b"],
)
def test_scopes_that_can_be_reached(made: Any, scope: str) -> None:
    assert codes(made(authorities={"a": signer()}, rules=[rule(scope)])) == set()


def test_what_no_rule_uses(made: Any) -> None:
    policy = made(WORLD.root_document(), authorities={"a": signer(), "b": signer("bob")}, rules=[rule()])
    assert codes(policy) == {("unused", "b"), ("unused", "corp")}
    attestations = [{"predicateType": "https://x/y", "requireAny": ["b"]}]
    assert (
        codes(made(authorities={"a": signer(), "b": signer("bob")}, rules=[rule(attestations=attestations)])) == set()
    )


def test_one_key_cannot_sign_twice(made: Any) -> None:
    twice = {"a": signer(), "b": signer()}
    assert codes(made(authorities=twice, rules=[rule("x.example", "a", "b", threshold=2)])) == {
        ("never-believed", "x.example")
    }
    assert codes(made(authorities=twice, rules=[rule("x.example", "a", "b")])) == set()
    three = {"a": signer(), "b": {**signer(), "keyData": [key(name).public.pem for name in ("alice", "bob")]}}
    assert codes(made(authorities=three, rules=[rule("x.example", "a", "b", threshold=2)])) == set()


def test_an_age_takes_a_time(made: Any) -> None:
    found = codes(made(authorities={"a": signer()}, rules=[rule(maxSignatureAge="P1D")]))
    assert found == {("never-believed", "registry.example")}
    rooted = signer(trustedRoot="corp", tlog="require")
    found = codes(made(WORLD.root_document(), authorities={"a": rooted}, rules=[rule(maxSignatureAge="P1D")]))
    assert found == {("age-of-key", "registry.example")}  # it can be stamped again; what has a certificate cannot
    found = codes(made(WORLD.root_document(), authorities={"a": keyless()}, rules=[rule(maxSignatureAge="P1D")]))
    assert found == set()


@pytest.mark.parametrize(
    ("authority", "lacking"),
    [
        (keyless(), ("certificateAuthorities",)),
        (keyless(), ("ctlogs",)),
        (keyless(timestamp="tsa"), ("timestampAuthorities",)),
        (keyless(timestamp="tlog"), ("tlogs",)),
        (keyless(), ("timestampAuthorities", "tlogs")),
        (signer(trustedRoot="corp", tlog="require"), ("tlogs",)),
        (signer(trustedRoot="corp", timestamp="require"), ("timestampAuthorities",)),
        (
            signer(trustedRoot="corp", timestamp="if-present", notAfter="2999-01-01T00:00:00Z"),
            ("timestampAuthorities",),
        ),
    ],
)
def test_what_a_trusted_root_must_have(made: Any, authority: dict[str, Any], lacking: tuple[str, ...]) -> None:
    policy = made(without(*lacking), authorities={"a": authority}, rules=[rule()])
    assert ("never-believed", "a") in codes(policy)
    policy = made(WORLD.root_document(), authorities={"a": authority}, rules=[rule()])
    assert ("never-believed", "a") not in codes(policy)


def test_settings_without_effect(made: Any) -> None:
    policy = made(WORLD.root_document(), authorities={"a": signer(trustedRoot="corp")}, rules=[rule()])
    assert codes(policy) == {("no-effect", "a")}
    assert codes(made(authorities={"a": signer(tlog="if-present")}, rules=[rule()])) == {("evidence-refused", "a")}


@pytest.mark.parametrize(
    ("field", "at", "code"),
    [
        ("notAfter", -DAY, "ended"),
        ("notAfter", 10 * DAY, "ends-soon"),
        ("notAfter", 40 * DAY, ""),
        ("notBefore", DAY, "not-yet"),
        ("notBefore", -DAY, ""),
    ],
)
def test_keys_that_end(made: Any, field: str, at: int, code: str) -> None:
    authority = signer(trustedRoot="corp", tlog="require", **{field: policies.rfc3339(NOW + at)})
    found = codes(made(WORLD.root_document(), authorities={"a": authority}, rules=[rule()]))
    assert {one for one, place in found if place == "a"} == ({code} if code else set())


def test_roots_that_end(made: Any) -> None:
    root = WORLD.root_document()
    for one in root["tlogs"]:
        one["publicKey"]["validFor"]["end"] = policies.rfc3339(NOW - DAY)
    policy = made(root, authorities={"a": keyless()}, rules=[rule()])
    assert ("ended", "corp") in codes(policy)


@pytest.mark.parametrize(
    ("pattern", "code"),
    [
        (".*", "any-subject"),
        (".+", "any-subject"),
        ("https://.*", "any-subject"),
        ("https://github.com/acme/.*", "loose-pattern"),
        (r"https://github\.com/acme/.*", ""),
        (r"^https://github\.com/acme/", "part-pattern"),
        (r"@example\.com$", "part-pattern"),
        (r"https://github\.com/acme/.+@refs/tags/v[0-9.]+", ""),
    ],
)
def test_patterns_that_say_more_than_is_meant(made: Any, pattern: str, code: str) -> None:
    identity = {"issuer": "https://issuer.example", "subjectRegex": pattern}
    policy = made(WORLD.root_document(), authorities={"a": keyless(identities=[identity])}, rules=[rule()])
    assert codes(policy) == ({(code, "a")} if code else set())


def test_any_issuer_is_named(made: Any) -> None:
    identity = {"issuerRegex": "https://.*", "subject": "me"}
    policy = made(WORLD.root_document(), authorities={"a": keyless(identities=[identity])}, rules=[rule()])
    assert codes(policy) == {("any-issuer", "a")}


def test_names_that_do_not_count(made: Any) -> None:
    assert codes(made(authorities={"a": signer()}, rules=[rule(identity="none")])) == {("any-name", "registry.example")}


def test_formats_that_differ_between_rules(made: Any) -> None:
    rules = [rule("x.example"), rule("y.example", formats=["bundle"]), rule("z.example", "b")]
    assert codes(made(authorities={"a": signer(), "b": signer("bob")}, rules=rules)) == {("mixed-formats", "x.example")}
    rules = [rule("x.example", formats=["bundle"]), rule("y.example", formats=["bundle"])]
    assert codes(made(authorities={"a": signer()}, rules=rules)) == set()


def test_a_bad_root_is_an_error_even_when_nothing_uses_it(made: Any) -> None:
    with pytest.raises(PolicyError, match="trusted root corp"):
        policies.review(made({"mediaType": "x"}), NOW)


# -- in words --------------------------------------------------------------------------------------------------------


def test_rules_and_authorities_in_words(made: Any) -> None:
    policy = made(
        WORLD.root_document(),
        authorities={
            "a": signer(trustedRoot="corp", tlog="require", timestamp="if-present", notAfter="2030-01-01T00:00:00Z"),
            "b": keyless(timestamp="tsa"),
        },
        rules=[
            rule(
                "x.example/y",
                "a",
                "b",
                threshold=2,
                formats=["bundle"],
                identity={"remap": "z.example/y", "strict": True},
                attestations=[
                    {
                        "predicateType": "https://slsa.dev/provenance/v1",
                        "requireAny": ["b"],
                        "conditions": [{"pointer": "/a", "equals": "x"}, {"pointer": "/b", "exists": False}],
                    }
                ],
                rollback={"mode": "monotonic", "minVersion": "1.2"},
                maxSignatureAge="P1DT6H",
                signatureRepository="sigs.example/y",
            ),
            {"scope": "dev.example", "action": "insecure-allow-unsigned"},
        ],
    )
    assert policy.rules[0].says == (
        "signed by 2 of a, b, each with a key or identity of its own",
        "only Sigstore bundles count",
        "a signature names the repository with z.example/y in place of x.example/y",
        "an attestation of the type https://slsa.dev/provenance/v1 by b, where '/a' is 'x', where '/b' is not there",
        "a signature is at most 1 day and 6 hours old, by verified time",
        "the version (org.opencontainers.image.version) never goes back on this host, and is at least 1.2",
        "signatures are looked for in sigs.example/y",
    )
    assert policy.rules[1].says == ("everything is believed, signed or not",)
    assert policy.default.says == ("nothing is believed",)
    one, other = policy.authorities
    assert one.says == (
        f"key {key().public.fingerprint} (ecdsa-p256)",
        "a log entry must be there and verify",
        "a timestamp that is there must verify",
        "checked with the trusted root corp",
        "signed on 2030-01-01T00:00:00Z or earlier, by verified time",
    )
    assert other.says == (
        "certificate for me of i",
        "checked with the trusted root corp, at the time that a timestamp authority says",
    )


# -- which rule and why ----------------------------------------------------------------------------------------------

APP = "registry.example/team/app"


@pytest.fixture
def layered(made: Any) -> Policy:
    scopes = ("registry.example", "*.example", f"{APP}:v1", "registry.example/team/**", APP, "other.example")
    denied = [str(Digest.of(b"bad"))]
    return made(authorities={"a": signer()}, rules=[rule(scope) for scope in scopes], denyDigests=denied)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("text", "name", "why", "others"),
    [
        (f"{APP}:v1", f"{APP}:v1", "it names this repository and tag, and of those that match it is the most specific",
         [APP, "registry.example/team/**", "registry.example", "*.example"]),
        (f"{APP}:v2", APP, "it names this repository, and of those",
         ["registry.example/team/**", "registry.example", "*.example"]),
        ("registry.example/team/x", "registry.example/team/**", "it names a part of the path, and of those",
         ["registry.example", "*.example"]),
        ("registry.example/x", "registry.example", "it names the host, and of those", ["*.example"]),
        ("third.example/x", "*.example", "it names a domain above the host, and no other rule matches", []),
        ("nginx", "default", "no rule matches", []),
    ],
)  # fmt: skip
def test_why_a_rule_is_the_one(layered: Policy, text: str, name: str, why: str, others: list[str]) -> None:
    found = policies.explained(layered, Reference.parse(text))
    assert found.rule is layered.rule_for(Reference.parse(text))
    assert found.rule.name == name
    assert found.why.startswith(why)
    assert [rule.name for rule, _ in found.others] == others
    assert not found.denied


def test_a_tag_beside_a_digest_is_explained(layered: Policy) -> None:
    found = policies.explained(layered, Reference.parse(f"{APP}:v1@{Digest.of(b'bad')}"))
    assert found.rule.name == APP
    assert found.denied
    assert found.others[0][0].name == f"{APP}:v1"
    assert "a tag beside a digest says nothing" in found.others[0][1]
