"""Fulcio: a certificate for a key that is used for one command, in exchange for an identity token.

Source: Fulcio's fulcio.proto (`CreateSigningCertificate`), the HTTP form /api/v2/signingCert.
"""

from __future__ import annotations

from bpfimg._json import compact
from bpfimg.errors import ServiceError
from bpfimg.sign._services._asking import LIMIT, host, post
from bpfimg.sign._strict import Junk, document, fields, items, pem, string, to_base64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.oci import places
    from bpfimg.sign._services._config import Service

_WITH_SCT, _WITHOUT = "signedCertificateEmbeddedSct", "signedCertificateDetachedSct"
_MOST = 8


def certified_chain(
    connections: places.Connections, authority: Service, request: bytes, token: str
) -> tuple[bytes, ...]:
    """Returns the certificate for a signing request (PEM), then its issuers up to the root, as DER; `ServiceError`.

    Fulcio says "the identity token is not valid" with its own words for it, which stand in the message.
    """
    doing = "get a signing certificate"
    body = compact({"certificateSigningRequest": to_base64(request)})
    content = post(connections, f"{authority.url}/api/v2/signingCert", doing, body, token=token)
    try:
        top = document(content, limit=LIMIT, what="it")
        if _WITHOUT in top:
            raise Junk("the proof of its CT log stands beside the certificate, expected it inside")
        embedded = fields(fields(top, "it", (_WITH_SCT,))[_WITH_SCT], _WITH_SCT, ("chain",))
        blocks = fields(embedded["chain"], "chain", ("certificates",))["certificates"]
        return tuple(_der(block) for block in items(blocks, "chain", least=2, most=_MOST))
    except Junk as junk:
        raise ServiceError(f"cannot {doing}: the answer of {host(authority.url)} is no certificate: {junk}") from None


def _der(block: object) -> bytes:
    label, der = pem(string(block, "a certificate").encode(), "a certificate")
    if label != "CERTIFICATE":
        raise Junk("a certificate has another PEM label")
    return der
