"""Verification over a source: the order of things, errors, denied digests, indexes, what is said."""

from __future__ import annotations

from typing import Any

import pytest

from bpfimg.errors import DigestMismatch, Error, ImageError, NotFound, RegistryError, VerificationError
from bpfimg.oci import Descriptor, Digest, Index, Memory, Reference
from bpfimg.sign import Policy, VerifiedImage, verify
from tests.support.targets import image, index
from tests.unit.sign.craft import (
    REPOSITORY,
    bundle,
    key,
    place,
    policy,
    pushed,
    put_bundle,
    put_legacy,
    reference,
    signed_layer,
    statement,
    trusting,
)


class Faulty(Memory):
    """Answers some questions with an error: `tag`, `referrers`, `fetch` of a media type."""

    def __init__(self, inner: Memory, **errors: Error) -> None:
        self.__dict__ = inner.__dict__
        self.errors = errors
        self.asked: list[str] = []

    def _fail(self, name: str) -> None:
        self.asked.append(name)
        if name in self.errors:
            raise self.errors[name]

    def resolve(self, selector: str | Digest) -> Descriptor:
        self._fail("tag")
        return super().resolve(selector)

    def referrers(self, digest: Digest) -> tuple[Descriptor, ...]:
        self._fail("referrers")
        return super().referrers(digest)

    def fetch(self, descriptor: Descriptor, **options: Any) -> bytes:
        words = {"bundle": "bundle", "simplesigning": "payload", "manifest": "manifest", "index": "manifest"}
        self._fail(next(word for mark, word in words.items() if mark in descriptor.media_type))
        return super().fetch(descriptor, **options)


def both(by: str = "alice") -> tuple[Memory, Descriptor]:
    """A place with an image that is signed in both formats."""
    target = place()
    found = pushed(target)
    put_legacy(target, found.digest, signed_layer(found.digest, by))
    put_bundle(target, found, bundle(statement(found.digest, REPOSITORY), by))
    return target, found


def refused(source: Memory, descriptor: Descriptor, by: Policy, asked: Reference | None = None) -> VerificationError:
    with pytest.raises(VerificationError) as caught:
        verify(source, asked or reference(), descriptor, by)
    return caught.value


def test_what_is_proved() -> None:
    target, found = both()
    proof = verify(target, reference(), found, trusting(), thorough=True)
    assert isinstance(proof, VerifiedImage)
    assert (proof.reference, proof.descriptor, proof.unsafe) == (reference(), found, False)
    assert (proof.policy, proof.rule) == ("policy.json", "registry.example/**")
    assert proof.policy_digest.startswith("sha256:")
    assert [(one.authority, one.fingerprint, one.format) for one in proof.signers] == [
        ("alice", key().public.fingerprint, "legacy"),
        ("alice", key().public.fingerprint, "bundle"),
    ]
    assert proof.signers[0].where == f"{found.digest.tag}.sig"
    assert proof.signers[1].where.startswith("referrer sha256:")
    assert proof.notes == ()


@pytest.mark.parametrize("format_", ["legacy", "bundle"])
def test_formats_are_honoured(format_: str) -> None:
    target, found = both()
    proof = verify(target, reference(), found, trusting(formats=[format_]), thorough=True)
    assert {one.format for one in proof.signers} == {format_}
    other = place()
    pushed(other)
    if format_ == "legacy":
        put_bundle(other, found, bundle(statement(found.digest)))
    else:
        put_legacy(other, found.digest, signed_layer(found.digest))
    assert "is not signed" in str(refused(other, found, trusting(formats=[format_])))
    assert verify(other, reference(), found, trusting())


def test_without_a_signature() -> None:
    target = place()
    found = pushed(target)
    error = refused(target, found, trusting())
    assert str(error) == (
        f"{REPOSITORY}@{found.digest} is not signed, expected one by alice (rule registry.example/** of policy.json)"
    )
    assert error.hint


def test_by_a_key_that_nobody_named() -> None:
    target, found = both("mallory")
    error = refused(target, found, trusting())
    assert "none of its signatures counts" in str(error)
    assert [reason.split(" holds ")[1] for reason in error.reasons] == [
        "a signature, not by a key that the rule names"
    ] * 2


def test_for_one_key() -> None:
    target, found = both()
    proof = verify(target, reference(), found, Policy.for_key(key().public, "--key alice.pub"))
    assert (proof.policy, proof.rule, proof.signers[0].authority) == ("--key alice.pub", "default", "--key alice.pub")
    error = refused(target, found, Policy.for_key(key("bob").public, "--key bob.pub"))
    assert str(error).endswith("none of its signatures counts, expected one by --key bob.pub")


