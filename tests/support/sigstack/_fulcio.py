"""Fulcio's API, v1 and v2: a token and the proof that one has the key, for a certificate.

Sources: sigstore/fulcio fulcio.proto, fulcio_legacy.proto, docs/oidc.md.
"""

from __future__ import annotations

import time
from base64 import b64decode
from binascii import Error as NoBase64
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization

from tests.support.sigstack._authority import pem
from tests.support.sigstack._checks import verify
from tests.support.sigstack._service import Answer, RefusedError, Request, document

if TYPE_CHECKING:
    from tests.support.sigstack._authority import Authority, Issued
    from tests.support.sigstack._oidc import Provider

_FORGE = {"github": "https://github.com/", "gitlab": "https://gitlab.example/"}


class Fulcio:
    """Issues certificates of an authority to whom a provider knows."""

    def __init__(self, authority: Authority, provider: Provider) -> None:
        self._authority, self._provider = authority, provider

    def respond(self, request: Request) -> Answer:
        """Answers one request."""
        match request.method, request.path:
            case "POST", "/api/v2/signingCert":
                return self._v2(request)
            case "POST", "/api/v1/signingCert":
                return self._v1(request)
            case "GET", "/api/v2/trustBundle":
                chain = [pem(each).decode() for each in self._authority.chain]
                return document({"chains": [{"certificates": chain}]})
            case "GET", "/api/v1/rootCert":
                return Answer(b"".join(pem(each) for each in self._authority.chain), kind="application/x-pem-file")
        raise RefusedError(404, f"{request.method} {request.path}")

    def _v2(self, request: Request) -> Answer:
        asked = request.json()
        # the token stands in the body (proto) or, as HTTP has it, in the header
        token = asked.get("credentials", {}).get("oidcIdentityToken") or _bearer(request)
        claims = self._provider.believed(token)
        if "certificateSigningRequest" in asked:
            key = _of_request(_b64(asked["certificateSigningRequest"]))
        else:
            wanted = asked["publicKeyRequest"]
            key = _load(wanted["publicKey"]["content"].encode())
            _proven(key, wanted["proofOfPossession"], claims)
        issued = self._issue(key, claims)
        chain = [pem(each).decode() for each in (issued.leaf, *issued.chain)]
        return document({"signedCertificateEmbeddedSct": {"chain": {"certificates": chain}}})  # 200: 201 is an error

    def _v1(self, request: Request) -> Answer:
        asked = request.json()
        claims = self._provider.believed(_bearer(request))
        if asked.get("certificateSigningRequest"):
            key = _of_request(_b64(asked["certificateSigningRequest"]))
        else:
            key = _load(_b64(asked["publicKey"]["content"]))
            _proven(key, asked["signedEmailAddress"], claims)
        issued = self._issue(key, claims)
        return Answer(issued.pem + issued.chain_pem, 201, "application/pem-certificate-chain")

    def _issue(self, key: Any, claims: dict[str, Any]) -> Issued:
        subject, extensions = _identity(claims)
        return self._authority.issue(key, subject, claims["iss"], at=time.time(), extensions=extensions)


def _identity(claims: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """What the certificate says of who asked: of GitHub's and GitLab's jobs, more than the subject."""
    if "job_workflow_ref" in claims:
        forge = _FORGE["github"]
        workflow = forge + claims["job_workflow_ref"]
        return workflow, {
            "buildSignerURI": workflow,
            "runnerEnvironment": claims["runner_environment"],
            "sourceRepositoryURI": forge + claims["repository"],
            "sourceRepositoryRef": claims["ref"],
            "buildTrigger": claims["event_name"],
        }
    if "ci_config_ref_uri" in claims:
        workflow = f"https://{claims['ci_config_ref_uri']}"
        return workflow, {
            "buildSignerURI": workflow,
            "runnerEnvironment": claims["runner_environment"],
            "sourceRepositoryURI": _FORGE["gitlab"] + claims["project_path"],
            "sourceRepositoryRef": f"refs/{'tags' if claims['ref_type'] == 'tag' else 'heads'}/{claims['ref']}",
            "buildTrigger": claims["pipeline_source"],
        }
    return _subject(claims), {}


def _subject(claims: dict[str, Any]) -> str:
    """The address if it is verified, else `sub`: what is signed to prove possession, too."""
    if "email" in claims:
        if not claims.get("email_verified"):
            raise RefusedError(400, "the email address is not verified")
        return str(claims["email"])
    return str(claims["sub"])


def _proven(key: Any, proof: str, claims: dict[str, Any]) -> None:
    try:
        verify(key, _b64(proof), _subject(claims).encode())
    except InvalidSignature as error:
        raise RefusedError(400, "the signature supplied does not match the public key and the subject") from error


def _of_request(data: bytes) -> Any:
    try:
        request = x509.load_pem_x509_csr(data)
    except ValueError as error:
        raise RefusedError(400, f"no certificate request: {error}") from error
    if not request.is_signature_valid:
        raise RefusedError(400, "the certificate request is not signed by its key")
    return request.public_key()


def _load(data: bytes) -> Any:
    try:
        if data.startswith(b"-----"):
            return serialization.load_pem_public_key(data)
        return serialization.load_der_public_key(data)
    except ValueError as error:
        raise RefusedError(400, f"no public key: {error}") from error


def _bearer(request: Request) -> str:
    kind, _, token = str(request.headers.get("Authorization", "")).partition(" ")
    if kind.lower() != "bearer" or not token:
        raise RefusedError(401, "no token")
    return token


def _b64(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except NoBase64 as error:
        raise RefusedError(400, f"no base64: {error}") from error
