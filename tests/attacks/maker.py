"""A certificate authority that issues whatever it is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from asn1crypto import core
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.attacks.scene import (
    world,
)
from tests.support.sigstack import Issued, Secret
from tests.support.sigstack._authority import der

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    Parts = list[tuple[x509.ExtensionType, bool]]


class Maker:
    """An authority that issues whatever it is told, by whatever key."""

    def __init__(
        self,
        key: Secret,
        above: x509.Certificate,
        chain: Sequence[bytes],
        *,
        subject: x509.Name | None = None,
        named: bool = True,
    ) -> None:
        self._key, self._above, self._chain = key, above, tuple(chain)
        self._subject, self._named = subject or x509.Name([]), named

    def issue(self, public: Any, subject: str, issuer: str, *, at: float, **words: Any) -> Issued:
        """A leaf; with an SCT of the world's own log."""
        parts = world().authority._extensions(
            public, subject, issuer, words.get("extensions") or {}, (ExtendedKeyUsageOID.CODE_SIGNING,)
        )
        skip = () if self._named else (x509.SubjectAlternativeName,)
        parts = [each for each in parts if not isinstance(each[0], (*skip, x509.AuthorityKeyIdentifier))]
        parts.append((x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public), False))
        serial, start = x509.random_serial_number() >> 2, datetime.fromtimestamp(int(at), UTC)

        def make(more: Parts) -> x509.Certificate:
            builder = x509.CertificateBuilder().subject_name(self._subject).issuer_name(self._above.subject)
            builder = builder.public_key(public).serial_number(serial).not_valid_before(start)
            builder = builder.not_valid_after(start + timedelta(minutes=10))
            for extension, critical in more:
                builder = builder.add_extension(extension, critical)
            return builder.sign(self._key.raw, hashes.SHA256())

        promise = world().authority.ct.promise(make(parts), self._key.spki, at)
        listed = x509.UnrecognizedExtension(
            x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2"), core.OctetString(promise).dump()
        )
        return Issued(der(make([*parts, (listed, False)])), self._chain)
