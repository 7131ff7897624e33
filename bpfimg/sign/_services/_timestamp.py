"""RFC 3161: a timestamp authority says when it saw a signature.

What is stamped are the signature's bytes, in both formats (cosign's SIGNATURE_SPEC.md, sigstore_bundle.proto). The
token is checked here for being an answer to the question; whether its signer is to be believed is the trusted root's.
"""

from __future__ import annotations

import hashlib

from bpfimg.errors import ServiceError, quoted
from bpfimg.sign._services._asking import host, post

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.oci import places
    from bpfimg.sign._services._config import Service

_QUERY, _REPLY = "application/timestamp-query", "application/timestamp-reply"
_GRANTED = (0, 1)  # granted, grantedWithMods (RFC 3161, 2.4.2)


def stamped(connections: places.Connections, authority: Service, signature: bytes) -> bytes:
    """Returns the TimeStampResp (DER) for a signature; raises `ServiceError`."""
    from rfc3161_client import HashAlgorithm, TimestampRequestBuilder, decode_timestamp_response

    doing, by = "have the signature stamped", host(authority.url)
    request = TimestampRequestBuilder().hash_algorithm(HashAlgorithm.SHA256).data(signature).nonce(nonce=True).build()
    content = post(connections, authority.url, doing, request.as_bytes(), kind=_QUERY, accept=_REPLY)
    try:
        response = decode_timestamp_response(content)
        if response.status not in _GRANTED:
            said = quoted("; ".join(response.status_string), 200)
            raise ServiceError(f"cannot {doing}: {by} refuses, status {response.status} ({said})")
        told = response.tst_info
        right = told.message_imprint.message == hashlib.sha256(signature).digest() and told.nonce == request.nonce
    except ValueError as error:
        raise ServiceError(f"cannot {doing}: the answer of {by} is no timestamp ({quoted(error)})") from error
    if not right:
        raise ServiceError(f"cannot {doing}: the answer of {by} is about something else")
    return content
