"""Timestamp authorities of a trusted root, and whether one of them stamped a signature.

`rfc3161_client` parses responses and checks the CMS signature, the chain and the certificate that signed; what it
leaves open is checked here: that the authority's own certificate is the one signer, the message, and the window of
authority and chain at the time it says. Sources: RFC 3161 section 2.4.2, RFC 5816, sigstore_trustroot.proto.
"""

from __future__ import annotations

import hashlib

from bpfimg._value import value
from bpfimg.errors import quoted
from bpfimg.sign._evidence._chains import chain, critical_ones_are_read, may_issue
from bpfimg.sign._evidence._logs import Unsupported
from bpfimg.sign._evidence._x509 import foreign
from bpfimg.sign._strict import Junk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from cryptography import x509
    from rfc3161_client import TimeStampResponse
    from rfc3161_client.verify import Verifier

    from bpfimg.sign._evidence._window import Window

_LIMIT = 64 * 1024
_CERTIFICATES = 8
_WHAT = "the timestamp"
_HASHES = {  # RFC 5754, section 2: what may stand in a messageImprint
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}


@value(frozen=True, slots=True)
class Stamped:
    """That timestamp authority `by` saw the signature at `time`, in seconds since 1970."""

    by: str
    time: int


@value(frozen=True, slots=True, eq=False)
class TimestampAuthority:
    """A timestamp authority: `leaf` signs for it, `verifier` holds its chain; good within `window`."""

    name: str
    window: Window
    leaf: x509.Certificate
    verifier: Verifier


def timestamp_authority(value: object, what: str) -> TimestampAuthority:
    """Returns the authority in a trusted root's CertificateAuthority, its leaf first; raises `Junk`, or `Unsupported`
    where the root does not say whose certificate stamps."""
    from cryptography.x509 import BasicConstraints, ExtendedKeyUsage, KeyUsage
    from cryptography.x509.oid import ExtendedKeyUsageOID
    from rfc3161_client import VerifierBuilder

    found = chain(value, what)
    leaf, *issuers = found.certificates
    usage = {type(one.value): one for one in leaf.extensions}
    limits = usage.get(BasicConstraints)
    if not issuers or (limits is not None and limits.value.ca):
        raise Unsupported(f"{what} names no certificate that stamps, expected one before its issuers")
    purposes, key_usage = usage.get(ExtendedKeyUsage), usage.get(KeyUsage)
    if purposes is None or not purposes.critical or set(purposes.value) != {ExtendedKeyUsageOID.TIME_STAMPING}:
        raise Junk(f"{what} has a certificate that is not for timestamps alone (RFC 3161, section 2.3)")
    if key_usage is not None and not (key_usage.value.digital_signature or key_usage.value.content_commitment):
        raise Junk(f"{what} has a certificate that is not for signatures")
    critical_ones_are_read(leaf, what)
    may_issue(tuple(issuers), ExtendedKeyUsageOID.TIME_STAMPING, what)
    with foreign(what):
        verifier = VerifierBuilder(tsa_certificate=leaf, intermediates=issuers[:-1], roots=issuers[-1:]).build()
    return TimestampAuthority(name=found.name, window=found.window, leaf=leaf, verifier=verifier)


def stamped(data: bytes, signature: bytes, authorities: Iterable[TimestampAuthority]) -> Stamped:
    """Returns who stamped `signature`, and when, by the RFC 3161 response in `data`; raises `Junk`."""
    from rfc3161_client import decode_timestamp_response

    if len(data) > _LIMIT:
        raise Junk(f"{_WHAT} has {len(data)} bytes, expected at most {_LIMIT}")
    with foreign(_WHAT):
        response = decode_timestamp_response(data)
        if response.as_bytes() != data:
            raise Junk("it is not one DER TimeStampResp and nothing else")
        time = _time(response, signature)
        signers = response.signed_data.signer_infos
        if len(signers) != 1 or len(response.signed_data.certificates) > _CERTIFICATES:
            raise Junk(f"it has {len(signers)} signers, expected exactly one, and a few certificates")
        signer = signers.pop()
        said = (signer.issuer, signer.serial_number)
    why = ""
    for one in authorities:
        try:
            with foreign(_WHAT):
                named = said == (one.leaf.issuer, one.leaf.serial_number)
            if not named:
                continue
            if not one.window.holds(time):
                raise Junk(f"{_WHAT}: {one.name} was not in use at its time")
            _verify(response, signature, one)
        except Junk as error:
            why = why or str(error)
        else:
            return Stamped(by=one.name, time=time)
    raise Junk(why or f"{_WHAT} is of an authority that the trusted root does not name")


def _time(response: TimeStampResponse, signature: bytes) -> int:
    """Returns the time in a response that is granted, and about `signature`."""
    if response.status != 0:
        raise Junk(f"its status is {response.status}, expected 0 (granted)")
    told = response.tst_info
    if told.version != 1:
        raise Junk(f"it is of version {told.version}, expected 1")
    oid = told.message_imprint.hash_algorithm.dotted_string
    if oid not in _HASHES:
        raise Junk(f"its message is hashed with {quoted(oid)}, expected SHA-256, SHA-384 or SHA-512")
    if told.message_imprint.message != hashlib.new(_HASHES[oid], signature).digest():
        raise Junk("it is about another signature")
    return int(told.gen_time.timestamp())


def _verify(response: TimeStampResponse, signature: bytes, one: TimestampAuthority) -> None:
    from rfc3161_client import VerificationError

    with foreign(_WHAT):
        try:
            one.verifier.verify_message(response, signature)
        except VerificationError as error:
            raise Junk(f"it is not signed by {one.name}: {quoted(error)[1:-1]}") from error
