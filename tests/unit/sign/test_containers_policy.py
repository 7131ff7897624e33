"""What podman and skopeo have in policy.json, imported: the same where it can be said, else stricter, and told."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import strategies as st

from bpfimg.errors import PolicyError
from bpfimg.oci import Reference
from bpfimg.sign import Policy, policies
from bpfimg.sign._policy._rules import Root
from tests.support.sigstack import World
from tests.unit.sign.craft import key

if TYPE_CHECKING:
    from pathlib import Path

    from bpfimg.sign._policy._rules import Rule

ACCEPT, REJECT = {"type": "insecureAcceptAnything"}, {"type": "reject"}
ANYWHERE = {"type": "matchRepository"}
WORLD = World()
ROOT_DATA = WORLD.trusted_root()
ROOT = Root("trusted", "/root.json", f"sha256:{hashlib.sha256(ROOT_DATA).hexdigest()}", ROOT_DATA)


def b64(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def signed(name: str = "alice", **changes: Any) -> dict[str, Any]:
    full = {"type": "sigstoreSigned", "keyData": b64(key(name).public.pem), "signedIdentity": ANYWHERE, **changes}
    return {name: value for name, value in full.items() if value is not None}


def rekor() -> str:
    """The PEM of a log's key, as rekorPublicKeyData has it."""
    return b64(ROOT.trusted().logs[0].key.pem)


def fulcio(**changes: Any) -> dict[str, Any]:
    chain = json.loads(ROOT_DATA)["certificateAuthorities"][0]["certChain"]["certificates"]
    anchor = x509.load_der_x509_certificate(base64.b64decode(chain[-1]["rawBytes"]))
    full = {
        "caData": b64(anchor.public_bytes(Encoding.PEM)),
        "oidcIssuer": "https://issuer.example",
        "subjectEmail": "me@example.org",
        **changes,
    }
    found = {name: value for name, value in full.items() if value is not None}
    return signed(keyData=None, fulcio=found, rekorPublicKeyData=rekor())


def document(docker: dict[str, Any] | None = None, default: Any = REJECT, **transports: Any) -> dict[str, Any]:
    """Other transports are judged as docker's images are: most people have one default for all."""
    found = {name: {"": [ACCEPT]} for name in ("docker-archive", "docker-daemon", "oci", "oci-archive")}
    found |= {name.replace("_", "-"): one for name, one in transports.items()}
    lists = {scope: one if isinstance(one, list) else [one] for scope, one in (docker or {}).items()}
    return {"default": [default], "transports": {**found, "docker": lists}}


def brought(value: Any, **options: Any) -> policies.Imported:
    return policies.imported(json.dumps(value).encode(), "policy.json", options.pop("root", None), **options)


def rules(value: Any, **options: Any) -> dict[str, Any]:
    """The rules by scope, the scope left out."""
    found = brought(value, **options).document["rules"]
    assert isinstance(found, list)
    return {one["scope"]: {name: part for name, part in one.items() if name != "scope"} for one in found}


def notes(value: Any, **options: Any) -> str:
    return "\n".join(f"{place}: {text}" for place, text in brought(value, **options).notes)


ALLOW, DENY = {"action": "insecure-allow-unsigned"}, {"action": "deny"}
BY_KEY = {"requireAny": ["key-1"], "formats": ["legacy"], "identity": "repository"}


@pytest.mark.parametrize(
    ("default", "docker", "found"),
    [
        (REJECT, {}, "deny"),
        (ACCEPT, {}, "insecure-allow-unsigned"),
        (REJECT, {"": ACCEPT}, "insecure-allow-unsigned"),
        (ACCEPT, {"": REJECT}, "deny"),
        (ACCEPT, {"": signed()}, "deny"),
        (ACCEPT, {"": {"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/x"}}, "deny"),
    ],
)
def test_the_default_is_that_of_docker_images(default: Any, docker: dict[str, Any], found: str) -> None:
    assert brought(document(docker, default)).document["default"] == found


