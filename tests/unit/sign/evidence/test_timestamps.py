"""RFC 3161 timestamps: of whom, over what, when; and the authorities that may give them."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asn1crypto import cms, core, tsp
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID

from bpfimg._value import replace
from bpfimg.sign._evidence._certificate import Certificate
from bpfimg.sign._evidence._timestamp import Stamped, stamped
from bpfimg.sign._evidence._witness import witness
from bpfimg.sign._strict import Junk
from tests.support.sigstack import Secret, Tsa
from tests.support.sigstack._authority import authority, der, distinguished, stamping
from tests.support.sigstack._documents import certifier, rfc3339
from tests.unit.sign.evidence.scene import AT, bundle, parsed, root, root_with, seen, why_not, world

SIGNATURE = b"the bytes of a signature"
BY = "http://127.0.0.1/tsa"


def judged(data: bytes, trusted: Any = None, signature: bytes = SIGNATURE) -> Stamped:
    return stamped(data, signature, (trusted or root()).timestamp_authorities)


def refused(data: bytes, reason: str, **words: Any) -> None:
    with pytest.raises(Junk, match=reason):
        judged(data, **words)


def stamp(tsa: Tsa | None = None, **words: Any) -> bytes:
    return (tsa or world().tsa).stamp(SIGNATURE, **{"at": AT, **words})


def trusting(chain: Any, **fields: Any) -> Any:
    return root_with(lambda d: d.update(timestampAuthorities=[{**certifier(chain, BY), **fields}]))


def with_leaf(change: Any, *, issuers: Any = None) -> Tsa:
    """An authority whose own certificate is made by `change(builder)`."""
    tsa = Tsa("evidence")
    top = Secret.of("evidence tsa root", "ecdsa-p384")
    above = distinguished("sigstack timestamps root")
    tsa.root = authority(above, top, above, top, path=0, usages=issuers or [ExtendedKeyUsageOID.TIME_STAMPING])
    plain = stamping(distinguished("sigstack timestamps"), tsa._key, above, top)
    builder = x509.CertificateBuilder().subject_name(plain.subject).issuer_name(above).public_key(tsa._key.public)
    builder = builder.serial_number(11).not_valid_before(plain.not_valid_before_utc)
    builder = builder.not_valid_after(plain.not_valid_after_utc)
    tsa.certificate = change(builder, plain.extensions).sign(top.raw, hashes.SHA384())
    return tsa


def keep(builder: Any, extensions: Any, *without: Any) -> Any:
    for one in extensions:
        if not isinstance(one.value, without):
            builder = builder.add_extension(one.value, one.critical)
    return builder


def test_a_timestamp_over_the_signature_is_believed() -> None:
    assert judged(stamp()) == Stamped(BY, AT)


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_the_signature_may_be_hashed_in_three_ways(algorithm: str) -> None:
    data = world().tsa.answer(algorithm, hashlib.new(algorithm, SIGNATURE).digest(), at=AT)
    assert judged(data) == Stamped(BY, AT)
    refused(data, "it is about another signature", signature=SIGNATURE + b"\0")


def test_weak_hashes_are_refused() -> None:
    data = world().tsa.answer("sha1", hashlib.sha1(SIGNATURE, usedforsecurity=False).digest(), at=AT)
    refused(data, "expected SHA-256, SHA-384 or SHA-512")


def test_the_certificate_need_not_be_inside() -> None:
    data = world().tsa.answer("sha256", hashlib.sha256(SIGNATURE).digest(), at=AT, embed=False)
    assert judged(data) == Stamped(BY, AT)


def test_a_nonce_and_a_fraction_of_a_second_do_no_harm() -> None:
    data = world().tsa.answer("sha256", hashlib.sha256(SIGNATURE).digest(), at=AT, nonce=7)
    assert judged(data) == Stamped(BY, AT)


def test_a_stranger_does_not_count_even_under_the_same_name_and_number() -> None:
    refused(stamp(Tsa("a stranger's")), "of an authority that the trusted root does not name|is not signed by")
    stranger = Tsa("a stranger's")
    posing = with_leaf(keep)
    trusted = trusting(posing.chain)
    assert judged(stamp(posing), trusted) == Stamped(BY, AT)
    posing._key = stranger._key
    refused(stamp(posing), "is not signed by", trusted=trusted)


def test_a_stranger_may_not_bring_the_certificate_along() -> None:
    stranger = with_leaf(keep)
    own = with_leaf(keep)
    stranger._key = Secret.of("a stranger's")
    above, top = distinguished("sigstack timestamps root"), Secret.of("a stranger's root", "ecdsa-p384")
    fake = x509.CertificateBuilder().subject_name(own.certificate.subject).issuer_name(above)
    fake = fake.public_key(stranger._key.public).serial_number(11)
    fake = fake.not_valid_before(own.certificate.not_valid_before_utc)
    fake = fake.not_valid_after(own.certificate.not_valid_after_utc)
    stranger.certificate = keep(fake, own.certificate.extensions).sign(top.raw, hashes.SHA384())
    refused(stamp(stranger), "is not signed by", trusted=trusting(own.chain))


def test_only_what_is_granted_counts() -> None:
    for status in ("granted_with_mods", "rejection", "waiting", "revocation_warning", "revocation_notification"):
        response = tsp.TimeStampResp.load(stamp())
        made = tsp.TimeStampResp({"status": {"status": status}, "time_stamp_token": response["time_stamp_token"]})
        refused(made.dump(), "expected 0|cannot be read")
    refused(bytes.fromhex("30053003020100"), "the timestamp")  # granted, and nothing given


def test_an_authority_counts_within_its_window_both_ends_included() -> None:
    for window, good in (
        ({"start": rfc3339(AT), "end": rfc3339(AT)}, True),
        ({"start": rfc3339(AT + 1)}, False),
        ({"end": rfc3339(AT - 1)}, False),
        ({}, True),
    ):
        trusted = trusting(world().tsa.chain, validFor=window)
        if good:
            assert judged(stamp(), trusted).time == AT
        else:
            refused(stamp(), f"{BY} was not in use at its time", trusted=trusted)


def test_the_certificates_of_an_authority_must_be_valid_at_the_time() -> None:
    for at in (1_577_836_799, 2_208_988_801):
        refused(stamp(at=at), "was not in use at its time", trusted=trusting(world().tsa.chain, validFor={}))


def test_of_two_authorities_the_one_that_stamped_counts() -> None:
    other = certifier(Tsa("another", name="other").chain, "https://other.example")
    for position in (0, 1):
        trusted = root_with(lambda d, p=position: d["timestampAuthorities"].insert(p, other))
        assert judged(stamp(), trusted) == Stamped(BY, AT)


def test_an_authority_that_stands_twice_counts_in_either_window() -> None:
    old = {**certifier(world().tsa.chain, "https://old.example"), "validFor": {"end": rfc3339(AT - 1)}}
    trusted = root_with(lambda d: d["timestampAuthorities"].insert(0, old))
    assert judged(stamp(), trusted) == Stamped(BY, AT)
    assert judged(stamp(at=AT - 100), trusted) == Stamped("https://old.example", AT - 100)


def test_an_authority_without_an_url_goes_by_its_name() -> None:
    assert judged(stamp(), trusting(world().tsa.chain, uri="")).by == "sigstack"
    assert judged(stamp(), trusting(world().tsa.chain, uri="", subject={})).by == "timestampAuthorities[0]"


def test_an_intermediate_may_stand_between() -> None:
    tsa = Tsa("evidence")
    top, middle = Secret.of("tsa anchor", "ecdsa-p384"), Secret.of("tsa middle", "ecdsa-p384")
    above, name = distinguished("anchor"), distinguished("middle")
    usages = [ExtendedKeyUsageOID.TIME_STAMPING]
    anchor = authority(above, top, above, top, path=1, usages=usages)
    between = authority(name, middle, above, top, path=0, usages=usages)
    tsa.certificate = stamping(distinguished("leaf"), tsa._key, name, middle)
    trusted = trusting((der(tsa.certificate), der(between), der(anchor)))
    assert judged(stamp(tsa), trusted) == Stamped(BY, AT)
    with pytest.raises(Junk, match=r"its issuer's|cannot be read"):
        trusting((der(tsa.certificate), der(anchor), der(between)))


# Authorities that may not


def test_a_root_that_does_not_say_whose_certificate_stamps_has_no_such_authority() -> None:
    for chain in (world().tsa.chain[1:], world().tsa.chain[:1]):
        trusted = trusting(chain)
        assert trusted.timestamp_authorities == ()
        assert "names no certificate that stamps" in trusted.unused[0]
        refused(stamp(), "of an authority that the trusted root does not name", trusted=trusted)


PURPOSE = x509.ExtendedKeyUsage


def test_a_certificate_that_is_not_for_timestamps_alone_makes_a_root_unusable() -> None:
    stamping_only, code = ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.CODE_SIGNING
    for usages, critical in (
        ([code], True),
        ([stamping_only, code], True),
        ([stamping_only], False),
        ([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE], True),
        ([], None),
    ):

        def change(builder: Any, extensions: Any, usages: Any = usages, critical: Any = critical) -> Any:
            builder = keep(builder, extensions, PURPOSE)
            return builder if critical is None else builder.add_extension(PURPOSE(usages), critical)

        with pytest.raises(Junk, match="not for timestamps alone"):
            trusting(with_leaf(change).chain)


def test_a_certificate_that_is_not_for_signatures_makes_a_root_unusable() -> None:
    from tests.unit.sign.evidence.test_certificates import usage

    def change(builder: Any, extensions: Any) -> Any:
        return keep(builder, extensions, x509.KeyUsage).add_extension(usage(key_agreement=True), True)

    with pytest.raises(Junk, match="not for signatures"):
        trusting(with_leaf(change).chain)


def test_a_critical_extension_that_nobody_reads_makes_a_root_unusable() -> None:
    def change(builder: Any, extensions: Any) -> Any:
        unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\5\0")
        return keep(builder, extensions).add_extension(unknown, True)

    with pytest.raises(Junk, match="unknown critical extension"):
        trusting(with_leaf(change).chain)


def test_an_issuer_for_other_purposes_makes_a_root_unusable() -> None:
    tsa = with_leaf(keep, issuers=[ExtendedKeyUsageOID.CODE_SIGNING])
    with pytest.raises(Junk, match="may not issue for this purpose"):
        trusting(tsa.chain)


def test_a_leaf_that_the_chain_did_not_issue_makes_a_root_unusable() -> None:
    with pytest.raises(Junk, match="its issuer's"):
        trusting((world().tsa.chain[0], Tsa("other").chain[1]))


# Tokens that are not what they should be


def edited(change: Any) -> bytes:
    response = tsp.TimeStampResp.load(stamp())
    token = response["time_stamp_token"]["content"]
    change(token)
    made = {
        "status": {"status": "granted"},
        "time_stamp_token": cms.ContentInfo({"content_type": "signed_data", "content": token.copy()}),
    }
    return bytes(tsp.TimeStampResp(made).dump(force=True))


def test_a_token_has_exactly_one_signer() -> None:
    def twice(token: Any) -> None:
        token["signer_infos"].append(token["signer_infos"][0].copy())

    def never(token: Any) -> None:
        token["signer_infos"] = cms.SignerInfos([])

    refused(edited(twice), "the timestamp")
    refused(edited(never), "0 signers")
    assert judged(edited(lambda _token: None)) == Stamped(BY, AT)


def test_a_token_whose_content_was_exchanged_is_not_signed() -> None:
    later = tsp.TimeStampResp.load(stamp(at=AT + 5))["time_stamp_token"]["content"]

    def exchange(token: Any) -> None:
        token["encap_content_info"] = later["encap_content_info"].copy()

    refused(edited(exchange), f"it is not signed by {BY}")


def test_a_token_of_something_else_than_a_timestamp_is_refused() -> None:
    def other(token: Any) -> None:
        token["encap_content_info"] = {"content_type": "data", "content": core.ParsableOctetString(b"no TSTInfo")}

    refused(edited(other), "the timestamp")


def test_a_token_is_bounded_and_nothing_comes_after_it() -> None:
    refused(stamp() + b"\0", "the timestamp")
    refused(b"0" * 65_537, "expected at most 65536")
    for data in (b"", b"\0", b"0\0", stamp()[:-1], stamp()[1:], stamp() * 2):
        refused(data, "the timestamp")


def test_times_before_and_far_beyond_end_in_a_verdict() -> None:
    for moment in (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)):
        data = world().tsa.stamp(SIGNATURE, at=AT, edit=lambda fields, m=moment: fields.update(gen_time=m))
        refused(data, "the timestamp")
    fraction = datetime.fromtimestamp(AT, UTC) + timedelta(microseconds=900_000)
    data = world().tsa.stamp(SIGNATURE, at=AT, edit=lambda fields: fields.update(gen_time=fraction))
    assert judged(data) == Stamped(BY, AT)


def test_a_token_is_of_version_1_and_of_any_policy() -> None:
    refused(world().tsa.stamp(SIGNATURE, at=AT, edit=lambda fields: fields.update(version=2)), "is of version 2")
    for edit in (lambda fields: fields.update(ordering=True), lambda fields: fields.update(policy="1.2.3")):
        assert judged(world().tsa.stamp(SIGNATURE, at=AT, edit=edit)) == Stamped(BY, AT)


# Beside a signature


def test_a_bundle_is_stamped_over_its_signature_and_nothing_else() -> None:
    candidate = parsed(bundle())
    assert seen(bundle(rekor=None)).stamps == (Stamped(BY, AT),)
    for other in (candidate.message, candidate.payload, b"", hashlib.sha256(candidate.signature).digest()):
        found = seen(bundle(rekor=None, stamped=other))
        assert found.stamps == ()
        assert found.failed == ("the timestamp: it is about another signature",)


def test_what_an_attestation_is_enclosed_in_may_be_stamped_instead() -> None:
    """cosign 2.5 stamps the whole layer of an `.att`, cosign 3.1 the signature in it."""
    blob = b'{"payload":"","signatures":[{"sig":""}]}'
    for over, counts in ((None, True), (blob, True), (blob + b" ", False), (b"", False)):
        made = parsed(bundle(rekor=None, stamped=over))
        certificate = Certificate.parse(made.material.certificate)
        for enclosed in (blob, b""):
            found = witness(replace(made, enclosed=enclosed), root(), certificate)
            assert bool(found.stamps) is (counts and (over is None or bool(enclosed)))
            assert found.failed == (() if found.stamps else ("the timestamp: it is about another signature",))


def test_a_timestamp_alone_gives_a_certificate_its_time() -> None:
    assert seen(bundle(rekor=None)).times("any") == seen(bundle(rekor=None)).times("tsa") == (AT,)
    assert "not valid at any verified time" in why_not(bundle(rekor=1, issued_at=AT - 4000))


def test_der_of_the_time_is_as_the_standard_says() -> None:
    assert core.GeneralizedTime(datetime.fromtimestamp(AT, UTC)).native.timestamp() == AT
