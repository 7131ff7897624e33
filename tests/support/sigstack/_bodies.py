"""What logs keep of a signature: the canonical bodies of their kinds of entries.

Sources: sigstore/rekor pkg/types/{hashedrekord,dsse,intoto}; sigstore/rekor-tiles pkg/types/hashedrekord.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rfc8785

from tests.support.sigstack._rekor import b64
from tests.support.sigstack._secrets import DETAILS
from tests.support.sigstack._signing import digest

if TYPE_CHECKING:
    from collections.abc import Mapping

_PROTO_HASHES = {"sha256": "SHA2_256", "sha384": "SHA2_384", "sha512": "SHA2_512"}


def hashedrekord(prehash: str, hashed: bytes, signature: bytes, verifier: bytes) -> bytes:
    """Version 1's, for `.sig` and blobs; `verifier` is the PEM of the key or certificate."""
    data = {"hash": {"algorithm": prehash, "value": hashed.hex()}}
    return _body("hashedrekord", "0.0.1", {"data": data, "signature": _signed(signature, verifier)})


def _signed(signature: bytes, verifier: bytes) -> dict[str, Any]:
    return {"content": b64(signature), "publicKey": {"content": b64(verifier)}}


def dsse(envelope: bytes, payload: bytes, signature: bytes, verifier: bytes) -> bytes:
    """Version 1's, for envelopes; `envelope` are its bytes as they were sent."""
    spec = {
        "envelopeHash": {"algorithm": "sha256", "value": digest("sha256", envelope).hex()},
        "payloadHash": {"algorithm": "sha256", "value": digest("sha256", payload).hex()},
        "signatures": [{"signature": b64(signature), "verifier": b64(verifier)}],
    }
    return _body("dsse", "0.0.1", spec)


def intoto(envelope: bytes, payload: bytes, signature: bytes, verifier: bytes) -> bytes:
    """Version 1's older one for envelopes: the signature's text is base64 once more."""
    content = {
        "envelope": {
            "payloadType": "application/vnd.in-toto+json",
            "signatures": [{"publicKey": b64(verifier), "sig": b64(b64(signature).encode())}],
        },
        "hash": {"algorithm": "sha256", "value": digest("sha256", envelope).hex()},
        "payloadHash": {"algorithm": "sha256", "value": digest("sha256", payload).hex()},
    }
    return _body("intoto", "0.0.2", {"content": content})


def intoto_v1(envelope: bytes, payload: bytes, verifier: bytes) -> bytes:
    """Version 1's oldest one for envelopes, without the signature: the hash of the envelope covers it."""
    content = {
        "hash": {"algorithm": "sha256", "value": digest("sha256", envelope).hex()},
        "payloadHash": {"algorithm": "sha256", "value": digest("sha256", payload).hex()},
    }
    return _body("intoto", "0.0.1", {"content": content, "publicKey": b64(verifier)})


def hashedrekord_v2(prehash: str, hashed: bytes, signature: bytes, verifier: Mapping[str, Any]) -> bytes:
    """Version 2's, for everything; see `verifier_v2`."""
    data = {"algorithm": _PROTO_HASHES[prehash], "digest": b64(hashed)}
    signed = {"content": b64(signature), "verifier": dict(verifier)}
    return _body("hashedrekord", "0.0.2", {"hashedRekordV002": {"data": data, "signature": signed}})


def verifier_v2(kind: str, certificate: bytes = b"", spki: bytes = b"") -> dict[str, Any]:
    """Who signed, in version 2's words."""
    raw = {"x509Certificate": {"rawBytes": b64(certificate)}} if certificate else {"publicKey": {"rawBytes": b64(spki)}}
    return {**raw, "keyDetails": DETAILS[kind]}


def _body(kind: str, version: str, spec: Mapping[str, Any]) -> bytes:
    return rfc8785.dumps({"apiVersion": version, "kind": kind, "spec": dict(spec)})