def test_a_name_there_is_also_the_prefix_of_names() -> None:
    found = rules(
        document({"a.example/b": REJECT, "a.example/b/c:v1": REJECT, "a.example": ACCEPT, "*.example": ACCEPT})
    )
    assert found == {
        "a.example/b": DENY,
        "a.example/b/**": DENY,
        "a.example/b/c:v1": DENY,
        "a.example": ALLOW,
        "*.example": ALLOW,
    }


def test_docker_hub_has_the_names_that_containers_gives_it() -> None:
    value = document({"docker.io/library": REJECT, "docker.io/library/nginx": REJECT, "index.docker.io/x": ACCEPT})
    assert set(rules(value)) == {"docker.io/library/**", "docker.io/library/nginx", "docker.io/library/nginx/**"}
    assert "index.docker.io/x: containers calls Docker Hub docker.io, so this is for no image: left out" in notes(value)


def test_keys_are_carried_over(tmp_path: Path) -> None:
    path = tmp_path / "k.pub"
    path.write_text(key("bob").public.pem)
    both = signed(keyData=None, keyDatas=[b64(key(name).public.pem) for name in ("alice", "carol")])
    value = document({"a.example/b:1": signed(), "c.example/d:1": signed(keyData=None, keyPath=str(path)),
                      "e.example/f:1": both, "g.example/h:1": signed()})  # fmt: skip
    found = brought(value)
    assert rules(value)["a.example/b:1"] == BY_KEY == rules(value)["g.example/h:1"]
    ignore = {"tlog": "ignore", "timestamp": "ignore"}
    assert found.document["authorities"] == {
        "key-1": {"type": "key", "keyData": [key().public.pem], **ignore},
        "key-2": {"type": "key", "keyPaths": [str(path)], **ignore},
        "key-3": {"type": "key", "keyData": [key("alice").public.pem, key("carol").public.pem], **ignore},
    }
    ((place, text),) = found.notes
    assert place == "authorities"
    assert text == "only .sig signatures count, as there; to have bundles count, too, remove formats from the rules"


def test_all_requirements_must_hold() -> None:
    found = rules(document({"a.example": [signed(), signed("bob"), ACCEPT]}))["a.example"]
    assert (found["requireAny"], found["threshold"]) == (["key-1", "key-2"], 2)
    assert rules(document({"a.example": [signed(), signed()]}))["a.example"] == BY_KEY
    assert rules(document({"a.example": [signed(), REJECT]}))["a.example"] == DENY
    remap = {"type": "exactRepository", "dockerRepository": "x.example/y"}
    value = document({"a.example": [signed(), signed("bob", signedIdentity=remap)]})
    assert rules(value)["a.example"] == DENY
    assert "it asks for signatures that name different things: denied" in notes(value)


@pytest.mark.parametrize(
    ("requirement", "says"),
    [
        ({"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/x"}, "GPG signatures (signedBy) cannot be asked for"),
        (signed(keyData=None, pki={"caRootsPath": "/x"}), "certificates of a PKI"),
        (signed(keyData=b64("no key")), "keyData: public key is not PEM"),
        (signed(keyData=None, keyPath="/no/such/key.pub"), "public key /no/such/key.pub does not exist"),
        (signed(keyData=None, keyPath="key.pub"), "keyPath is not absolute"),
        (signed(signedIdentity={"type": "matchExact"}), "matchExact wants the tag to be signed"),
        (signed(signedIdentity=None), "matchRepoDigestOrExact wants the tag to be signed"),
        (signed(signedIdentity={"type": "exactReference", "dockerReference": "a.example/b:1"}), "exactReference wants"),
        (signed(signedIdentity={"type": "exactRepository", "dockerRepository": "B/c"}), "exactRepository names 'B/c'"),
        (signed(rekorPublicKeyData=b64(key("bob").public.pem)), "takes a trusted root that knows them"),
    ],
)
def test_what_cannot_be_said_is_denied_and_told(requirement: dict[str, Any], says: str) -> None:
    value = document({"a.example/b:1": requirement}, ACCEPT)
    assert rules(value) == {"a.example/b:1": DENY}
    assert "a.example/b:1: " in notes(value)
    assert says in notes(value)


