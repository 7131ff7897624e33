"""Who is believed with a certificate, a log entry and a time; and what each of them must say."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from bpfimg._value import replace
from bpfimg.errors import PolicyError, VerificationError
from bpfimg.sign import Policy, PublicKey, verify
from bpfimg.sign._policy._patterns import Pattern
from bpfimg.sign._policy._rules import Authority, IdentityPattern, Root, Rule
from tests.support.sigstack import ISSUER, SUBJECT, CtLog, Secret, Tsa, World
from tests.unit.sign.craft import (
    REPOSITORY,
    SIG,
    key,
    payload,
    place,
    pushed,
    put_bundle,
    put_legacy,
    reference,
    statement,
)

if TYPE_CHECKING:
    from bpfimg.oci import Descriptor, Memory
    from bpfimg.sign import Believed

AT = 1_750_000_000
WORLD = World("keyless")
MALLORY = World("mallory")
ME = IdentityPattern(ISSUER, SUBJECT)


def root(raw: bytes | None = None) -> Root:
    data = WORLD.trusted_root() if raw is None else raw
    return Root("corp", "root.json", f"sha256:{hashlib.sha256(data).hexdigest()}", data)


def believing(*identities: IdentityPattern, **fields: Any) -> Policy:
    """The policy that somebody with one of these identities signs."""
    authority = Authority("ci", root=root(), timestamp="any", identities=identities or (ME,))
    return trusting(replace(authority, **fields))


def trusting(*authorities: Authority, **fields: Any) -> Policy:
    return Policy("policy.json", "sha256:x", (), Rule(None, "verify", authorities, **fields))


@pytest.fixture
def target() -> Memory:
    return place()


@pytest.fixture
def image(target: Memory) -> Descriptor:
    return pushed(target)


def put(target: Memory, image: Descriptor, form: str = "bundle", *, world: World = WORLD, **how: Any) -> None:
    how = {"at": AT, **how}
    if form == "legacy":
        data = payload(image.digest)
        put_legacy(target, image.digest, (data, world.legacy(data, **how), SIG))
    else:
        put_bundle(target, image, world.bundle(statement(image.digest, REPOSITORY), **how))


def refused(target: Memory, image: Descriptor, policy: Policy) -> str:
    with pytest.raises(VerificationError) as caught:
        verify(target, reference(), image, policy)
    assert len(caught.value.reasons) == 1, caught.value.reasons
    return caught.value.reasons[0]


def signer(target: Memory, image: Descriptor, policy: Policy) -> Believed:
    (found,) = verify(target, reference(), image, policy, thorough=True).signers
    return found


@pytest.mark.parametrize("form", ["bundle", "legacy"])
def test_who_when_by_which_log_and_timestamp(target: Memory, image: Descriptor, form: str) -> None:
    put(target, image, form, stamped_at=AT + 5)
    found = signer(target, image, believing())
    assert (found.authority, found.identity, found.issuer, found.fingerprint) == ("ci", SUBJECT, ISSUER, "")
    assert (found.format, found.rule) == (form, "default")
    assert (found.signed_at, found.times) == (AT, (AT, AT + 5))
    assert found.logs[0].startswith("http://127.0.0.1/rekor1 entry ")
    assert found.stamps == ("http://127.0.0.1/tsa",)


@pytest.mark.parametrize("version", ["v0.3", "0.3", "0.2", "0.1"])
def test_every_version_of_the_bundle_is_read(target: Memory, image: Descriptor, version: str) -> None:
    put(target, image, version=version)
    assert signer(target, image, believing()).identity == SUBJECT


@pytest.mark.parametrize("media_type", ["0.1", "0.2", "0.3"])
def test_an_old_bundle_is_found_under_its_old_media_type(target: Memory, image: Descriptor, media_type: str) -> None:
    data = WORLD.bundle(statement(image.digest), at=AT, version=media_type)
    kind = f"application/vnd.dev.sigstore.bundle+json;version={media_type}"
    put_bundle(target, image, data, media_type=kind)
    assert signer(target, image, believing()).identity == SUBJECT


def test_a_chain_of_certificates_is_for_old_bundles_only(target: Memory, image: Descriptor) -> None:
    def newer(bundle: dict[str, Any]) -> None:
        bundle["mediaType"] = "application/vnd.dev.sigstore.bundle.v0.3+json"

    put(target, image, version="0.2", edit=newer)
    assert "expected certificate in a bundle of version 0.3" in refused(target, image, believing())


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        (ME, True),
        (IdentityPattern(ISSUER, Pattern.parse(r"https://ci\.example/team/.*", "x")), True),
        (IdentityPattern(Pattern.parse(r"https://idp\.(example|test)", "x"), SUBJECT), True),
        (IdentityPattern(ISSUER, SUBJECT[:-1]), False),  # a prefix
        (IdentityPattern(ISSUER, Pattern.parse(r"https://ci\.example/team", "x")), False),
        (IdentityPattern(ISSUER, Pattern.parse(r"ci\.example", "x")), False),  # somewhere in the middle
        (IdentityPattern("https://idp.example.evil", SUBJECT), False),
        (IdentityPattern("https://idp", SUBJECT), False),
        (IdentityPattern(SUBJECT, ISSUER), False),
        (IdentityPattern(ISSUER, SUBJECT, (("runnerEnvironment", "self-hosted"),)), True),
        (IdentityPattern(ISSUER, SUBJECT, (("runnerEnvironment", "github-hosted"),)), False),
        (IdentityPattern(ISSUER, SUBJECT, (("buildTrigger", "push"),)), False),  # not in the certificate
    ],
)
def test_an_identity_fits_as_a_whole(
    target: Memory, image: Descriptor, pattern: IdentityPattern, *, matches: bool
) -> None:
    put(target, image, extensions={"runnerEnvironment": "self-hosted"})
    if matches:
        assert signer(target, image, believing(pattern)).issuer == ISSUER
    else:
        reason = refused(target, image, believing(pattern))
        assert reason.endswith(
            f"is signed by the certificate of {SUBJECT!r} by {ISSUER!r}, whom the rule does not name"
        )


def test_one_of_the_identities_is_enough(target: Memory, image: Descriptor) -> None:
    put(target, image)
    assert signer(target, image, believing(IdentityPattern(ISSUER, "else"), ME))


LIES: dict[str, tuple[dict[str, Any], str]] = {
    "another authority": ({"world": MALLORY}, "it has not a transparency log entry that verifies"),
    "a certificate of another authority": ({"authority": MALLORY.authority}, "certificate"),
    "no log entry": ({"rekor": None}, "it lacks a transparency log entry"),
    "another log": ({"rekor": MALLORY.rekors[1]}, "it has not a transparency log entry that verifies"),
    "a log entry about something else": ({"about": b"{}"}, "it has not a transparency log entry that verifies"),
    "Rekor 2 without a timestamp": ({"rekor": 2, "tsa": False}, "it lacks a time that says when"),
    "Rekor 2 with a timestamp of another authority": (
        {"rekor": 2, "tsa": Tsa("other")},
        "it has not a time that says when that verifies",
    ),
    "a timestamp of something else": ({"rekor": 2, "stamped": b"x"}, "it has not a time that says when that verifies"),
    "signed after the certificate ran out": ({"issued_at": AT - 3600}, "was not valid at any verified time"),
    "signed before the certificate": ({"issued_at": AT + 3600}, "was not valid at any verified time"),
    "no promise of a certificate log": ({"sct": False}, "certificate"),
    "a promise of another certificate log": ({"sct": CtLog("other")}, "certificate"),
}


# a `.sig` has room for entries of Rekor 1 only
CASES = [
    (name, form)
    for name in LIES
    for form in ("bundle", "legacy")
    if form == "bundle" or LIES[name][0].get("rekor") != 2
]


@pytest.mark.parametrize(("name", "form"), CASES)
def test_a_lie_is_refused_and_hides_nothing(target: Memory, image: Descriptor, name: str, form: str) -> None:
    how, says = LIES[name]
    put(target, image, form, **how)
    assert says in refused(target, image, believing())
    put(target, image, "bundle")
    assert signer(target, image, believing()).identity == SUBJECT


def test_an_expired_certificate_is_good_when_the_signature_is_as_old(target: Memory, image: Descriptor) -> None:
    put(target, image, at=1_700_000_000)
    assert signer(target, image, believing()).signed_at == 1_700_000_000


@pytest.mark.parametrize(
    ("source", "how", "good"),
    [
        ("any", {"rekor": 1, "tsa": False}, True),
        ("any", {"rekor": 2, "tsa": True}, True),
        ("tlog", {"rekor": 1, "tsa": False}, True),
        ("tlog", {"rekor": 2, "tsa": True}, False),
        ("tsa", {"rekor": 1, "tsa": False}, False),
        ("tsa", {"rekor": 1, "tsa": True}, True),
        ("tsa", {"rekor": 2, "tsa": True}, True),
        ("tsa", {"rekor": 1, "tsa": Tsa("other")}, False),
    ],
)
def test_the_source_of_time(target: Memory, image: Descriptor, source: str, how: dict[str, Any], *, good: bool) -> None:
    put(target, image, **how)
    if good:
        assert signer(target, image, believing(timestamp=source)).signed_at == AT
    else:
        reason = refused(target, image, believing(timestamp=source))
        assert ("a timestamp that says when" if source == "tsa" else "the time of a log entry that says when") in reason


def test_a_certificate_for_another_key_is_said(target: Memory, image: Descriptor) -> None:
    def swapped(bundle: dict[str, Any]) -> None:
        other = json.loads(WORLD.bundle(statement(image.digest), at=AT))
        bundle["verificationMaterial"]["certificate"] = other["verificationMaterial"]["certificate"]

    put(target, image, edit=swapped)
    assert "its certificate is for another key than the one that signed" in refused(target, image, believing())


def test_bytes_that_are_no_certificate(target: Memory, image: Descriptor) -> None:
    def broken(bundle: dict[str, Any]) -> None:
        bundle["verificationMaterial"]["certificate"] = {"rawBytes": "AAAA"}

    put(target, image, edit=broken)
    assert "holds no keyless signature: " in refused(target, image, believing())


def test_a_keyless_signature_is_none_for_a_rule_with_keys(target: Memory, image: Descriptor) -> None:
    put(target, image)
    policy = trusting(Authority("alice", (key().public,)))
    assert refused(target, image, policy).endswith("holds a keyless signature, not by a key that the rule names")


def test_a_key_that_has_a_certificate_counts_as_the_key(target: Memory, image: Descriptor) -> None:
    """cosign signs with a key and attaches a certificate of one's own making: the key is what was named."""
    put(target, image, key=Secret.of("own"), authority=MALLORY.authority, rekor=None, tsa=False)
    found = signer(target, image, trusting(Authority("own", (PublicKey.of(Secret.of("own").spki),))))
    assert found.fingerprint
    assert not found.identity


