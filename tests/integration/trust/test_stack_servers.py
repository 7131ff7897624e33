"""The servers of the private Sigstore believe nobody's word: tokens, proofs and signatures are verified, or refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest
from sigstore.oidc import IdentityToken

from tests.support.sigstack import SUBJECT, Secret, envelope, pae, sigstack
from tests.support.targets import image
from tests.unit.sign import craft

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.sigstack import Stack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with sigstack(tmp_path_factory.mktemp("sigstack")) as found:
        yield found


def _statement() -> bytes:
    return craft.statement(image().descriptor.digest, "registry.example/team/app")


def post(url: str, body: object, **headers: str) -> tuple[int, Any]:
    import requests

    done = requests.post(url, json=body, headers=headers, timeout=30)
    return done.status_code, done.json() if "json" in done.headers["Content-Type"] else done.text


def csr(key: Secret | None = None) -> str:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization

    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    made = builder.sign((key or Secret.new()).raw, hashes.SHA256())
    return b64encode(made.public_bytes(serialization.Encoding.PEM)).decode()


def ask(stack: Stack, token: str, **body: Any) -> tuple[int, Any]:
    asked = body or {"certificateSigningRequest": csr()}
    return post(f"{stack.urls['fulcio']}/api/v2/signingCert", asked, Authorization=f"Bearer {token}")


TOKENS: dict[str, Callable[[Stack], str]] = {
    "for somebody else": lambda stack: stack.token(aud="elsewhere"),
    "expired": lambda stack: stack.token(exp=int(time.time()) - 60),
    "of the future": lambda stack: stack.token(nbf=int(time.time()) + 600),
    "of an unknown issuer": lambda stack: stack.token(issuer="https://mallory.example", known=False),
    "without an audience": lambda stack: stack.token(aud=None),
    "of a forged signature": lambda stack: stack.token()[:-8] + "AAAAAAAA",
    "of no signature": lambda stack: stack.token().rpartition(".")[0] + ".",
    "empty": lambda stack: "",
}


@pytest.mark.parametrize("what", TOKENS)
def test_fulcio_refuses_tokens(what: str, stack: Stack) -> None:
    assert ask(stack, stack.token())[0] == 200
    assert ask(stack, TOKENS[what](stack))[0] == 401


def test_fulcio_refuses_addresses_that_nobody_has_verified(stack: Stack) -> None:
    assert ask(stack, stack.token(email="a@b.example", email_verified=True))[0] == 200
    assert ask(stack, stack.token(email="a@b.example", email_verified=False))[0] == 400


def test_fulcio_wants_the_proof_that_one_has_the_key(stack: Stack) -> None:
    key, other = Secret.new(), Secret.new()

    def asked(proof: bytes) -> int:
        wanted = {
            "publicKey": {"algorithm": "ECDSA", "content": key.pem.decode()},
            "proofOfPossession": b64encode(proof).decode(),
        }
        return ask(stack, stack.token(), publicKeyRequest=wanted)[0]

    assert asked(key.sign(SUBJECT.encode())) == 200
    assert asked(other.sign(SUBJECT.encode())) == 400
    assert asked(key.sign(b"other")) == 400
    assert ask(stack, stack.token(), certificateSigningRequest=b64encode(b"junk").decode())[0] == 400


@pytest.mark.parametrize("forge", ["github", "gitlab"])
def test_certificates_of_jobs_say_what_was_built(forge: str, stack: Stack) -> None:
    from cryptography import x509

    claims = {
        "github": {
            "job_workflow_ref": "acme/bpf/.github/workflows/release.yml@refs/tags/v1",
            "repository": "acme/bpf",
            "ref": "refs/tags/v1",
            "event_name": "push",
            "runner_environment": "github-hosted",
        },
        "gitlab": {
            "ci_config_ref_uri": "gitlab.example/acme/bpf//.gitlab-ci.yml@refs/tags/v1",
            "project_path": "acme/bpf",
            "ref": "v1",
            "ref_type": "tag",
            "pipeline_source": "push",
            "runner_environment": "gitlab-hosted",
        },
    }[forge]
    status, said = ask(stack, stack.token(issuer=f"https://token.{forge}.example", **claims))
    assert status == 200
    leaf = x509.load_pem_x509_certificate(said["signedCertificateEmbeddedSct"]["chain"]["certificates"][0].encode())
    found = {each.oid.dotted_string: each.value for each in leaf.extensions}
    of = {number: found[f"1.3.6.1.4.1.57264.1.{number}"].value[2:] for number in (8, 9, 11, 12, 14, 20)}
    workflow = {
        "github": "https://github.com/acme/bpf/.github/workflows/release.yml@refs/tags/v1",
        "gitlab": "https://gitlab.example/acme/bpf//.gitlab-ci.yml@refs/tags/v1",
    }[forge]
    repository = {"github": "https://github.com/acme/bpf", "gitlab": "https://gitlab.example/acme/bpf"}[forge]
    assert of == {
        8: f"https://token.{forge}.example".encode(),
        9: workflow.encode(),
        11: f"{forge}-hosted".encode(),
        12: repository.encode(),
        14: b"refs/tags/v1",
        20: b"push",
    }
    (name,) = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert name.value == workflow


def test_rekor_1_logs_only_what_verifies(stack: Stack) -> None:
    url, key, other = f"{stack.urls['rekor1']}/api/v1/log/entries", Secret.new(), Secret.new()
    payload = _statement()

    def dsse(signature: bytes) -> dict[str, Any]:
        content = {"envelope": json.dumps(envelope(payload, signature)), "verifiers": [b64encode(key.pem).decode()]}
        return {"kind": "dsse", "apiVersion": "0.0.1", "spec": {"proposedContent": content}}

    def rekord(signature: bytes, digest: str) -> dict[str, Any]:
        signed = {"content": b64encode(signature).decode(), "publicKey": {"content": b64encode(key.pem).decode()}}
        spec = {"signature": signed, "data": {"hash": {"algorithm": "sha256", "value": digest}}}
        return {"kind": "hashedrekord", "apiVersion": "0.0.1", "spec": spec}

    import hashlib

    digest = hashlib.sha256(payload).hexdigest()
    assert post(url, dsse(key.sign(pae(payload))))[0] == 201
    assert post(url, dsse(key.sign(payload)))[0] == 400
    assert post(url, dsse(other.sign(pae(payload))))[0] == 400
    good = rekord(key.sign(payload), digest)
    status, said = post(url, good)
    assert status == 201
    assert post(url, good)[0] == 409  # as Rekor says of what it has
    assert post(url, rekord(other.sign(payload), digest))[0] == 400
    assert post(url, rekord(key.sign(payload), "0" * 64))[0] == 400
    assert post(url, {"kind": "rpm", "apiVersion": "0.0.1", "spec": {}})[0] == 400
    assert post(url, {"kind": "dsse", "apiVersion": "0.0.1"})[0] == 400
    (uuid,) = said
    import requests

    assert requests.get(f"{url}/{uuid}", timeout=30).json() == said
    assert requests.get(url, params={"logIndex": said[uuid]["logIndex"]}, timeout=30).json() == said
    assert post(f"{url}/retrieve", {"entries": [good]}) == (200, [said])


def test_rekor_2_logs_only_what_verifies(stack: Stack) -> None:
    import hashlib

    key, other = Secret.new(), Secret.new()
    digest = hashlib.sha256(pae(_statement())).digest()

    def asked(signer: Secret, digest: bytes, details: str = "PKIX_ECDSA_P256_SHA_256") -> int:
        verifier = {"publicKey": {"rawBytes": b64encode(key.spki).decode()}, "keyDetails": details}
        signature = b64encode(signer.sign(pae(_statement()))).decode()
        signed = {"content": signature, "verifier": verifier}
        entry = {"hashedRekordRequestV002": {"digest": b64encode(digest).decode(), "signature": signed}}
        return post(f"{stack.urls['rekor2']}/api/v2/log/entries", entry)[0]

    assert asked(key, digest) == 201
    assert asked(other, digest) == 400
    assert asked(key, bytes(32)) == 400
    assert asked(key, digest[:-1]) == 400
    assert asked(key, digest, "PKIX_ED25519") == 400
    assert post(f"{stack.urls['rekor2']}/api/v2/log/entries", {"dsseRequestV002": {}})[0] == 400


def test_the_timestamp_authority_stamps_hashes_only(stack: Stack) -> None:
    import requests
    from cryptography import x509
    from rfc3161_client import TimestampRequestBuilder, VerifierBuilder, decode_timestamp_response

    url = f"{stack.urls['tsa']}/api/v1/timestamp"
    request = TimestampRequestBuilder().data(b"signature").nonce(nonce=True).build()
    done = requests.post(url, data=request.as_bytes(), timeout=30)
    said = decode_timestamp_response(done.content)
    leaf, root = (x509.load_der_x509_certificate(each) for each in stack.world.tsa.chain)
    verifier = VerifierBuilder.from_request(request).tsa_certificate(leaf).add_root_certificate(root).build()
    assert verifier.verify_message(said, b"signature")
    assert abs(said.tst_info.gen_time.timestamp() - time.time()) < 600
    assert requests.post(url, data=b"junk", timeout=30).status_code == 400
    assert requests.post(url, data=request.as_bytes()[:-1], timeout=30).status_code == 400


def test_a_service_can_be_out_of_order(stack: Stack) -> None:
    fulcio = stack.services["fulcio"]
    fulcio.fault = 503
    try:
        assert ask(stack, stack.token())[0] == 503
    finally:
        fulcio.fault = 0
    assert ask(stack, stack.token())[0] == 200
    assert fulcio.asked[-2:] == ["POST /api/v2/signingCert"] * 2


def test_a_browser_gets_a_token_with_a_code(stack: Stack, tmp_path: Path) -> None:
    """sigstore-python opens a browser, here one that follows where it is sent. In a process of its own: it leaves the
    socket that it listens on to the garbage collector."""
    browser = tmp_path / "browser.py"
    browser.write_text("import sys, urllib.request\nurllib.request.urlopen(sys.argv[1], timeout=30).close()\n")
    asks = f"from sigstore.oidc import Issuer; print(Issuer({stack.issuer!r}).identity_token())"
    environ = {**os.environ, "BROWSER": f"{sys.executable} {browser} %s", "DISPLAY": ":0"}
    argv = [sys.executable, "-c", asks]
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    token = done.stdout.splitlines()[-1]
    assert (IdentityToken(token).identity, IdentityToken(token).issuer) == (SUBJECT, stack.issuer)
    assert ask(stack, token)[0] == 200


def test_a_job_in_github_asks_for_a_token(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    from sigstore.oidc import detect_credential

    for name, text in stack.github.items():
        monkeypatch.setenv(name, text)
    token = detect_credential()
    assert token is not None
    assert IdentityToken(token).identity == SUBJECT