def test_signed_tags_may_be_given_up_by_name() -> None:
    value = document({"a.example/b:1": signed(signedIdentity=None)})
    assert rules(value, signed_tags=False)["a.example/b:1"] == BY_KEY
    exact = signed(signedIdentity={"type": "exactReference", "dockerReference": "x.example/y:v1"})
    found = rules(document({"a.example/b": exact}), signed_tags=False)
    assert found["a.example/b"]["identity"] == {"remap": "x.example/y", "strict": True}


def test_other_names_are_carried_over_where_a_scope_can_say_them() -> None:
    exact = signed(signedIdentity={"type": "exactRepository", "dockerRepository": "x.example/y"})
    value = document({"a.example/b": exact, "c.example": exact, "d.example/e:1": exact})
    found = rules(value)
    assert found["a.example/b"]["identity"] == {"remap": "x.example/y", "strict": True}
    assert found["d.example/e:1"]["identity"] == {"remap": "x.example/y", "strict": True}
    assert (found["a.example/b/**"], found["c.example"]) == (DENY, DENY)
    assert "c.example: all of it must be signed as x.example/y, which can be said only of one repository" in notes(
        value
    )


def test_mirrors_are_carried_over_where_a_scope_can_say_them() -> None:
    identity = {"type": "remapIdentity", "prefix": "mirror.example/a", "signedPrefix": "origin.example"}
    mirror = signed(signedIdentity=identity)
    value = document({"mirror.example/a": mirror, "mirror.example/a/b:1": mirror, "mirror.example": mirror})
    found = rules(value, signed_tags=False)
    assert found["mirror.example/a/**"]["identity"] == {"remap": "origin.example", "strict": True}
    assert found["mirror.example/a/b:1"]["identity"] == {"remap": "origin.example/b", "strict": True}
    assert found["mirror.example"] == DENY
    policy = loaded(value, signed_tags=False)
    rule = policy.rule_for(Reference.parse("mirror.example/a/b/c:2"))
    assert rule.signed_name("mirror.example/a/b/c") == "origin.example/b/c"


def test_fulcio_and_rekor_are_carried_over_with_a_trusted_root_that_knows_them() -> None:
    value = document({"a.example": fulcio(), "b.example": signed(rekorPublicKeyData=rekor())})
    found = brought(value, root=ROOT).document
    assert found["trustedRoots"] == {"trusted": {"path": "/root.json", "sha256": ROOT.digest[7:]}}
    assert found["authorities"] == {
        "keyless-1": {
            "type": "keyless",
            "trustedRoot": "trusted",
            "timestamp": "tlog",
            "identities": [{"issuer": "https://issuer.example", "subject": "me@example.org"}],
        },
        "key-2": {
            "type": "key",
            "keyData": [key().public.pem],
            "tlog": "require",
            "timestamp": "ignore",
            "trustedRoot": "trusted",
        },
    }
    assert rules(value, root=ROOT)["a.example"]["requireAny"] == ["keyless-1"]
    assert "all logs and authorities of /root.json count, where containers names single ones" in notes(value, root=ROOT)


@pytest.mark.parametrize("path", [True, False])
def test_fulcio_of_somebody_else_is_denied(tmp_path: Path, path: bool) -> None:
    other = World("other").root_document()["certificateAuthorities"][0]["certChain"]["certificates"][-1]["rawBytes"]
    text = x509.load_der_x509_certificate(base64.b64decode(other)).public_bytes(Encoding.PEM)
    (tmp_path / "ca.pem").write_bytes(text)
    changes = {"caData": None, "caPath": str(tmp_path / "ca.pem")} if path else {"caData": b64(text)}
    value = document({"a.example": fulcio(**changes)})
    assert rules(value, root=ROOT) == {"a.example": DENY}
    assert "a certificate authority that it names is not in /root.json: denied" in notes(value, root=ROOT)


def test_a_log_of_somebody_else_is_denied() -> None:
    value = document({"a.example": signed(rekorPublicKeyData=b64(key("bob").public.pem))})
    assert rules(value, root=ROOT) == {"a.example": DENY}
    assert "a Rekor key that it names is not in /root.json: denied" in notes(value, root=ROOT)


