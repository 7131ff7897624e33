"""Signing without a key of one's own: an identity token becomes a certificate for a key that lives for one command.

sigstore-python signs: `SigningContext` makes the key, asks Fulcio, checks the certificate's SCT, signs, asks the log
and the timestamp authorities and puts the bundle together. What it made is then read and verified like anybody else's
signature.
"""

from __future__ import annotations

import time

from bpfimg._value import replace
from bpfimg.errors import ServiceError, UsageError, quoted
from bpfimg.oci import Descriptor
from bpfimg.sign._candidate import Candidate
from bpfimg.sign._evidence._certificate import Certificate
from bpfimg.sign._formats import _write
from bpfimg.sign._formats._beside import in_bundle
from bpfimg.sign._formats._bundle import ATTESTATION_LIMIT, MEDIA_TYPE
from bpfimg.sign._formats._envelope import opened, pae
from bpfimg.sign._services._identity import named, read_token
from bpfimg.sign._strict import Junk, base64, document, fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeVar

    from sigstore.oidc import IdentityToken
    from sigstore.sign import Signer as SigstoreSigner

    from bpfimg.sign._evidence._identity import Identity
    from bpfimg.sign._services._plugs import Authority
    from bpfimg.sign._services._services import Services

    T = TypeVar("T")

_NEW = "the new signature"
_SPARE = 30.0
"""Seconds that a certificate must still be good for to be used for one more signature."""


