"""Signed certificate timestamps: a certificate log's word that it has seen a signing certificate.

Without it an authority that is broken into could issue certificates that nobody ever hears of. Source: RFC 6962
sections 3.2 and 3.3 (precertificates).
"""

from __future__ import annotations

from bpfimg.sign._evidence._x509 import foreign
from bpfimg.sign._strict import Junk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from cryptography import x509
    from cryptography.x509.certificate_transparency import SignedCertificateTimestamp

    from bpfimg.sign._evidence._logs import Log

_MOST = 8
_WHAT = "the signing certificate's SCT"


def seen_by(found: x509.Certificate, issuer: bytes, logs: Iterable[Log]) -> str:
    """Returns the name of the log that has seen this certificate of this `issuer` (the SHA-256 of its key).

    Raises `Junk` unless one of the embedded timestamps is signed by one of `logs`, within that log's window.
    """
    from cryptography.x509 import ExtensionNotFound, PrecertificateSignedCertificateTimestamps

    with foreign(_WHAT):
        try:
            stamps = list(found.extensions.get_extension_for_class(PrecertificateSignedCertificateTimestamps).value)
        except ExtensionNotFound:
            raise Junk("expected one in the certificate, there is none") from None
        precertificate = found.tbs_precertificate_bytes
        if not 1 <= len(stamps) <= _MOST:
            raise Junk(f"the certificate has {len(stamps)}, expected 1 to {_MOST}")
        why = ""
        for stamp in stamps:
            signed = _signed(stamp, precertificate, issuer)
            for log in logs:
                if stamp.log_id not in log.ids:
                    continue
                if not log.window.holds(_milliseconds(stamp) / 1000):
                    why = why or f"the key of {log.name} was not in use at its time"
                elif not log.key.verify(signed, stamp.signature, digest="sha256"):
                    why = why or f"it is not signed by {log.name}"
                else:
                    return log.name
        raise Junk(why or "it is of a log that the trusted root does not name")


def _signed(stamp: SignedCertificateTimestamp, precertificate: bytes, issuer: bytes) -> bytes:
    """Returns the bytes that the log signed: `digitally-signed struct` of RFC 6962 section 3.2, for a precert_entry."""
    size, extensions = len(precertificate), stamp.extension_bytes
    return b"".join(
        (
            b"\0\0",  # v1, certificate_timestamp
            _milliseconds(stamp).to_bytes(8, "big"),
            b"\0\1",  # precert_entry
            issuer,
            size.to_bytes(3, "big"),
            precertificate,
            len(extensions).to_bytes(2, "big"),
            extensions,
        )
    )


def _milliseconds(stamp: SignedCertificateTimestamp) -> int:
    from datetime import UTC, datetime, timedelta

    return (stamp.timestamp.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
