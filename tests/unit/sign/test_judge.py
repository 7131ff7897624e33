"""The decision alone: thresholds, names, evidence that cannot be checked."""

from __future__ import annotations

from typing import Any

import pytest

from bpfimg._value import replace
from bpfimg.errors import NotFound
from bpfimg.oci import Descriptor
from bpfimg.sign._believed import Believed
from bpfimg.sign._candidate import Candidate
from bpfimg.sign._judge import Verdict, independent, weigh
from bpfimg.sign._material import LogEntry, Material
from bpfimg.sign._policy._names import Scope
from bpfimg.sign._policy._rules import Authority, Rule
from bpfimg.sign._strict import Junk
from bpfimg.sign._whose import Question
from tests.unit.sign.craft import REPOSITORY, key

EVIDENCE = {"tlog": {"entries": (LogEntry(b"log", 1, 1, b"{}"),)}, "timestamp": {"timestamps": (b"stamp",)}}
HOLDER = Descriptor.of(b"", "application/vnd.oci.image.manifest.v1+json")


def candidate(by: str = "alice", name: str = REPOSITORY, **beside: Any) -> Candidate:
    signature = key(by).sign(b"message")
    return Candidate(
        "bundle", HOLDER, f"by {by}", b"message", b"message", signature, (name,), material=Material(**beside)
    )


def authority(name: str, *keys: str) -> Authority:
    return Authority(name, tuple(key(one).public for one in keys or (name,)))


def rule(*authorities: Authority, threshold: int = 1, identity: str = "repository-if-present") -> Rule:
    scope = Scope.parse("registry.example/**")
    return Rule(scope, "verify", authorities or (authority("alice"),), threshold, identity=identity)


def verdict(*findings: Candidate | Junk | NotFound, by: Rule | None = None, thorough: bool = False) -> Verdict:
    return weigh(findings, Question(by or rule(), REPOSITORY), thorough=thorough)


@pytest.mark.parametrize(
    ("pairs", "number"),
    [
        ([], 0),
        (["a1"], 1),
        (["a1", "a1"], 1),
        (["a1", "a2"], 1),  # two keys of one authority
        (["a1", "b1"], 1),  # one key in two authorities
        (["a1", "b2"], 2),
        (["a1", "a2", "b1"], 2),  # a must give way to b
        (["a1", "b1", "b2", "c2"], 2),
        (["a1", "a2", "b2", "b3", "c3"], 3),
        (["a1", "b1", "c1"], 1),
        (["a3", "a2", "a1", "b3", "c3", "c2"], 3),
    ],
)
def test_each_authority_needs_a_key_of_its_own(pairs: list[str], number: int) -> None:
    for order in (pairs, pairs[::-1]):
        assert independent(Believed(pair[0], pair[1], "bundle", "") for pair in order) == number


def test_two_of_three() -> None:
    two = rule(authority("alice"), authority("bob"), authority("carol"), threshold=2)
    assert not verdict(candidate("alice"), by=two).satisfied
    assert not verdict(candidate("alice"), candidate("alice"), by=two).satisfied
    assert not verdict(candidate("alice"), candidate("mallory"), by=two).satisfied
    assert verdict(candidate("alice"), candidate("carol"), by=two).satisfied


def test_one_key_under_two_names_counts_once() -> None:
    two = rule(authority("alice"), authority("other", "alice"), threshold=2)
    found = verdict(candidate("alice"), by=two)
    assert not found.satisfied
    assert [one.authority for one in found.believed] == ["alice", "other"]


def test_two_keys_of_one_authority_count_once() -> None:
    two = rule(authority("alice", "laptop", "token"), authority("bob"), threshold=2)
    assert not verdict(candidate("laptop"), candidate("token"), by=two).satisfied
    assert verdict(candidate("token"), candidate("bob"), by=two).satisfied


def test_any_key_of_an_authority_will_do() -> None:
    assert verdict(candidate("new"), by=rule(authority("release", "old", "new"))).satisfied


@pytest.mark.parametrize(
    ("identity", "name", "satisfied"),
    [
        ("repository", REPOSITORY, True),
        ("repository", f"{REPOSITORY}:v1", True),
        ("repository", "", False),
        ("repository", "registry.example/team/other", False),
        ("repository", "mirror.example/team/app", False),
        ("repository-if-present", REPOSITORY, True),
        ("repository-if-present", "", True),
        ("repository-if-present", "registry.example/team/other", False),
        ("repository-if-present", "app", False),
        ("repository-if-present", "registry.example/team/app2", False),
        ("repository-if-present", " ", False),
        ("none", "registry.example/team/other", True),
        ("none", "", True),
        ("none", "!", True),
    ],
)
def test_a_signature_is_for_its_repository(identity: str, name: str, satisfied: bool) -> None:
    found = verdict(candidate(name=name), by=rule(identity=identity))
    assert found.satisfied is satisfied
    assert satisfied or found.reasons[0].startswith(f"by alice is signed by {key().public.fingerprint}, but ")


def test_any_of_the_names_of_a_digest_will_do() -> None:
    several = replace(candidate(), names=("registry.example/x", REPOSITORY))
    assert verdict(several, by=rule(identity="repository")).satisfied
    assert not verdict(replace(several, names=("registry.example/x", ""))).reasons
    assert not verdict(replace(several, names=("registry.example/x", "")), by=rule(identity="repository")).satisfied


@pytest.mark.parametrize(("remap", "identity"), [("registry.example/bpf", "repository"), ("registry.example", "none")])
def test_remapping(remap: str, identity: str) -> None:
    mirror = Rule(
        Scope.parse("mirror.local/acme/**"), "verify", (authority("alice"),), identity="repository", remap=remap
    )
    for name in ("registry.example/bpf/app", "registry.example/app", "mirror.local/acme/app", ""):
        found = weigh([candidate(name=name)], Question(mirror, "mirror.local/acme/app"), thorough=False)
        assert found.satisfied is (name == f"{remap}/app")
    if identity == "none":
        lenient = replace(mirror, identity="repository-if-present")
        assert weigh([candidate(name="")], Question(lenient, "mirror.local/acme/app"), thorough=False).satisfied


@pytest.mark.parametrize("kind", ["tlog", "timestamp"])
def test_evidence_that_cannot_be_checked_refuses_unless_ignored(kind: str) -> None:
    with_evidence = candidate(**EVIDENCE[kind])
    found = verdict(with_evidence)
    assert not found.satisfied
    assert f'"{kind}": "ignore"' in found.reasons[0]
    lenient = replace(authority("alice"), **{kind: "ignore"})
    assert verdict(with_evidence, by=rule(lenient)).satisfied
    other = replace(authority("alice"), **{"timestamp" if kind == "tlog" else "tlog": "ignore"})
    assert not verdict(with_evidence, by=rule(other)).satisfied


def test_one_authority_may_ignore_what_another_does_not() -> None:
    lenient = replace(authority("lenient", "alice"), tlog="ignore")
    found = verdict(candidate(**EVIDENCE["tlog"]), by=rule(authority("alice"), lenient))
    assert [one.authority for one in found.believed] == ["lenient"]
    assert len(found.reasons) == 1


def test_a_keyless_signature_is_named() -> None:
    found = verdict(candidate("mallory", certificate=b"leaf"))
    assert "keyless" in found.reasons[0]
    assert not found.satisfied


def test_junk_and_errors_hide_nothing() -> None:
    for noise in (Junk("noise"), NotFound("gone"), candidate("mallory")):
        found = verdict(noise, candidate(), noise)
        assert found.satisfied
        assert [one.authority for one in found.believed] == ["alice"]


def test_an_error_is_kept() -> None:
    found = verdict(NotFound("gone"), Junk("noise"))
    assert str(found.error) == "gone"
    assert (found.satisfied, found.candidates) == (False, 0)
    assert found.reasons == ("a signature could not be read: gone", "noise")


def test_nothing_more_is_asked_for_than_is_needed() -> None:
    asked = []

    def findings() -> object:
        for name in ("mallory", "alice", "alice"):
            asked.append(name)
            yield candidate(name)

    assert weigh(findings(), Question(rule(), REPOSITORY), thorough=False).satisfied  # type: ignore[arg-type]
    assert asked == ["mallory", "alice"]
    asked.clear()
    assert len(weigh(findings(), Question(rule(), REPOSITORY), thorough=True).believed) == 2  # type: ignore[arg-type]
    assert len(asked) == 3