class Keyless:
    """Signs in the name of an identity token (a secret: it goes to the certificate authority and nowhere else).

    One certificate serves for everything that is signed within its lifetime. UsageError for services that cannot do it
    or a token that is none, or that has expired.
    """

    def __init__(self, services: Services, token: str) -> None:
        config = services.config
        if config.authority is None:
            raise UsageError(f"{config.origin} names no certificate authority, expected caUrls, or a --key")
        if len(config.logs) != 1:
            raise UsageError(
                f"{config.origin} asks for {len(config.logs)} logs, expected one for signing without a key"
            )
        if config.timeless:
            raise UsageError(
                f"{config.origin} names no timestamp authority, and a Rekor of version 2 does not say when: "
                "expected tsaUrls"
            )
        self.services = services
        self._token: IdentityToken = read_token(token)
        self._held: tuple[SigstoreSigner, Authority] | None = None

    @property
    def expected(self) -> tuple[str, str]:
        """Who is about to sign, and by which issuer, as the token says: asks nobody, so nothing is public yet."""
        return named(self._token)

    @property
    def identity(self) -> Identity:
        """Who signs, by the certificate; gets one where there is none yet. Raises `ServiceError`."""
        return _certificate(self._signer()[1].chain[0]).identity

    def bundle(self, statement: bytes) -> tuple[bytes, Candidate]:
        from sigstore.dsse import Statement

        signer, authority = self._signer()
        data = _translated(lambda: signer.sign_dsse(Statement(statement)).to_json()).encode()
        try:
            top = document(data, limit=ATTESTATION_LIMIT, what="bundle")
            payload, signature = opened(top["dsseEnvelope"])
            material = in_bundle(top["verificationMaterial"], chains=False)
        except (Junk, KeyError) as error:
            raise ServiceError(f"the bundle that was made cannot be read: {quoted(error)}") from error
        holder = Descriptor.of(data, MEDIA_TYPE)
        made = Candidate("bundle", holder, _NEW, pae(statement), payload, signature, (), material=material)
        self._prove(made, statement, authority)
        return data, replace(made, material=replace(material, chain=authority.chain[1:]))

    def legacy(self, payload: bytes) -> Mapping[str, str]:
        signer, authority = self._signer()
        data = _translated(lambda: signer.sign_artifact(payload).to_json()).encode()
        try:
            top = document(data, limit=ATTESTATION_LIMIT, what="bundle")
            material = in_bundle(top["verificationMaterial"], chains=False)
            signature = base64(fields(top["messageSignature"], "it", ("signature", "messageDigest"))["signature"], "it")
        except (Junk, KeyError) as error:
            raise ServiceError(f"the signature that was made cannot be read: {quoted(error)}") from error
        entries, stamps = _write.promised(material), material.timestamps[:1]
        material = replace(material, chain=authority.chain[1:], entries=entries, timestamps=stamps)
        holder = Descriptor.of(payload, _write.CONFIG_TYPE)
        made = Candidate("legacy", holder, _NEW, payload, payload, signature, (), material=material)
        self._prove(made, payload, authority)
        return _write.layer_annotations(signature, material)

    def attachment(self, bundled: Candidate, kind: str) -> tuple[bytes, Mapping[str, str]]:
        blob = _write.envelope(bundled.payload, bundled.signature)
        return blob, _write.attachment_annotations(
            kind, self.services.attached(bundled, blob, _certificate(bundled.material.certificate))
        )

    def made(self, candidate: Candidate) -> bool:
        if not candidate.keyless:
            return False
        try:
            certificate = Certificate.parse(candidate.material.certificate)
        except Junk:
            return False
        theirs, ours = certificate.identity, self.identity
        return (
            (theirs.subject, theirs.issuer) == (ours.subject, ours.issuer)
            and _signed(candidate, certificate)
            and self.services.believes(candidate, certificate)
        )

    def lacking(self) -> str:
        if self.services.config.logs[0].version == 1:
            return ""
        return (
            "without a key, a `.sig` or `.att` needs a log entry with a signed time, which a Rekor of version 2 "
            "does not give: to have one, sign with services whose log is a Rekor of version 1, or with a key"
        )

    def notice(self) -> str:
        return ""

    def _prove(self, made: Candidate, wanted: bytes, authority: Authority) -> None:
        """Raises `ServiceError` unless what was made is what was asked for, and would be believed."""
        certificate = _certificate(authority.chain[0])
        if made.payload != wanted or made.material.certificate != certificate.der or not _signed(made, certificate):
            raise ServiceError("the signature that was made is not over what was to be signed")
        self.services.prove(made, certificate)

    def _signer(self) -> tuple[SigstoreSigner, Authority]:
        if self._held is None or self._held[1].expires - time.time() < _SPARE:
            self._held = self._fresh()
        return self._held

    def _fresh(self) -> tuple[SigstoreSigner, Authority]:
        from sigstore.models import ClientTrustConfig
        from sigstore.sign import SigningContext

        from bpfimg.sign._services._plugs import Authority, Log, TimestampAuthority

        config, connections = self.services.config, self.services.connections
        assert config.authority is not None
        authority = Authority(connections, config.authority)

        def begin() -> SigstoreSigner:
            root = ClientTrustConfig.from_json(config.document().decode()).trusted_root
            context = SigningContext(
                fulcio=authority,  # type: ignore[arg-type]
                rekor=Log(connections, config.logs[0]),  # type: ignore[arg-type]
                trusted_root=root,
                tsa_clients=[TimestampAuthority(connections, authority) for authority in config.timestamp_authorities],  # type: ignore[misc]
            )
            with context.signer(self._token) as signer:
                return signer

        return _translated(begin), authority


def _certificate(der: bytes) -> Certificate:
    try:
        return Certificate.parse(der)
    except Junk as junk:
        text = f"the certificate authority gave a certificate that nobody would believe: {junk}"
        raise ServiceError(text) from junk


def _signed(candidate: Candidate, certificate: Certificate) -> bool:
    """Says whether the certificate's key has signed it."""
    digest = "" if candidate.enveloped else "sha256"
    return certificate.key.verify(candidate.message, candidate.signature, digest=digest)


def _translated(call: Callable[[], T]) -> T:
    """Returns what a call of sigstore-python returns; what it raises becomes a `ServiceError`."""
    from sigstore._internal.fulcio import ExpiredCertificate
    from sigstore.errors import Error
    from sigstore.oidc import ExpiredIdentity

    try:
        return call()
    except ExpiredIdentity as error:
        raise ServiceError("the identity token has expired while signing, expected one that lives longer") from error
    except ExpiredCertificate as error:
        raise ServiceError("the signing certificate has expired while signing") from error
    except (Error, ValueError) as error:
        raise ServiceError(f"the signature cannot be made: {quoted(error, 200)}") from error
