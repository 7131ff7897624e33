"""Signing certificates: whom they name, and what it takes to believe them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from asn1crypto import core
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from bpfimg.sign._evidence._certificate import Certificate, _utf8string
from bpfimg.sign._evidence._certified import certified
from bpfimg.sign._evidence._identity import Identity
from bpfimg.sign._strict import Junk
from tests.support.sigstack import EXTENSIONS, Authority, CtLog, Issued, Secret
from tests.support.sigstack._authority import authority, der, distinguished, fulcio
from tests.support.sigstack._documents import certifier, log, rfc3339
from tests.unit.sign.evidence.scene import AT, root, root_with, world

if TYPE_CHECKING:
    from collections.abc import Callable

Parts = list[tuple[x509.ExtensionType, bool]]
KEY = Secret.of("a signer's key")
WHO, ISSUER = "https://ci.example/build@refs/heads/main", "https://idp.example"
LATE = AT + 600


def issued(by: Authority | None = None, *, subject: str = WHO, public: Any = None, **words: Any) -> Issued:
    """A certificate of the trusted authority, or of another one."""
    return (by or world().authority).issue(public or KEY.public, subject, ISSUER, **{"at": AT, **words})


def read(found: Issued) -> Certificate:
    return Certificate.parse(found.leaf)


def judged(found: Issued, trusted: Any = None, times: Any = (AT,), chain: Any = None) -> int:
    return certified(read(found), found.chain if chain is None else chain, trusted or root(), times)


def refused(found: Issued, reason: str, **words: Any) -> None:
    with pytest.raises(Junk, match=reason):
        judged(found, **words)


def without(kind: Any) -> Callable[[Parts], Parts]:
    return lambda parts: [one for one in parts if not isinstance(one[0], kind)]


def instead(kind: Any, *more: tuple[x509.ExtensionType, bool]) -> Callable[[Parts], Parts]:
    return lambda parts: [*without(kind)(parts), *more]


def also(*more: tuple[x509.ExtensionType, bool]) -> Callable[[Parts], Parts]:
    return lambda parts: [*parts, *more]


def usage(**yes: bool) -> x509.KeyUsage:
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    names = (*names, "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{name: yes.get(name, False) for name in names})


# Identity


def test_an_identity_is_subject_issuer_and_the_extensions_that_policies_know() -> None:
    assert read(issued()).identity == Identity(WHO, "uri", ISSUER, {})
    named = {name: f"the {name}" for name in EXTENSIONS}
    assert read(issued(extensions=named)).identity.extensions == named
    assert read(issued(subject="me@example.org")).identity == Identity("me@example.org", "email", ISSUER, {})


def test_a_certificate_is_its_key_and_its_bytes() -> None:
    found = issued()
    certificate = read(found)
    assert certificate.der == found.leaf
    assert certificate.key.der == KEY.spki
    assert certificate == read(found)
    assert hash(certificate) == hash(read(found))
    assert certificate != read(issued())
    assert repr(certificate) == f"Certificate('{WHO}' of '{ISSUER}')"


def test_a_user_name_is_read_as_fulcio_writes_it() -> None:
    name = x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.7"), core.UTF8String("me!idp").dump())
    found = read(issued(edit=instead(x509.SubjectAlternativeName, (x509.SubjectAlternativeName([name]), True))))
    assert (found.identity.subject, found.identity.subject_kind) == ("me!idp", "other")


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ([x509.RFC822Name("a@b.c"), x509.RFC822Name("d@e.f")], "2 subject alternative names"),
        ([x509.UniformResourceIdentifier("https://a"), x509.RFC822Name("d@e.f")], "2 subject alternative names"),
        ([x509.DNSName("a.example")], "named in an unknown way"),
        ([x509.OtherName(x509.ObjectIdentifier("1.2.3"), core.UTF8String("a").dump())], "named in an unknown way"),
        ([x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.7"), b"\x04\x01a")], "not a DER UTF8String"),
        ([x509.UniformResourceIdentifier("")], "is empty"),
    ],
    ids=["two of a kind", "two kinds", "a host", "an unknown name", "not UTF-8", "empty"],
)
def test_a_subject_has_one_name_of_a_known_kind(names: list[x509.GeneralName], reason: str) -> None:
    edit = instead(x509.SubjectAlternativeName, (x509.SubjectAlternativeName(names), True))
    with pytest.raises(Junk, match=reason):
        read(issued(edit=edit))


def test_a_certificate_without_a_subject_or_issuer_is_nothing() -> None:
    with pytest.raises(Junk, match="cannot be read"):
        read(issued(edit=without(x509.SubjectAlternativeName)))
    with pytest.raises(Junk, match="names no issuer"):
        read(issued(edit=without(x509.UnrecognizedExtension)))


def fulcio_issuers(*pairs: tuple[int, bytes]) -> Callable[[Parts], Parts]:
    return instead(x509.UnrecognizedExtension, *((fulcio(number, text), False) for number, text in pairs))


def test_the_issuer_may_stand_in_the_old_extension_the_new_or_both_but_once() -> None:
    new, old, other = core.UTF8String(ISSUER).dump(), ISSUER.encode(), b"https://evil.example"
    for pairs in (((1, old),), ((8, new),), ((1, old), (8, new))):
        assert read(issued(edit=fulcio_issuers(*pairs))).identity.issuer == ISSUER
    for pairs, reason in (
        (((1, other), (8, new)), "names two issuers"),
        (((1, b"\xff"),), "not UTF-8"),
        (((8, old),), "not a DER UTF8String"),
        (((8, new + b"\0"),), "UTF8String of 19 bytes, and has 20"),
        (((1, b""),), "names no issuer"),
    ):
        with pytest.raises(Junk, match=reason):
            read(issued(edit=fulcio_issuers(*pairs)))


@pytest.mark.parametrize("size", [0, 1, 127, 128, 255, 256, 65535])
def test_texts_of_any_length_are_read_as_der(size: int) -> None:
    assert _utf8string(core.UTF8String("x" * size).dump(), "it") == "x" * size


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x0c",
        b"\x0c\x01",
        b"\x0c\x01ab",
        b"\x13\x01a",
        b"\x0c\x80a\x00\x00",
        b"\x0c\x81\x01a",
        b"\x0c\x81",
        b"\x0c\x82\x00\x01a",
        b"\x0c\x82\x01",
        b"\x0c\x83\x00\x00\x01a",
        b"\x0c\xff",
        b"\x0c\x01\xff",
    ],
    ids=repr,
)
def test_what_is_no_der_text_is_junk(data: bytes) -> None:
    with pytest.raises(Junk):
        _utf8string(data, "it")


def test_an_extension_that_is_no_text_is_junk() -> None:
    with pytest.raises(Junk, match="its buildTrigger is not a DER UTF8String"):
        read(issued(edit=also((fulcio(20, b"push"), False))))


@pytest.mark.parametrize(
    "public",
    [
        rsa.generate_private_key(65537, 1024).public_key(),
        ec.generate_private_key(ec.SECP256K1()).public_key(),
        ec.generate_private_key(ec.SECP224R1()).public_key(),
    ],
    ids=["RSA-1024", "secp256k1", "P-224"],
)
def test_a_certificate_of_a_weak_or_unknown_key_is_nothing(public: Any) -> None:
    with pytest.raises(Junk, match="the key of the signing certificate"):
        read(issued(public=public))


def test_bytes_that_are_no_certificate_are_junk() -> None:
    good = issued().leaf
    for data in (b"", b"\0", good[:-1], good + b"\0", good[1:], good * 2, b"0" * 16_385, KEY.spki):
        with pytest.raises(Junk, match="the signing certificate"):
            Certificate.parse(data)


# Chain, usage and time


def test_a_certificate_of_the_authority_is_good_while_it_lasts_both_ends_included() -> None:
    found = issued()
    assert judged(found) == AT
    assert judged(found, times=(LATE,)) == LATE
    for time in (AT - 1, LATE + 1, 0, 2**40):
        refused(found, "was not valid at any verified time", times=(time,))
    refused(found, "no verified time says", times=())


def test_one_time_within_is_enough_and_the_earliest_of_them_is_told() -> None:
    assert judged(issued(), times=(LATE + 5, AT + 9, AT - 5, AT + 3)) == AT + 3


def test_a_strangers_authority_of_the_same_name_does_not_count() -> None:
    refused(issued(Authority("a stranger's", ct=world().authority.ct)), "not issued as it should be|its issuer's")


def test_a_chain_that_came_along_is_never_trusted() -> None:
    stranger = Authority("a stranger's", ct=world().authority.ct)
    refused(issued(stranger), "not issued", chain=stranger.chain)
    assert judged(issued(), chain=(b"junk", stranger.chain[0])) == AT


def test_an_intermediate_that_the_root_leaves_out_may_come_along() -> None:
    own = world().authority
    only_anchor = root_with(lambda d: d.update(certificateAuthorities=[certifier(own.chain[1:], "https://ca.example")]))
    assert judged(issued(), only_anchor) == AT
    refused(issued(), "not issued", trusted=only_anchor, chain=())


@pytest.mark.parametrize(
    ("usage", "good"), [(ExtendedKeyUsageOID.CODE_SIGNING, True), (ExtendedKeyUsageOID.SERVER_AUTH, False)]
)
def test_an_intermediate_that_came_along_issues_for_its_own_purpose_alone(
    usage: x509.ObjectIdentifier, *, good: bool
) -> None:
    own, _ = constrained(usages=[usage])
    only_anchor = root_with(lambda d: d.update(certificateAuthorities=[certifier(own.chain[1:], "https://ca.example")]))
    if good:
        assert judged(issued(own), only_anchor) == AT
    else:
        refused(issued(own), "may not issue for code signing", trusted=only_anchor)


def test_strangers_that_issue_each_other_are_passed_over() -> None:
    """Eight certificates of one name and key issue each other in 8^8 ways."""
    stranger = Authority("a stranger's", ct=world().authority.ct)
    key, name = stranger._key, stranger.intermediate.subject
    cluster = tuple(
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public)
        .serial_number(number)
        .not_valid_before(stranger.root.not_valid_before_utc)
        .not_valid_after(stranger.root.not_valid_after_utc)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .add_extension(usage(key_cert_sign=True), True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public), False)
        .sign(key.raw, hashes.SHA384())
        for number in range(1, 9)
    )
    refused(issued(stranger), "candidates exhausted: (?!fatal)", chain=tuple(map(der, cluster)))
    assert judged(issued(), chain=tuple(map(der, cluster))) == AT


def test_an_authority_counts_within_its_window() -> None:
    for window, good in (
        ({"start": rfc3339(AT), "end": rfc3339(AT)}, True),
        ({"start": rfc3339(AT + 1)}, False),
        ({"end": rfc3339(AT - 1)}, False),
        ({}, True),
    ):
        trusted = root_with(lambda d, w=window: d["certificateAuthorities"][0].update(validFor=w))
        if good:
            assert judged(issued(), trusted) == AT
        else:
            refused(issued(), "no certificate authority of the trusted root was in use", trusted=trusted)


def test_of_two_authorities_the_one_that_issued_counts() -> None:
    other = certifier(Authority("another").chain, "https://other.example")
    trusted = root_with(lambda d: d["certificateAuthorities"].insert(0, other))
    assert judged(issued(), trusted) == AT
    own = root_with(lambda d: d["certificateAuthorities"][0].update(validFor={"end": rfc3339(AT - 1)}))
    assert own.authorities
    retired = root_with(
        lambda d: (
            d["certificateAuthorities"][0].update(validFor={"end": rfc3339(AT - 1)}),
            d["certificateAuthorities"].append(other),
        )
    )
    refused(issued(), "not issued", trusted=retired)  # the window of another authority is no help


def test_a_root_without_authorities_believes_no_certificate() -> None:
    refused(issued(), "no certificate authority", trusted=root_with(lambda d: d.update(certificateAuthorities=[])))


PURPOSES = x509.ExtendedKeyUsage
PROFILE: tuple[tuple[str, dict[str, Any]], ...] = (
    ("for nothing", {"edit": without(PURPOSES)}),
    ("for servers", {"usages": [ExtendedKeyUsageOID.SERVER_AUTH]}),
    ("for clients", {"usages": [ExtendedKeyUsageOID.CLIENT_AUTH]}),
    ("for timestamps", {"usages": [ExtendedKeyUsageOID.TIME_STAMPING]}),
    ("for anything", {"usages": [ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]}),
    ("without key usage", {"edit": without(x509.KeyUsage)}),
    ("for key agreement", {"edit": instead(x509.KeyUsage, (usage(key_agreement=True), True))}),
    ("that may issue", {"edit": instead(x509.KeyUsage, (usage(digital_signature=True, key_cert_sign=True), True))}),
    ("that may revoke", {"edit": instead(x509.KeyUsage, (usage(digital_signature=True, crl_sign=True), True))}),
    ("of an authority", {"edit": also((x509.BasicConstraints(ca=True, path_length=None), True))}),
    ("with an unknown critical extension", {"edit": also((fulcio(99, b"\5\0"), True))}),
    ("with critical name constraints", {"edit": also((x509.NameConstraints([x509.DNSName("a.b")], None), True))}),
    ("without its issuer's key id", {"edit": without(x509.AuthorityKeyIdentifier)}),
)


@pytest.mark.parametrize(("name", "words"), PROFILE, ids=[one[0] for one in PROFILE])
def test_a_certificate_of_our_authority_that_is_not_for_signing_code(name: str, words: dict[str, Any]) -> None:
    del name
    refused(issued(**words), "the signing certificate")


def test_further_purposes_do_no_harm() -> None:
    usages = [ExtendedKeyUsageOID.CODE_SIGNING, ExtendedKeyUsageOID.CLIENT_AUTH]
    assert judged(issued(usages=usages)) == AT


def test_a_leaf_issued_by_a_leaf_is_not_believed() -> None:
    """Whoever has a signing certificate is no authority."""
    signer = Secret.of("a signer who would be an authority", "ecdsa-p384")
    first = issued(public=signer.public)
    leaf = x509.load_der_x509_certificate(first.leaf)
    stranger = Authority("below a leaf", ct=world().authority.ct)
    builder = x509.CertificateBuilder().subject_name(x509.Name([])).issuer_name(distinguished("sigstack issuer"))
    forged = (
        builder.public_key(KEY.public)
        .serial_number(7)
        .not_valid_before(leaf.not_valid_before_utc)
        .not_valid_after(leaf.not_valid_after_utc)
    )
    for one in x509.load_der_x509_certificate(issued(stranger).leaf).extensions:
        if one.oid != ExtensionOID.AUTHORITY_KEY_IDENTIFIER:
            forged = forged.add_extension(one.value, one.critical)
    forged = forged.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public), False)
    made = forged.sign(signer.raw, hashes.SHA384()).public_bytes(serialization.Encoding.DER)
    refused(Issued(made, (first.leaf, *first.chain)), "not issued|signature that is not its issuer's")


def constrained(*, path: int = 0, usages: Any = (), **limits: Any) -> tuple[Authority, Any]:
    """An authority whose intermediate is restricted, and the root that trusts it."""
    own = Authority("constrained", ct=world().authority.ct)
    top, key = own._root, own._key
    above, name = distinguished("sigstack root"), distinguished("sigstack issuer")
    own.intermediate = authority(name, key, above, top, path=path, usages=usages)
    if limits:
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(above).public_key(key.public)
        builder = builder.serial_number(9).not_valid_before(own.root.not_valid_before_utc)
        builder = builder.not_valid_after(own.root.not_valid_after_utc)
        for one in own.intermediate.extensions:
            builder = builder.add_extension(one.value, one.critical)
        builder = builder.add_extension(x509.NameConstraints(**limits), True)
        own.intermediate = builder.sign(top.raw, hashes.SHA384())
    return own, lambda d: d.update(certificateAuthorities=[certifier(own.chain, "https://ca.example")])


def test_name_constraints_of_the_authority_bind_its_leaves() -> None:
    permitted = [x509.RFC822Name("example.org")]
    own, edit = constrained(permitted_subtrees=permitted, excluded_subtrees=None)
    trusted = root_with(edit)
    for subject in ("me@example.com", "me@example.org"):
        found = issued(own, subject=subject)
        try:
            judged(found, trusted)
        except Junk:
            continue
        assert subject == "me@example.org"


def test_an_authority_that_may_not_issue_makes_a_root_unusable() -> None:
    own = Authority("leaf first")
    with pytest.raises(Junk, match=r"certificateAuthorities\[0\]"):
        root_with(lambda d: d.update(certificateAuthorities=[certifier((issued(own).leaf, *own.chain), "https://x")]))
    _, edit = constrained(usages=[ExtendedKeyUsageOID.SERVER_AUTH])
    with pytest.raises(Junk, match="may not issue for this purpose"):
        root_with(edit)
    with pytest.raises(Junk, match=r"its issuer's|cannot be read"):
        root_with(lambda d: d["certificateAuthorities"][0]["certChain"]["certificates"].reverse())


# Certificate logs


def test_a_certificate_needs_the_word_of_a_certificate_log() -> None:
    for sct, reason in (
        (False, "expected one in the certificate, there is none"),
        (CtLog("a stranger's"), "of a log that the trusted root does not name"),
        (b"\0\0", "SCT"),
        (b"junk", "SCT"),
        (b"", "SCT"),
    ):
        refused(issued(sct=sct), reason)


def test_a_strangers_certificate_log_that_borrows_the_id_does_not_count() -> None:
    stranger = CtLog("a stranger's")

    class Borrowed(CtLog):
        log_id = world().authority.ct.log_id

    borrowed = Borrowed("x")
    borrowed.key = stranger.key
    refused(issued(sct=borrowed), "it is not signed by http://127.0.0.1/ct")


def test_the_word_is_for_this_certificate_of_this_issuer() -> None:
    ct = world().authority.ct
    other = x509.load_der_x509_certificate(issued(sct=False).leaf)
    issuer = world().authority._key.spki
    refused(issued(sct=ct.promise(other, issuer, AT)), "it is not signed by")

    class OfAnotherIssuer(CtLog):
        def promise(self, certificate: x509.Certificate, issuer: bytes, at: float) -> bytes:
            return super().promise(certificate, KEY.spki, at)

    refused(issued(sct=OfAnotherIssuer("evidence")), "it is not signed by")


def test_one_good_word_among_several_is_enough() -> None:
    class Several(CtLog):
        def promise(self, certificate: x509.Certificate, issuer: bytes, at: float) -> bytes:
            lists = [one.promise(certificate, issuer, at)[2:] for one in (CtLog("x"), CtLog("evidence"), CtLog("y"))]
            joined = b"".join(lists)
            return len(joined).to_bytes(2, "big") + joined

    assert judged(issued(sct=Several("evidence"))) == AT


def test_the_key_of_a_certificate_log_counts_within_its_window() -> None:
    for window, good in (
        ({"start": rfc3339(AT), "end": rfc3339(AT)}, True),
        ({"start": rfc3339(AT + 1)}, False),
        ({"end": rfc3339(AT - 1)}, False),
    ):
        trusted = root_with(lambda d, w=window: d["ctlogs"][0]["publicKey"].update(validFor=w))
        if good:
            assert judged(issued(), trusted) == AT
        else:
            refused(issued(), "the key of http://127.0.0.1/ct was not in use at its time", trusted=trusted)


def test_the_key_of_a_transparency_log_is_not_that_of_a_certificate_log() -> None:
    trusted = root_with(lambda d: d.update(ctlogs=d["tlogs"], tlogs=d["ctlogs"]))
    refused(issued(), "of a log that the trusted root does not name", trusted=trusted)
    rekor = world().rekors[1]
    assert root_with(lambda d: d["ctlogs"].append(log("https://x.example", rekor.key, rekor.log_id)))


def test_a_precertificate_is_no_certificate() -> None:
    poison = x509.PrecertPoison()
    refused(issued(edit=also((poison, True))), "the signing certificate")


def test_der_of_authorities_is_what_the_root_has() -> None:
    assert der(world().authority.root) == world().authority.chain[1]