def test_digests_as_scopes_are_denied_everywhere() -> None:
    digest = "sha256:" + "ab" * 32
    value = document({f"a.example/b@{digest}": ACCEPT}, ACCEPT)
    assert brought(value).document["denyDigests"] == [digest]
    assert "a scope cannot be a digest: denied wherever it is" in notes(value)


def test_names_that_no_image_can_have_here_are_left_out() -> None:
    value = document({"A.example/b": REJECT, "nginx": REJECT, "a.example/B": ACCEPT})
    assert rules(value) == {}
    assert notes(value).count("no image here can have such a name: left out") == 3


@pytest.mark.parametrize("requirement", [REJECT, signed()])
@pytest.mark.parametrize("transport", ["oci", "oci-archive", "docker-archive", "docker-daemon"])
def test_what_is_not_accepted_from_everywhere_is_not_accepted_by_name(transport: str, requirement: Any) -> None:
    value = document({"a.example": ACCEPT}, ACCEPT, **{transport.replace("-", "_"): {"": [requirement]}})
    assert rules(value) == {"a.example": DENY}
    assert brought(value).document["default"] == "deny"
    assert f"containers judges the transport {transport} otherwise" in notes(value)
    assert "denied; if you mean it, write insecure-allow-unsigned" in notes(value)


def test_a_default_counts_for_transports_that_are_not_named() -> None:
    value = {"default": [REJECT], "transports": {"docker": {"a.example": [ACCEPT]}}}
    assert rules(value) == {"a.example": DENY}
    assert "transports docker-archive, docker-daemon, oci, oci-archive otherwise" in notes(value)
    value["transports"]["docker"]["a.example"] = [signed()]  # type: ignore[index]
    assert rules(value) == {"a.example": BY_KEY}
    assert "what is signed as a rule asks is believed wherever it lies" in notes(value)


def test_transports_that_are_none_here_change_nothing() -> None:
    value = document({"a.example": ACCEPT}, ACCEPT, dir={"": [REJECT]}, atomic={"": [REJECT]})
    assert rules(value) == {"a.example": ALLOW}


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ([], "expected a JSON object"),
        ({}, "it lacks 'default'"),
        ({"default": []}, "default is empty, expected at least 1"),
        ({"default": [REJECT], "extra": 1}, "unknown field 'extra'"),
        ({"default": [{"type": "allow"}]}, "type is 'allow', expected insecureAcceptAnything"),
        ({"default": [{"type": "reject", "x": 1}]}, "unknown field 'x'"),
        ({"default": [{}]}, "default[0]: type is null, expected a string"),
        (document({"a": signed(keyPath="/x")}), "has 2 of keyPath, keyPaths, keyData, keyDatas, fulcio, pki"),
        (document({"a": signed(keyData=None)}), "has 0 of keyPath"),
        (document({"a": signed(keyData="%")}), "keyData is not base64"),
        (document({"a": signed(signedIdentity={"type": "any"})}), "signedIdentity: type is 'any'"),
        (document({"a": signed(rekorPublicKeyPath="/x", rekorPublicKeyData="eA==")}), "expected one of them"),
        (document({"a": fulcio(subjectEmail=None)}), "fulcio lacks a part"),
        (document({"a@sha256:00": REJECT}), "which is no SHA-256 digest"),
        (document({"a": []}), "is empty, expected at least 1"),
    ],
)
def test_what_containers_refuses_is_refused(value: Any, says: str) -> None:
    with pytest.raises(PolicyError, match=r"^containers policy policy.json cannot be imported: ") as caught:
        brought(value)
    assert says in str(caught.value)


def test_keys_that_stand_twice_are_refused() -> None:
    with pytest.raises(PolicyError, match="twice"):
        policies.imported(b'{"default":[{"type":"reject"}],"default":[{"type":"insecureAcceptAnything"}]}', "x")


def loaded(value: Any, **options: Any) -> Policy:
    return Policy.parse(policies.written(brought(value, **options).document), "imported.json")


# -- never looser ----------------------------------------------------------------------------------------------------

