"""What sigstore-python's `SigningContext` is given in place of its own clients: the same calls, over our connections.

Its own (4.5) wait for ever, read answers of any size, lose what Fulcio says is wrong, and only warn when there is no
timestamp. Errors raised here pass through it unchanged.
"""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

from bpfimg._json import loose_value
from bpfimg.errors import ServiceError, quoted
from bpfimg.sign._formats import _write
from bpfimg.sign._formats._envelope import opened
from bpfimg.sign._services._asking import host
from bpfimg.sign._services._authority import certified_chain
from bpfimg.sign._services._log import Verifier, logged_digest, logged_envelope
from bpfimg.sign._services._timestamp import stamped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.x509 import Certificate, CertificateSigningRequest
    from rfc3161_client import TimeStampResponse
    from sigstore.dsse import Envelope
    from sigstore.hashes import Hashed
    from sigstore.models import TransparencyLogEntry
    from sigstore.oidc import IdentityToken

    from bpfimg.oci import places
    from bpfimg.sign._material import LogEntry
    from bpfimg.sign._services._config import Service


class Authority:
    """Stands in for `FulcioClient`; `chain` is what came with the last certificate, itself first (DER)."""

    def __init__(self, connections: places.Connections, service: Service) -> None:
        self._connections = connections
        self._service = service
        self.chain: tuple[bytes, ...] = ()
        self.expires = 0.0

    @property
    def signing_cert(self) -> Authority:
        """The endpoint, with its one method."""
        return self

    def post(self, request: CertificateSigningRequest, token: IdentityToken) -> SimpleNamespace:
        """Returns `.cert` and `.chain`; raises `ServiceError`."""
        from cryptography.hazmat.primitives.serialization import Encoding
        from cryptography.x509 import load_der_x509_certificate

        self.chain = certified_chain(self._connections, self._service, request.public_bytes(Encoding.PEM), str(token))
        try:
            leaf, *others = (load_der_x509_certificate(each) for each in self.chain)
            same = leaf.public_key() == request.public_key()
        except ValueError as error:
            raise ServiceError(
                f"{host(self._service.url)} gave a certificate that cannot be read: {quoted(error)}"
            ) from error
        if not same:
            raise ServiceError(f"{host(self._service.url)} gave a certificate for another key than the one asked about")
        self.expires = leaf.not_valid_after_utc.timestamp()
        return SimpleNamespace(cert=leaf, chain=others)


class Log:
    """Stands in for `RekorClient` and `RekorV2Client`: an entry is proposed as the call that makes it."""

    def __init__(self, connections: places.Connections, service: Service) -> None:
        self._connections = connections
        self._service = service

    def _build_hashed_rekord_request(
        self, hashed_input: Hashed, signature: bytes, certificate: Certificate
    ) -> Callable[[], LogEntry]:
        by = _verifier(certificate)
        return partial(logged_digest, self._connections, self._service, hashed_input.digest, signature=signature, by=by)

    def _build_dsse_request(self, envelope: Envelope, certificate: Certificate) -> Callable[[], LogEntry]:
        payload, _ = opened(loose_value(envelope.to_json()))
        text, by = _write.envelope(payload, envelope.signature), _verifier(certificate)
        return partial(
            logged_envelope,
            self._connections,
            self._service,
            text,
            envelope.pae(),
            signature=envelope.signature,
            by=by,
        )

    def create_entry(self, request: Callable[[], LogEntry]) -> TransparencyLogEntry:
        """Returns the entry; raises `ServiceError`."""
        from sigstore.models import TransparencyLogEntry
        from sigstore_models.rekor.v1 import TransparencyLogEntry as Model

        return TransparencyLogEntry(Model.from_dict(_write.entry_document(request())))


class TimestampAuthority:
    """Stands in for `TimestampAuthorityClient`."""

    def __init__(self, connections: places.Connections, service: Service) -> None:
        self._connections = connections
        self._service = service
        self.url = service.url

    def request_timestamp(self, signature: bytes) -> TimeStampResponse:
        """Returns the response; raises `ServiceError`."""
        from rfc3161_client import decode_timestamp_response

        return decode_timestamp_response(stamped(self._connections, self._service, signature))


def _verifier(certificate: Certificate) -> Verifier:
    from cryptography.hazmat.primitives.serialization import Encoding

    # the key in it is made by sigstore-python: P-256 always
    return Verifier(
        "ecdsa-p256", certificate.public_bytes(Encoding.DER), certificate.public_bytes(Encoding.PEM), certified=True
    )