def test_the_resolved_digest_must_be_the_one_asked_for() -> None:
    target, found = both()
    other = Reference.parse(f"{REPOSITORY}@{Digest.of(b'other')}")
    with pytest.raises(DigestMismatch):
        verify(target, other, found, trusting())
    assert verify(target, reference().with_digest(found.digest), found, trusting())


def test_no_rule_means_no() -> None:
    target, found = both()
    error = refused(target, found, trusting(), Reference.parse("other.test/x:v1"))
    assert "has no rule for it" in str(error)
    assert '"scope": "other.test/x"' in error.hint


def test_a_rule_may_deny() -> None:
    target, found = both()
    error = refused(target, found, policy([{"scope": REPOSITORY, "action": "deny"}]))
    assert f"the rule {REPOSITORY} of policy.json denies it" in str(error)


def test_another_repository_with_the_same_bytes() -> None:
    """What team A signed for itself is not believed under the name of team B."""
    target, found = both()
    other = place("registry.example/team/b")
    pushed(other)
    for layer_or_bundle in ("legacy", "bundle"):
        copied = place("registry.example/team/b")
        pushed(copied)
        if layer_or_bundle == "legacy":
            put_legacy(copied, found.digest, signed_layer(found.digest))
        else:
            put_bundle(copied, found, bundle(statement(found.digest, REPOSITORY)))
        asked = Reference.parse("registry.example/team/b:v1")
        error = refused(copied, found, trusting(), asked)
        assert "another repository, 'registry.example/team/app', expected registry.example/team/b" in error.reasons[0]
        assert verify(copied, asked, found, trusting(identity="none"))
    assert verify(target, reference(), found, trusting(identity="repository"))


# -- errors -----------------------------------------------------------------------------------------------------------

DOWN = RegistryError("the registry is down", status=503, hint="wait")


@pytest.mark.parametrize("where", ["tag", "referrers", "bundle", "payload"])
def test_an_error_is_never_unsigned(where: str) -> None:
    target, found = both("mallory")
    error = refused(Faulty(target, **{where: DOWN}), found, trusting())
    assert "its signatures could not be read (the registry is down)" in str(error)
    assert error.__cause__ is DOWN
    assert error.hint == "wait"


def test_nothing_at_all_but_errors() -> None:
    target = place()
    found = pushed(target)
    for errors in ({"tag": DOWN}, {"referrers": DOWN}, {"tag": DOWN, "referrers": NotFound("none")}):
        assert "could not be read" in str(refused(Faulty(target, **errors), found, trusting()))


@pytest.mark.parametrize(
    "errors", [{"tag": DOWN}, {"payload": DOWN}, {"payload": DigestMismatch("it differs", want="a", got="b")}]
)
def test_an_error_takes_nothing_away_from_evidence_in_hand(errors: dict[str, Error]) -> None:
    target, found = both()
    proof = verify(Faulty(target, **errors), reference(), found, trusting())
    assert proof.signers[0].format == "bundle"
    assert len(proof.notes) == 1


def test_what_is_not_needed_is_not_read() -> None:
    target, found = both()
    source = Faulty(target, referrers=DOWN)
    assert verify(source, reference(), found, trusting()).signers[0].format == "legacy"
    assert source.asked == ["tag", "manifest", "payload"]
    with pytest.raises(VerificationError):
        verify(source, reference(), found, trusting(formats=["bundle"]))


# -- insecure ---------------------------------------------------------------------------------------------------------


def test_unsigned_may_be_allowed_and_is_said() -> None:
    target = place()
    found = pushed(target)
    allowing = policy([{"scope": REPOSITORY, "action": "insecure-allow-unsigned"}])
    proof = verify(target, reference(), found, allowing)
    assert (proof.unsafe, proof.signers, proof.notes) == (True, (), ())
    proof = verify(Faulty(target, tag=DOWN), reference(), found, allowing)
    assert (proof.unsafe, proof.notes) == (True, ("a signature could not be read: the registry is down",))


def test_where_unsigned_is_allowed_signatures_are_still_verified() -> None:
    target, found = both()
    put_bundle(target, found, bundle(statement(found.digest, REPOSITORY), "mallory"))
    rules = [
        {"scope": REPOSITORY, "action": "insecure-allow-unsigned"},
        {"scope": "other.example", "requireAny": ["alice"]},
    ]
    for allowing in (policy(rules), policy(rules[1:], default="insecure-allow-unsigned")):
        proof = verify(target, reference(), found, allowing)
        assert proof.unsafe
        assert [one.format for one in proof.signers] == ["legacy", "bundle"]
        assert len(proof.notes) == 1


# -- denied digests ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("default", ["deny", "insecure-allow-unsigned"])
def test_a_denied_digest_is_refused_whatever_else_is_said(default: str) -> None:
    target, found = both()
    denying = trusting()
    assert verify(target, reference(), found, denying)
    rules: list[dict[str, Any]] = [{"scope": REPOSITORY, "requireAny": ["alice"]}] if default == "deny" else []
    denying = policy(rules, default=default, denyDigests=[str(found.digest)])
    error = refused(target, found, denying)
    assert f"denyDigests of policy.json has {found.digest}" in str(error)


def signed_index(target: Memory) -> Descriptor:
    one, two = image("one"), image("two", "arm64")
    one.push(target)
    two.push(target)
    top = index(one, two)
    target.push(top.descriptor, top.raw, tag="v1")
    put_legacy(target, top.descriptor.digest, signed_layer(top.descriptor.digest))
    return top.descriptor


def test_an_index_is_believed_as_a_whole() -> None:
    target = place()
    top = signed_index(target)
    proof = verify(target, reference(), top, trusting())
    assert proof.descriptor == top
    child = Index.parse(target.fetch(top), top.media_type).manifests[0]
    assert "is not signed" in str(refused(target, child, trusting()))
    put_bundle(target, child, bundle(statement(child.digest)))
    assert verify(target, reference(), child, trusting()).descriptor == child


def test_a_denied_image_has_no_other_name() -> None:
    target, found = both()
    denying = policy([], default="insecure-allow-unsigned", denyDigests=[str(found.digest)])
    raw = target.fetch(found)
    longer = Descriptor(found.media_type, Digest.of(raw, "sha512"), len(raw))
    target.push(longer, raw)
    assert "denyDigests" in str(refused(target, longer, denying))
    top = Index.build([longer])
    target.push(top.descriptor, top.raw)
    assert "denyDigests" in str(refused(target, top.descriptor, denying))


def test_an_index_with_a_denied_image_is_refused() -> None:
    target = place()
    top = signed_index(target)
    rules = [{"scope": REPOSITORY, "requireAny": ["alice"]}]
    for child in Index.parse(target.fetch(top), top.media_type).manifests:
        error = refused(target, top, policy(rules, denyDigests=[str(child.digest)]))
        assert str(child.digest) in str(error)
    assert verify(target, reference(), top, policy(rules, denyDigests=[str(Digest.of(b"other"))]))


def test_an_index_inside_an_index_is_looked_into() -> None:
    target = place()
    inner = signed_index(target)
    outer = Index.build([inner])
    target.push(outer.descriptor, outer.raw)
    put_legacy(target, outer.descriptor.digest, signed_layer(outer.descriptor.digest))
    rules = [{"scope": REPOSITORY, "requireAny": ["alice"]}]
    denied = str(image("two", "arm64").descriptor.digest)
    assert denied in str(refused(target, outer.descriptor, policy(rules, denyDigests=[denied])))
    deep = outer
    for _ in range(4):
        deep = Index.build([deep.descriptor])
        target.push(deep.descriptor, deep.raw)
    assert "nested" in str(refused(target, deep.descriptor, policy(rules, denyDigests=[denied])))


def test_what_is_not_there_cannot_be_held_against_denied_digests() -> None:
    """An index of indexes of which one part was pulled: refused by the policy, not for want of a file."""
    inner = signed_index(place())
    target = place()
    outer = Index.build([inner])
    target.push(outer.descriptor, outer.raw)
    put_legacy(target, outer.descriptor.digest, signed_layer(outer.descriptor.digest))
    rules = [{"scope": REPOSITORY, "requireAny": ["alice"]}]
    assert verify(target, reference(), outer.descriptor, policy(rules))
    error = refused(target, outer.descriptor, policy(rules, denyDigests=[str(Digest.of(b"other"))]))
    assert "cannot be checked" in str(error)
    assert "--all-platforms" in error.hint


def test_a_threshold_over_both_formats() -> None:
    target = place()
    found = pushed(target)
    put_legacy(target, found.digest, signed_layer(found.digest))
    two = trusting("alice", "bob", threshold=2)
    error = refused(target, found, two)
    assert "too few of its signatures count (by alice), expected one each by 2 of alice, bob" in str(error)
    put_bundle(target, found, bundle(statement(found.digest)))
    refused(target, found, two)
    put_bundle(target, found, bundle(statement(found.digest), "bob"))
    assert {one.authority for one in verify(target, reference(), found, two).signers} == {"alice", "bob"}


def test_more_referrers_than_are_looked_at_are_an_error_unless_enough_is_in_hand() -> None:
    target = place()
    found = pushed(target)
    for number in range(65):
        put_bundle(target, found, f"junk {number}".encode())
    put_bundle(target, found, bundle(statement(found.digest)))
    with pytest.raises(ImageError):
        target.referrers(found.digest)
    assert "could not be read" in str(refused(target, found, trusting()))
    put_legacy(target, found.digest, signed_layer(found.digest))
    assert verify(target, reference(), found, trusting())