def test_a_key_and_an_identity_make_two(target: Memory, image: Descriptor) -> None:
    ci = Authority("ci", root=root(), timestamp="any", identities=(ME,))
    alice = Authority("alice", (key().public,), tlog="ignore", timestamp="ignore")
    policy = trusting(ci, alice, threshold=2)
    put(target, image)
    with pytest.raises(VerificationError, match="too few"):
        verify(target, reference(), image, policy)
    put(target, image, "legacy")
    with pytest.raises(VerificationError, match="too few"):  # the same identity in both formats
        verify(target, reference(), image, policy)
    put(target, image, key=key())
    assert {one.authority for one in verify(target, reference(), image, policy).signers} == {"ci", "alice"}


def test_one_signature_by_a_named_key_that_has_a_certificate_too_counts_once(target: Memory, image: Descriptor) -> None:
    ci = Authority("ci", root=root(), timestamp="any", identities=(ME,))
    own = Authority("own", (PublicKey.of(Secret.of("own").spki),), tlog="ignore", timestamp="ignore")
    policy = trusting(ci, own, threshold=2)
    put(target, image, key=Secret.of("own"), authority=WORLD.authority)
    with pytest.raises(VerificationError, match="too few"):
        verify(target, reference(), image, policy)
    put(target, image)  # the same identity with a key of the moment: a signature of its own
    assert {one.authority for one in verify(target, reference(), image, policy).signers} == {"ci", "own"}


def test_one_identity_in_two_authorities_counts_once(target: Memory, image: Descriptor) -> None:
    ci = Authority("ci", root=root(), timestamp="any", identities=(ME,))
    two = trusting(ci, replace(ci, name="also"), threshold=2)
    put(target, image)
    with pytest.raises(VerificationError, match="too few"):
        verify(target, reference(), image, two)
    one = IdentityPattern(ISSUER, Pattern.parse(".*", "x"))
    two = trusting(ci, replace(ci, name="also", identities=(one,)), threshold=2)
    put(target, image, subject="https://ci.example/other")
    assert len(verify(target, reference(), image, two).signers) == 3


def test_a_root_that_cannot_be_used_refuses_everything(target: Memory, image: Descriptor) -> None:
    put(target, image)
    with pytest.raises(PolicyError, match="trusted root corp"):
        verify(target, reference(), image, believing(root=root(b"{}")))


def test_another_repository(target: Memory, image: Descriptor) -> None:
    put_bundle(target, image, WORLD.bundle(statement(image.digest, "registry.example/x"), at=AT))
    assert "for another repository, 'registry.example/x'" in refused(target, image, believing())
