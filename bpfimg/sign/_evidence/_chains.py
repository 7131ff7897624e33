"""Chains of certificates as a trusted root holds them: read, and checked once, when the root is.

What is checked here of every chain does not depend on what is signed: each certificate is issued by the next, all but
the first may issue, nothing critical in them goes unread. Sources: RFC 5280 sections 4.2 and 6.1.
"""

from __future__ import annotations

from itertools import pairwise

from bpfimg._value import value
from bpfimg.errors import quoted
from bpfimg.sign._evidence._logs import Unsupported
from bpfimg.sign._evidence._protobuf import entries, message, raw, text, window
from bpfimg.sign._evidence._window import Window
from bpfimg.sign._evidence._x509 import certificate, foreign
from bpfimg.sign._strict import Junk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.x509 import ObjectIdentifier

_AUTHORITY = ("subject", "uri", "certChain", "validFor", "operator")
_LONGEST = 8
# basicConstraints, keyUsage, extKeyUsage, subjectAltName, nameConstraints, certificatePolicies
_READ = frozenset(("2.5.29.19", "2.5.29.15", "2.5.29.37", "2.5.29.17", "2.5.29.30", "2.5.29.32"))


@value(frozen=True, slots=True, eq=False)
class Chain:
    """The certificates of one authority, the one that signs first, the anchor last; `window` is when all are good."""

    name: str
    certificates: tuple[x509.Certificate, ...]
    window: Window


def chain(value: object, what: str) -> Chain:
    """Returns the chain of a CertificateAuthority, each certificate read; raises `Junk`."""
    found = message(value, what, _AUTHORITY)
    subject = message(found.get("subject", {}), f"{what}'s subject", ("organization", "commonName"))
    given = entries(message(found.get("certChain"), f"{what}'s certChain", ("certificates",)), "certificates")
    if not 1 <= len(given) <= _LONGEST:
        raise Junk(f"{what}'s certChain has {len(given)} certificates, expected 1 to {_LONGEST}")
    read = tuple(certificate(raw(one, f"a certificate of {what}"), f"a certificate of {what}") for one in given)
    for one in read:
        _known_key(one, what)
    for issued, issuer in pairwise(read):
        with foreign(f"{what}'s certChain"):
            issued.verify_directly_issued_by(issuer)
    at = window(found.get("validFor", {}), f"{what}'s validFor")
    starts = (one.not_valid_before_utc.timestamp() for one in read)
    ends = (one.not_valid_after_utc.timestamp() for one in read)
    return Chain(
        name=text(found, "uri") or text(subject, "commonName") or what,
        certificates=read,
        window=Window(max(at.start, *starts), min(at.end, *ends)),
    )


def _known_key(found: x509.Certificate, what: str) -> None:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    try:
        with foreign(what):
            key = found.public_key()
        known = isinstance(key, ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey)
    except Junk as error:
        if not isinstance(error.__cause__, UnsupportedAlgorithm):
            raise
        known = False
    if not known:
        raise Unsupported(f"{what} has a certificate with a kind of key that this version does not verify with")


def may_issue(issuers: tuple[x509.Certificate, ...], purpose: ObjectIdentifier, what: str) -> None:
    """Raises `Junk` unless each of `issuers` (the one above the leaf first) may issue certificates for `purpose`."""
    from cryptography.x509 import BasicConstraints, ExtendedKeyUsage, KeyUsage

    for depth, issuer in enumerate(issuers):
        critical_ones_are_read(issuer, what)
        with foreign(what):
            extensions = issuer.extensions
            limits = extensions.get_extension_for_class(BasicConstraints).value
            usage = {type(one.value): one.value for one in extensions}
            key_usage, purposes = usage.get(KeyUsage), usage.get(ExtendedKeyUsage)
        if not limits.ca or (isinstance(key_usage, KeyUsage) and not key_usage.key_cert_sign):
            raise Junk(f"{what} has a certificate that may not issue others")
        if limits.path_length is not None and depth > limits.path_length:
            raise Junk(f"{what} is longer than one of its certificates allows")
        if isinstance(purposes, ExtendedKeyUsage) and not {purpose, _any()} & set(purposes):
            raise Junk(f"{what} has a certificate that may not issue for this purpose")


def critical_ones_are_read(found: x509.Certificate, what: str) -> None:
    """Raises `Junk` when a certificate has a critical extension that nobody here looks at."""
    for one in found.extensions:
        if one.critical and one.oid.dotted_string not in _READ:
            raise Junk(f"{what} has the unknown critical extension {quoted(one.oid.dotted_string)}")


def _any() -> ObjectIdentifier:
    from cryptography.x509.oid import ExtendedKeyUsageOID

    return ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE
