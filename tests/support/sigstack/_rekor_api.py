"""Rekor's API, v1 and v2: an entry is logged if the signature in it verifies.

Sources: sigstore/rekor openapi.yaml, pkg/types/{hashedrekord,dsse,intoto}; sigstore/rekor-tiles rekor_service.proto.
"""

from __future__ import annotations

import json
import time
from base64 import b64decode
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature

from tests.support.sigstack import _bodies, _checks
from tests.support.sigstack._secrets import DETAILS
from tests.support.sigstack._service import Answer, RefusedError, Request, document
from tests.support.sigstack._signing import pae

if TYPE_CHECKING:
    from tests.support.sigstack._rekor import Rekor

_V2_HASHES = {
    DETAILS["ecdsa-p256"]: "sha256",
    DETAILS["ecdsa-p384"]: "sha384",
    DETAILS["ecdsa-p521"]: "sha512",
    DETAILS["rsa-2048"]: "sha256",
    DETAILS["rsa-3072"]: "sha256",
    DETAILS["rsa-4096"]: "sha256",
}
_ENTRIES = "/api/v1/log/entries"


class RekorV1:
    """Answers for a log of version 1."""

    def __init__(self, log: Rekor) -> None:
        self._log = log

    def respond(self, request: Request) -> Answer:
        """Answers one request."""
        match request.method, request.path:
            case "POST", "/api/v1/log/entries":
                return self._create(request.json())
            case "POST", "/api/v1/log/entries/retrieve":
                return self._retrieve(request.json())
            case "GET", "/api/v1/log/entries":
                return self._found(index=int(request.query["logIndex"]))
            case "GET", path if path.startswith(f"{_ENTRIES}/"):
                return self._found(uuid=path.rpartition("/")[2])
            case "GET", "/api/v1/log/publicKey":
                return Answer(self._log.key.pem, kind="application/x-pem-file")
            case "GET", "/api/v1/log":
                return document(self._about())
        raise RefusedError(404, f"{request.method} {request.path}")

    def _create(self, asked: dict[str, Any]) -> Answer:
        body, kind, version = canonical(asked)
        there = self._log.find(body=body)
        if there is not None:
            said = {"code": 409, "message": "an equivalent entry already exists in the transparency log"}
            return Answer(json.dumps(said).encode(), 409, headers={"Location": f"{_ENTRIES}/{there.uuid}"})
        entry = self._log.add(body, at=time.time(), kind=kind, version=version)
        headers = {"Location": f"{_ENTRIES}/{entry.uuid}", "ETag": entry.uuid}  # sigstore-go finds the entry by ETag
        return Answer(json.dumps(entry.answer()).encode(), 201, headers=headers)

    def _found(self, uuid: str = "", index: int = -1) -> Answer:
        entry = self._log.find(uuid=uuid, index=index)
        if entry is None:
            raise RefusedError(404, "no such entry")
        return document(entry.answer())

    def _retrieve(self, asked: dict[str, Any]) -> Answer:
        found = [self._log.find(body=canonical(each)[0]) for each in asked.get("entries", [])]
        found += [self._log.find(uuid=each) for each in asked.get("entryUUIDs", [])]
        found += [self._log.find(index=each) for each in asked.get("logIndexes", [])]
        return document([each.answer() for each in found if each is not None])

    def _about(self) -> dict[str, Any]:
        size, root = len(self._log.tree), self._log.tree.root()
        checkpoint = self._log.checkpoint(size, root)
        return {"rootHash": root.hex(), "treeSize": size, "signedTreeHead": checkpoint, "treeID": self._log.tree_id}


class RekorV2:
    """Answers for a log of version 2, which has one kind of entry."""

    def __init__(self, log: Rekor) -> None:
        self._log = log

    def respond(self, request: Request) -> Answer:
        """Answers one request."""
        if (request.method, request.path) != ("POST", "/api/v2/log/entries"):
            raise RefusedError(404, f"{request.method} {request.path}")
        asked = request.json().get("hashedRekordRequestV002")
        if asked is None:
            raise RefusedError(400, "expected a hashedRekordRequestV002")
        hashed, signature = _b64(asked["digest"]), _b64(asked["signature"]["content"])
        who = asked["signature"]["verifier"]
        certificate = _b64(who.get("x509Certificate", {}).get("rawBytes", ""))
        spki = _b64(who.get("publicKey", {}).get("rawBytes", ""))
        key = _checks.certified(certificate) if certificate else _checks.verifier(spki)
        prehash = _V2_HASHES.get(who["keyDetails"])
        if prehash is None:
            raise RefusedError(400, f"no hash goes with {who['keyDetails']}")
        _checks.verify_hash(key, signature, hashed, prehash)
        kind = next(kind for kind, name in DETAILS.items() if name == who["keyDetails"])
        body = _bodies.hashedrekord_v2(prehash, hashed, signature, _bodies.verifier_v2(kind, certificate, spki))
        return document(self._log.add(body, at=time.time(), kind="hashedrekord", version="0.0.2").tlog(), 201)


def canonical(asked: dict[str, Any]) -> tuple[bytes, str, str]:
    """The body that is logged for a proposed entry, with its kind and version; `RefusedError` if it does not verify."""
    kind, version, spec = asked.get("kind"), asked.get("apiVersion"), asked.get("spec", {})
    try:
        match kind, version:
            case "hashedrekord", "0.0.1":
                return _hashedrekord(spec), "hashedrekord", "0.0.1"
            case "dsse", "0.0.1":
                return _dsse(spec["proposedContent"]), "dsse", "0.0.1"
            case "intoto", "0.0.1":
                return _intoto_v1(spec), "intoto", "0.0.1"
            case "intoto", "0.0.2":
                return _intoto(spec["content"]), "intoto", "0.0.2"
    except (KeyError, TypeError, ValueError) as error:
        raise RefusedError(400, f"the entry has not the form of {kind}: {error!r}") from error
    raise RefusedError(400, f"entries of {kind}/{version} are not supported")


def _hashedrekord(spec: dict[str, Any]) -> bytes:
    said, hashed = spec["signature"], spec["data"]["hash"]
    signature, who = _b64(said["content"]), _b64(said["publicKey"]["content"])
    value = bytes.fromhex(hashed["value"])
    _checks.verify_hash(_checks.verifier(who), signature, value, hashed["algorithm"])
    return _bodies.hashedrekord(hashed["algorithm"], value, signature, who)


def _dsse(proposed: dict[str, Any]) -> bytes:
    envelope = proposed["envelope"].encode()
    (who,) = proposed["verifiers"]
    payload, signature = _opened(json.loads(envelope), _b64(who))
    return _bodies.dsse(envelope, payload, signature, _b64(who))


def _intoto_v1(spec: dict[str, Any]) -> bytes:
    envelope, who = spec["content"]["envelope"].encode(), _b64(spec["publicKey"])
    payload, _ = _opened(json.loads(envelope), who)
    return _bodies.intoto_v1(envelope, payload, who)


def _intoto(content: dict[str, Any]) -> bytes:
    """What is base64 in an envelope is base64 once more in the proposal."""
    asked = content["envelope"]
    (one,) = asked["signatures"]
    inner = {"sig": _b64(one["sig"]).decode()}
    if one.get("keyid"):
        inner["keyid"] = one["keyid"]
    envelope = {"payload": _b64(asked["payload"]).decode(), "payloadType": asked["payloadType"], "signatures": [inner]}
    who = _b64(one["publicKey"])
    payload, signature = _opened(envelope, who)
    return _bodies.intoto(json.dumps(envelope).encode(), payload, signature, who)


def _opened(envelope: dict[str, Any], who: bytes) -> tuple[bytes, bytes]:
    """Payload and signature of an envelope that this verifier has signed."""
    payload, (one,) = _b64(envelope["payload"]), envelope["signatures"]
    signature, key = _b64(one["sig"]), _checks.verifier(who)
    try:
        _checks.verify(key, signature, pae(payload, envelope["payloadType"]))
    except InvalidSignature as error:
        raise RefusedError(400, "the signature is not that of the verifier over the envelope") from error
    return payload, signature


def _b64(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError as error:
        raise RefusedError(400, f"no base64: {error}") from error
