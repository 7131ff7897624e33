"""Entries in a transparency log: what is proposed to Rekor, versions 1 and 2, and what it answers.

Sources: Rekor's openapi.yaml with the types `hashedrekord` 0.0.1 and `dsse` 0.0.1 (version 1); rekor-tiles' CLIENTS.md
and rekor_v2 of protobuf-specs (version 2, which takes `hashedrekord` 0.0.2 alone: of an envelope, its PAE).
"""

from __future__ import annotations

import binascii
import hashlib
import re
from dataclasses import dataclass

from bpfimg._json import compact
from bpfimg.errors import ServiceError
from bpfimg.sign._evidence._logs import DETAILS
from bpfimg.sign._formats._beside import in_bundle
from bpfimg.sign._keys._kinds import own_digest
from bpfimg.sign._material import InclusionProof, LogEntry
from bpfimg.sign._services._asking import LIMIT, get, host, post, post_once
from bpfimg.sign._strict import Junk, base64, document, fields, string, to_base64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.oci import places
    from bpfimg.sign._services._config import Service

_SAME = re.compile(r"(?:https?://[^/?#]+)?(/api/v1/log/entries/[0-9a-f]{64,80})")


@dataclass(frozen=True, slots=True)
class Verifier:
    """What a log is told to verify a signature with: a public key of this kind (`der` is its SPKI), or the certificate
    around it (`der`); `pem` is the same."""

    kind: str
    der: bytes
    pem: bytes
    certified: bool = False


def logged_envelope(
    connections: places.Connections, log: Service, envelope: bytes, message: bytes, *, signature: bytes, by: Verifier
) -> LogEntry:
    """Returns the entry of a DSSE envelope (JSON) whose `signature` is over `message`; raises `ServiceError`."""
    if log.version == 1:
        spec = {"proposedContent": {"envelope": envelope.decode(), "verifiers": [to_base64(by.pem)]}}
        return _first(connections, log, {"apiVersion": "0.0.1", "kind": "dsse", "spec": spec})
    return _second(connections, log, hashlib.new(own_digest(by.kind), message).digest(), signature=signature, by=by)


def logged_digest(
    connections: places.Connections, log: Service, digest: bytes, *, signature: bytes, by: Verifier
) -> LogEntry:
    """Returns the entry of the `.sig` payload that has this SHA-256, which `signature` is over; or `ServiceError`."""
    if log.version == 1:
        spec = {
            "data": {"hash": {"algorithm": "sha256", "value": digest.hex()}},
            "signature": {"content": to_base64(signature), "publicKey": {"content": to_base64(by.pem)}},
        }
        return _first(connections, log, {"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": spec})
    return _second(connections, log, digest, signature=signature, by=by)


def _first(connections: places.Connections, log: Service, proposal: dict[str, object]) -> LogEntry:
    """Asks version 1. Signing without randomness (Ed25519) twice gives one entry: the log says where it has it."""
    doing = "log the signature"
    content, where = post_once(connections, f"{log.url}/api/v1/log/entries", doing, compact(proposal))
    if where:
        found = _SAME.fullmatch(where)
        if found is None:
            raise ServiceError(f"cannot {doing}: {host(log.url)} has an entry already, and does not say where")
        content = get(connections, log.url + found[1], doing)
    try:
        return _entry_v1(content, proposal)
    except Junk as junk:
        raise ServiceError(f"cannot {doing}: the answer of {host(log.url)} is no entry of a log: {junk}") from None


def _entry_v1(content: bytes, proposal: dict[str, object]) -> LogEntry:
    top = document(content, limit=LIMIT, what="it")
    if len(top) != 1:
        raise Junk(f"it has {len(top)} entries, expected one")
    (value,) = top.values()
    needed = ("body", "integratedTime", "logID", "logIndex", "verification")
    found = fields(value, "it", needed, value if isinstance(value, dict) else ())
    beside = fields(found["verification"], "verification", ("signedEntryTimestamp",), ("inclusionProof",))
    return LogEntry(
        log=_hex(found["logID"], "logID"),
        index=_number(found["logIndex"], "logIndex"),
        time=_number(found["integratedTime"], "integratedTime"),
        body=base64(found["body"], "body"),
        kind=str(proposal["kind"]),
        version=str(proposal["apiVersion"]),
        promise=base64(beside["signedEntryTimestamp"], "signedEntryTimestamp"),
        proof=_proof(beside["inclusionProof"]) if beside.get("inclusionProof") else None,
    )


def _proof(value: object) -> InclusionProof:
    found = fields(value, "inclusionProof", ("checkpoint", "hashes", "logIndex", "rootHash", "treeSize"))
    hashes = found["hashes"] or []
    if type(hashes) is not list:
        raise Junk("hashes is no list")
    return InclusionProof(
        index=_number(found["logIndex"], "logIndex"),
        size=_number(found["treeSize"], "treeSize"),
        root=_hex(found["rootHash"], "rootHash"),
        hashes=tuple(_hex(one, "an inclusion hash") for one in hashes),
        checkpoint=string(found["checkpoint"], "checkpoint"),
    )


def _second(
    connections: places.Connections, log: Service, digest: bytes, *, signature: bytes, by: Verifier
) -> LogEntry:
    doing = "log the signature"
    if by.kind == "ed25519":
        raise ServiceError(
            f"cannot {doing}: a Rekor of version 2 takes no signatures of {by.kind} keys, expected ECDSA or RSA",
            hint="sign with another key, or without this log",
        )
    told = {"x509Certificate" if by.certified else "publicKey": {"rawBytes": to_base64(by.der)}}
    request = {
        "digest": to_base64(digest),
        "signature": {
            "content": to_base64(signature),
            "verifier": {**told, "keyDetails": DETAILS[by.kind][0]},
        },
    }
    content = post(connections, f"{log.url}/api/v2/log/entries", doing, compact({"hashedRekordRequestV002": request}))
    try:
        # the answer is the very entry that stands in bundles
        entry = document(content, limit=LIMIT, what="it")
        return in_bundle({"publicKey": {}, "tlogEntries": [entry]}, chains=False).entries[0]
    except Junk as junk:
        raise ServiceError(f"cannot {doing}: the answer of {host(log.url)} is no entry of a log: {junk}") from None


def _hex(value: object, what: str) -> bytes:
    try:
        return binascii.unhexlify(string(value, what))
    except ValueError as error:  # binascii.Error is one, Junk another
        raise Junk(f"{what} is not hexadecimal") from error


def _number(value: object, what: str) -> int:
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise Junk(f"{what} is no number")
    return value
