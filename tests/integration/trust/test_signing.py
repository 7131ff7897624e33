"""Signing with services: what they say stands in both formats, and ours and sigstore-python's verifiers believe it."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bpfimg import sign
from bpfimg.errors import UsageError
from bpfimg.oci import Index, Layout, Manifest, Memory, Reference, Repository, places
from bpfimg.sign import Policy, signers, verify
from bpfimg.sign._policy._rules import IdentityPattern
from tests.support.sigstack import SUBJECT, sigstack
from tests.support.sigstack._authority import pem
from tests.support.targets import image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bpfimg.oci import Descriptor, Target
    from tests.support.sigstack import Stack

NAME = "registry.example/team/app"
SIG = "dev.cosignproject.cosign/signature"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with sigstack(tmp_path_factory.mktemp("sigstack") / "stack") as running:
        yield running


@pytest.fixture(autouse=True)
def asked(stack: Stack) -> Stack:
    for service in stack.services.values():
        service.asked.clear()
    return stack


@pytest.fixture(scope="module")
def connections() -> Iterator[places.Connections]:
    with places.Connections(places.RegistryOptions()) as made:
        yield made


@pytest.fixture(scope="module")
def services(stack: Stack, connections: places.Connections) -> Callable[..., signers.Services]:
    def made(rekor: int, *, tsa: bool = True) -> signers.Services:
        config = stack.trust_config_of(rekor, tsa=tsa).read_bytes()
        return signers.Services(signers.TrustConfig.parse(config, "ours", time.time()), connections)

    return made


def a_key(kind: str = "ecdsa-p256") -> sign.PrivateKey:
    """A new key, not through a file: opening one with a password takes a third of a second."""
    made: Any = {
        "ecdsa-p256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "ecdsa-p384": lambda: ec.generate_private_key(ec.SECP384R1()),
        "ed25519": ed25519.Ed25519PrivateKey.generate,
    }[kind]()
    return sign.PrivateKey.load(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), b"")


def place() -> Memory:
    return Memory(Repository.parse(NAME))


def by_identity(stack: Stack, subject: str = SUBJECT) -> Policy:
    root = signers.TrustConfig.parse(stack.trust_config.read_bytes(), "ours", time.time()).root
    return Policy.for_identity((IdentityPattern(issuer=stack.issuer, subject=subject),), root, "the test")


def believed(target: Target, found: Descriptor, policy: Policy) -> list[Any]:
    reference = Reference.parse(f"{NAME}:v1")
    return list(verify(target, reference, found, policy, thorough=True).signers)


def bundle_of(target: Target, found: Descriptor) -> dict[str, Any]:
    (referrer,) = target.referrers(found.digest)
    document: dict[str, Any] = json.loads(target.fetch(Manifest.parse(target.fetch(referrer)).layers[0]))
    return document


def layers_of(target: Target, found: Descriptor, ending: str = "sig") -> tuple[Descriptor, ...]:
    return Manifest.parse(target.fetch(target.resolve(f"{found.digest.tag}.{ending}"))).layers


def posts(stack: Stack) -> dict[str, int]:
    return {name: each.asked.count(f"POST {path}") for name, path in POSTS.items() for each in [stack.services[name]]}


POSTS = {
    "fulcio": "/api/v2/signingCert",
    "rekor1": "/api/v1/log/entries",
    "rekor2": "/api/v2/log/entries",
    "tsa": "/api/v1/timestamp",
}


# With an identity


def test_an_identity_signs_in_both_formats_with_a_rekor_of_version_1(
    stack: Stack, services: Callable[..., signers.Services]
) -> None:
    target, said = place(), list[str]()
    found = image("one").push(target, "v1")
    signed = sign.image(target, found, signers.Keyless(services(1), stack.token()), warn=said.append)
    assert [(one.format, one.new) for one in signed] == [("legacy", True), ("bundle", True)]
    assert said == []
    for one in believed(target, found, by_identity(stack)):
        assert (one.identity, one.issuer) == (SUBJECT, stack.issuer)
        assert one.logs
        assert one.stamps
        assert abs(one.signed_at - time.time()) < 60
    assert posts(stack) == {"fulcio": 1, "rekor1": 2, "rekor2": 0, "tsa": 2}
    (layer,) = layers_of(target, found)
    assert set(layer.annotations) == {
        SIG,
        "dev.sigstore.cosign/certificate",
        "dev.sigstore.cosign/chain",
        "dev.sigstore.cosign/bundle",
        "dev.sigstore.cosign/rfc3161timestamp",
    }
    assert layer.annotations["dev.sigstore.cosign/chain"].count("BEGIN CERTIFICATE") == 2


def test_with_a_rekor_of_version_2_there_is_a_bundle_and_a_sentence(
    stack: Stack, services: Callable[..., signers.Services]
) -> None:
    target, said = place(), list[str]()
    found = image("one").push(target, "v1")
    signed = sign.image(target, found, signers.Keyless(services(2), stack.token()), warn=said.append)
    assert [one.format for one in signed] == ["bundle"]
    assert len(believed(target, found, by_identity(stack))) == 1
    (sentence,) = said
    assert sentence.startswith("only a bundle is written: without a key, a `.sig` or `.att` needs a log entry with a")
    assert "sign with services whose log is a Rekor of version 1, or with a key" in sentence


def test_the_legacy_format_alone_is_refused_where_it_cannot_be_had(
    stack: Stack, services: Callable[..., signers.Services]
) -> None:
    target = place()
    found = image("one").push(target, "v1")
    with pytest.raises(UsageError, match="nothing can be written in the legacy format"):
        sign.image(target, found, signers.Keyless(services(2), stack.token()), formats=["legacy"])
    assert posts(stack) == dict.fromkeys(POSTS, 0)


@pytest.mark.parametrize("rekor", [1, 2])
def test_sigstore_python_believes_the_bundle(
    stack: Stack, services: Callable[..., signers.Services], rekor: int
) -> None:
    from sigstore.models import Bundle, TrustedRoot
    from sigstore.verify import Verifier
    from sigstore.verify.policy import Identity

    target = place()
    found = image("one").push(target, "v1")
    sign.image(target, found, signers.Keyless(services(rekor), stack.token()), formats=["bundle"])
    verifier = Verifier(trusted_root=TrustedRoot.from_file(str(stack.trusted_root)))
    bundle = Bundle.from_json(json.dumps(bundle_of(target, found)))
    _, payload = verifier.verify_dsse(bundle, Identity(identity=SUBJECT, issuer=stack.issuer))
    assert json.loads(payload)["subject"][0]["digest"] == {"sha256": found.digest.hex}


def test_one_certificate_signs_an_index_and_all_in_it(stack: Stack, services: Callable[..., signers.Services]) -> None:
    target = place()
    made = [image(str(number)) for number in range(5)]
    for each in made:
        each.push(target)
    top = Index.build([each.descriptor for each in made])
    target.push(top.descriptor, top.raw, tag="v1")
    signed = sign.image(target, top.descriptor, signers.Keyless(services(1), stack.token()))
    assert len(signed) == 12
    assert posts(stack) == {"fulcio": 1, "rekor1": 12, "rekor2": 0, "tsa": 12}
    for found in (top.descriptor, *(each.descriptor for each in made)):
        assert len(believed(target, found, by_identity(stack))) == 2


def test_a_certificate_that_is_about_to_expire_is_replaced(
    stack: Stack, services: Callable[..., signers.Services]
) -> None:
    """An index may take longer than a certificate lives."""

    def short_lived(request: Any, answer: Any) -> Any:
        asked = x509.load_pem_x509_csr(base64.b64decode(request.json()["certificateSigningRequest"]))
        issued = stack.world.authority.issue(asked.public_key(), SUBJECT, stack.issuer, at=time.time(), minutes=0.4)
        chain = [pem(each).decode() for each in (issued.leaf, *issued.chain)]
        document = {"signedCertificateEmbeddedSct": {"chain": {"certificates": chain}}}
        return replace(answer, body=json.dumps(document).encode())

    stack.services["fulcio"].change = short_lived
    try:
        target = place()
        found = image("one").push(target, "v1")
        sign.image(target, found, signers.Keyless(services(1), stack.token()))
        assert posts(stack)["fulcio"] > 1
        assert len(believed(target, found, by_identity(stack))) == 2
    finally:
        stack.services["fulcio"].change = None


def test_the_same_identity_adds_nothing_and_another_one_does(
    stack: Stack, services: Callable[..., signers.Services]
) -> None:
    target = place()
    found = image("one").push(target, "v1")
    sign.image(target, found, signers.Keyless(services(1), stack.token()))
    before = dict(target._content)
    again = sign.image(target, found, signers.Keyless(services(1), stack.token()))
    assert [one.new for one in again] == [False, False]
    assert target._content == before
    assert posts(stack)["rekor1"] == 2
    other = sign.image(target, found, signers.Keyless(services(1), stack.token("https://ci.example/other")))
    claimed = sign.image(target, found, signers.Keyless(services(1), stack.token()), annotations={"v": "2"})
    assert [one.new for one in (*other, *claimed)] == [True] * 4
    assert len(layers_of(target, found)) == 3


def test_one_of_another_world_is_not_taken_for_ours(
    stack: Stack, services: Callable[..., signers.Services], connections: places.Connections
) -> None:
    """The same identity and statement, but believed by another trusted root only: it is signed again."""
    target = place()
    found = image("one").push(target, "v1")
    sign.image(target, found, signers.Keyless(services(2), stack.token()), formats=["bundle"])
    document = json.loads(stack.trust_config_of(2).read_bytes())
    document["trustedRoot"]["timestampAuthorities"] = []
    document["signingConfig"].pop("tsaUrls")
    document["signingConfig"]["rekorTlogUrls"] = json.loads(stack.signing_config_of(1).read_bytes())["rekorTlogUrls"]
    config = signers.TrustConfig.parse(json.dumps(document).encode(), "narrow", time.time())
    narrow = signers.Keyless(signers.Services(config, connections), stack.token())
    assert [one.new for one in sign.image(target, found, narrow, formats=["bundle"])] == [True]


# With a key


@pytest.mark.parametrize("kind", ["ecdsa-p256", "ecdsa-p384"])
@pytest.mark.parametrize("rekor", [1, 2])
def test_a_key_signs_with_a_log_and_a_clock(
    stack: Stack, services: Callable[..., signers.Services], kind: str, rekor: int
) -> None:
    target, said, key = place(), list[str](), a_key(kind)
    found = image("one").push(target, "v1")
    signed = sign.image(target, found, signers.KeySigner(key, services(rekor)), warn=said.append)
    assert [one.format for one in signed] == ["legacy", "bundle"]
    assert len(believed(target, found, strict(stack, key, tlog="if-present"))) == 2
    logged = believed(target, found, strict(stack, key))
    assert [one.format for one in logged] == (["legacy", "bundle"] if rekor == 1 else ["bundle"])
    assert all(one.logs and one.stamps for one in logged)
    assert len(said) == (rekor == 2)
    again = sign.image(target, found, signers.KeySigner(key, services(rekor)))
    assert [one.new for one in again] == [False, False]


def strict(stack: Stack, key: sign.PrivateKey, **settings: str) -> Policy:
    """A policy that wants a log entry and a timestamp beside a signature by this key."""
    authority = {
        "type": "key",
        "keyData": [key.public.pem],
        "trustedRoot": "ours",
        "tlog": "require",
        "timestamp": "require",
        **settings,
    }
    document = {
        "version": 1,
        "default": "deny",
        "trustedRoots": {"ours": {"path": str(stack.trusted_root)}},
        "authorities": {"team": authority},
        "rules": [{"scope": "registry.example/**", "requireAny": ["team"]}],
    }
    return Policy.parse(json.dumps(document).encode(), "the test")


def test_an_ed25519_key_is_logged_as_an_envelope_only(stack: Stack, services: Callable[..., signers.Services]) -> None:
    target, said, key = place(), list[str](), a_key("ed25519")
    found = image("one").push(target, "v1")
    sign.image(target, found, signers.KeySigner(key, services(1)), warn=said.append)
    assert said == ["a log takes no signature of a `.sig` by this kind of key, so that one has no log entry"]
    assert [one.format for one in believed(target, found, strict(stack, key))] == ["bundle"]
    assert "dev.sigstore.cosign/bundle" not in layers_of(target, found)[0].annotations
    assert [one.new for one in sign.image(target, found, signers.KeySigner(key, services(1)))] == [False, False]


def test_what_a_log_has_already_is_taken_from_there(stack: Stack, services: Callable[..., signers.Services]) -> None:
    """Ed25519 signs the same twice in the same way, and Rekor says 409 and where it has it."""
    key = a_key("ed25519")
    one, two = place(), place()
    found = image("one").push(one, "v1")
    image("one").push(two, "v1")
    for target in (one, two):
        sign.image(target, found, signers.KeySigner(key, services(1)), formats=["bundle"])
        assert len(believed(target, found, strict(stack, key))) == 1
    indices = [bundle_of(target, found)["verificationMaterial"]["tlogEntries"][0]["logIndex"] for target in (one, two)]
    assert indices[0] == indices[1]
    assert [line.partition(" ")[0] for line in stack.services["rekor1"].asked] == ["POST", "POST", "GET"]


def test_evidence_is_added_to_what_a_key_has_signed_without(
    stack: Stack, services: Callable[..., signers.Services]
) -> None:
    target, key = place(), a_key()
    found = image("one").push(target, "v1")
    sign.image(target, found, key)
    assert [one.new for one in sign.image(target, found, signers.KeySigner(key, services(1)))] == [True, True]
    assert [one.new for one in sign.image(target, found, signers.KeySigner(key, services(1)))] == [False, False]
    assert [one.new for one in sign.image(target, found, key)] == [False, False]
    assert len(layers_of(target, found)) == 2


def test_a_clock_alone_will_do_for_a_key(stack: Stack, services: Callable[..., signers.Services]) -> None:
    target, key = place(), a_key()
    found = image("one").push(target, "v1")
    sign.image(target, found, signers.KeySigner(key, services(0)))
    assert "tlogEntries" not in bundle_of(target, found)["verificationMaterial"]
    signed = believed(target, found, strict(stack, key, tlog="if-present"))
    assert [(one.format, bool(one.stamps), bool(one.logs)) for one in signed] == [
        ("legacy", True, False),
        ("bundle", True, False),
    ]


def test_several_logs_and_clocks_are_all_asked(stack: Stack, connections: places.Connections) -> None:
    document = json.loads(stack.trust_config_of(1).read_bytes())
    signing = document["signingConfig"]
    (second,) = json.loads(stack.signing_config_of(2).read_bytes())["rekorTlogUrls"]
    signing["rekorTlogUrls"].append({**second, "operator": "another"})
    signing["rekorTlogConfig"] = {"selector": "EXACT", "count": 2}
    signing["tsaUrls"].append({**signing["tsaUrls"][0], "operator": "another"})
    signing["tsaConfig"] = {"selector": "ALL"}
    config = signers.TrustConfig.parse(json.dumps(document).encode(), "ours", time.time())
    services = signers.Services(config, connections)
    target, key = place(), a_key()
    found = image("one").push(target, "v1")
    sign.image(target, found, signers.KeySigner(key, services))
    material = bundle_of(target, found)["verificationMaterial"]
    assert len(material["tlogEntries"]) == 2
    assert len(material["timestampVerificationData"]["rfc3161Timestamps"]) == 2
    assert len(believed(target, found, strict(stack, key))) == 2
    assert [one.new for one in sign.image(target, found, signers.KeySigner(key, services))] == [False, False]
    with pytest.raises(UsageError, match="asks for 2 logs, expected one for signing without a key"):
        signers.Keyless(services, stack.token())


def test_the_payload_of_a_signature_is_hashed_with_sha256_whatever_the_key(
    stack: Stack, services: Callable[..., signers.Services]
) -> None:
    target, key = place(), a_key("ecdsa-p384")
    found = image("one").push(target, "v1")
    sign.image(target, found, signers.KeySigner(key, services(1)), formats=["legacy"])
    (layer,) = layers_of(target, found)
    signature = base64.b64decode(layer.annotations[SIG])
    assert key.public.verify(target.fetch(layer), signature, digest="sha256")
    assert not key.public.verify(target.fetch(layer), signature, digest="sha384")
    body = json.loads(base64.b64decode(json.loads(layer.annotations["dev.sigstore.cosign/bundle"])["Payload"]["body"]))
    hashed = {"algorithm": "sha256", "value": hashlib.sha256(target.fetch(layer)).hexdigest()}
    assert body["spec"]["data"]["hash"] == hashed


# Both


def test_signers_at_the_same_time_lose_nothing(
    stack: Stack, services: Callable[..., signers.Services], tmp_path: Path
) -> None:
    def store() -> Layout:
        return Layout(str(tmp_path / "store"), Repository.parse(NAME))

    found = image("one").push(store(), "v1")
    keys = [a_key() for _ in range(4)]
    subjects = [f"https://ci.example/{number}" for number in range(3)]
    everybody: list[signers.Signer] = [signers.KeySigner(key, services(1)) for key in keys]
    everybody += [signers.Keyless(services(1), stack.token(subject)) for subject in subjects]
    with ThreadPoolExecutor(len(everybody)) as pool:
        jobs = [pool.submit(sign.image, store(), found, signer) for signer in everybody]
        assert all(one.new for job in jobs for one in job.result())
    assert len(layers_of(store(), found)) == 7
    for key in keys:
        assert len(believed(store(), found, strict(stack, key))) == 2
    for subject in subjects:
        assert len(believed(store(), found, by_identity(stack, subject))) == 2


@pytest.mark.parametrize("rekor", [1, 2])
def test_attestations_have_the_same_evidence_in_both_formats(
    stack: Stack, services: Callable[..., signers.Services], rekor: int
) -> None:
    target, kind = place(), "https://spdx.dev/Document"
    found = image("one").push(target, "v1")
    key, said = a_key(), list[str]()
    for signer in (signers.KeySigner(key, services(rekor)), signers.Keyless(services(rekor), stack.token())):
        for new in (True, False):
            done = sign.attest(
                target, found, signer, predicate_type="spdxjson", predicate=b'{"n": 1.0}', warn=said.append
            )
            assert all(one.new is new for one in done)
    reference = Reference.parse(f"{NAME}:v1")
    for policy, formats in ((by_identity(stack), ["legacy", "bundle"]), (strict(stack, key), ["legacy", "bundle"])):
        told = sign.attestations(target, reference, found, policy, kind)
        assert all(one.predicate == {"n": 1.0} for one in told)
        assert {one.signer.format for one in told} == set(formats if rekor == 1 else ["bundle"])
        assert all(one.signer.logs and one.signer.stamps for one in told)
    assert bool(said) is (rekor == 2)