SCOPES = ["", "a.example", "a.example/b", "a.example/b/c", "a.example/b:v1", "a.example/b/c:v1", "*.example",
          "docker.io", "docker.io/library", "docker.io/library/x", "docker.io/x", "*.io",
          "b.example:5000/x"]  # fmt: skip
NAMES = ["a.example/b:v1", "a.example/b:v2", "a.example/b/c:v1", "a.example/b/c/d:v1", "a.example/x:v1",
         "c.example/x:v1", "docker.io/library/x:v1", "docker.io/x/y:v1", "b.example:5000/x:v1",
         "quay.io/x:v1"]  # fmt: skip
WANTED = st.sampled_from([[ACCEPT], [REJECT], [signed()], [signed("bob")], [signed(), signed("bob")], [ACCEPT, REJECT]])


def theirs(value: Any, transport: str, name: str) -> list[Any]:
    """The requirements that containers has for a reference: the most specific scope, as its manual says."""
    scopes = value["transports"].get(transport, {})
    repository, _, tag = name.rpartition(":")
    parts = repository.split("/")
    candidates = [f"{repository}:{tag}", *("/".join(parts[:n]) for n in range(len(parts), 0, -1))]
    host = parts[0]
    candidates += [f"*.{rest}" for rest in itertools.accumulate(host.split(".")[:0:-1], lambda a, b: f"{b}.{a}")][::-1]
    found = next((scopes[one] for one in [*candidates, ""] if one in scopes), value["default"])
    assert isinstance(found, list)
    return found


def allowed(rule: Rule, by: frozenset[str]) -> bool:
    """Whether an image that these keys signed, with its name, passes."""
    if rule.action != "verify":
        return rule.action == "insecure-allow-unsigned"
    assert rule.identity == "repository"
    signers = [one for one in rule.authorities if {key.fingerprint for key in one.keys} & by]
    return len(signers) >= rule.threshold


def allowed_there(requirements: list[Any], by: frozenset[str]) -> bool:
    names = {b64(key(name).public.pem): key(name).public.fingerprint for name in ("alice", "bob")}
    return all(one is not None and one["type"] != "reject" and (one == ACCEPT or names[one["keyData"]] in by)
               for one in requirements)  # fmt: skip


KEYS = [key(name).public.fingerprint for name in ("alice", "bob")]


@hypothesis.settings(max_examples=300)
@hypothesis.given(
    st.dictionaries(st.sampled_from(SCOPES), WANTED, max_size=6),
    WANTED,
    st.dictionaries(st.sampled_from(["oci", "docker-daemon"]), WANTED.map(lambda one: {"": one}), max_size=1),
)
def test_whatever_is_believed_here_is_accepted_there(
    docker: dict[str, Any], default: Any, others: dict[str, Any]
) -> None:
    """For images of registries: nothing; for unsigned ones of the other transports, too."""
    value = {"default": default, "transports": {"docker": docker, **others}}
    policy = loaded(value)
    for name in NAMES:
        rule = policy.rule_for(Reference.parse(name))
        for by in map(frozenset, ([], KEYS[:1], KEYS[1:], KEYS)):
            if allowed(rule, by):
                assert allowed_there(theirs(value, "docker", name), by)
        if allowed(rule, frozenset()):
            for transport in ("oci", "oci-archive", "docker-daemon", "docker-archive"):
                assert allowed_there(theirs(value, transport, name), frozenset())


@hypothesis.given(st.dictionaries(st.sampled_from(SCOPES), WANTED, max_size=6))
def test_what_can_be_said_is_said_exactly(docker: dict[str, Any]) -> None:
    """With everything accepted elsewhere, and no signatures wanted by default, nothing is lost."""
    if any(one["type"] == "sigstoreSigned" for one in docker.get("", [])):
        return
    value = {"default": [ACCEPT], "transports": {"docker": docker}}
    policy = loaded(value)
    for name in NAMES:
        rule = policy.rule_for(Reference.parse(name))
        for by in map(frozenset, ([], KEYS[:1], KEYS[1:], KEYS)):
            assert allowed(rule, by) == allowed_there(theirs(value, "docker", name), by)
