"""A timestamp authority (RFC 3161) that stamps whatever time it is told to."""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from asn1crypto import algos, cms, core, tsp, x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.support.sigstack._authority import authority, der, distinguished, stamping
from tests.support.sigstack._secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

POLICY = "1.3.6.1.4.1.57264.2"


class Tsa:
    """A root and a certificate for timestamps below it."""

    def __init__(self, seed: str = "tsa", *, name: str = "sigstack timestamps") -> None:
        self.name = name
        root, self._key = Secret.of(f"{seed} tsa root", "ecdsa-p384"), Secret.of(f"{seed} tsa")
        above, own = distinguished(f"{name} root"), distinguished(name)
        usages = [ExtendedKeyUsageOID.TIME_STAMPING]
        self.root = authority(above, root, above, root, path=0, usages=usages)
        self.certificate = stamping(own, self._key, above, root)

    @property
    def chain(self) -> tuple[bytes, ...]:
        """Leaf and root, as DER."""
        return der(self.certificate), der(self.root)

    def stamp(self, message: bytes, *, at: float, edit: Callable[[dict[str, Any]], None] | None = None) -> bytes:
        """The DER TimeStampResp over a message; `edit` changes the fields of the TSTInfo before it is signed."""
        return self.answer("sha256", hashlib.sha256(message).digest(), at=at, edit=edit)

    def answer(
        self,
        algorithm: str,
        imprint: bytes,
        *,
        at: float,
        nonce: int | None = None,
        embed: bool = True,
        edit: Callable[[dict[str, Any]], None] | None = None,
    ) -> bytes:
        """The DER TimeStampResp over a hash; with the certificate inside if `embed`."""
        fields: dict[str, Any] = {
            "version": "v1",
            "policy": POLICY,
            "message_imprint": {"hash_algorithm": {"algorithm": algorithm}, "hashed_message": imprint},
            "serial_number": secrets.randbits(120),
            "gen_time": datetime.fromtimestamp(int(at), UTC),
            "accuracy": {"seconds": 1},
        }
        if nonce is not None:
            fields["nonce"] = nonce
        if edit is not None:
            edit(fields)
        info = tsp.TSTInfo(fields).dump()
        token = {"content_type": "signed_data", "content": self._signed(info, at, embed=embed)}
        status = {"status": "granted"}
        return bytes(tsp.TimeStampResp({"status": status, "time_stamp_token": cms.ContentInfo(token)}).dump())

    def _signed(self, info: bytes, at: float, *, embed: bool) -> cms.SignedData:
        own = x509.Certificate.load(der(self.certificate))
        about = tsp.SigningCertificateV2({"certs": [{"cert_hash": hashlib.sha256(own.dump()).digest()}]})
        time = cms.Time({"utc_time": datetime.fromtimestamp(int(at), UTC)})
        attributes = cms.CMSAttributes(
            [
                {"type": "content_type", "values": ["tst_info"]},
                {"type": "signing_time", "values": [time]},
                {"type": "message_digest", "values": [hashlib.sha256(info).digest()]},
                {"type": "signing_certificate_v2", "values": [about]},
            ]
        )
        signer = {
            "version": "v1",
            "sid": {"issuer_and_serial_number": {"issuer": own.issuer, "serial_number": own.serial_number}},
            "digest_algorithm": {"algorithm": "sha256"},
            "signed_attrs": attributes,
            "signature_algorithm": algos.SignedDigestAlgorithm({"algorithm": "sha256_ecdsa"}),
            "signature": self._key.sign(attributes.dump()),
        }
        fields: dict[str, Any] = {
            "version": "v3",
            "digest_algorithms": [{"algorithm": "sha256"}],
            "encap_content_info": {"content_type": "tst_info", "content": core.ParsableOctetString(info)},
            "signer_infos": [signer],
        }
        if embed:
            fields["certificates"] = [own]
        return cms.SignedData(fields)
