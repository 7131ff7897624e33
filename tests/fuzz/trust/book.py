"""What was honestly signed, and an independent look at what is believed: no line of this is bpfimg's.

Documents are read with Python's own readers, which forgive much: what bpfimg believes has to be here under any reading.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from typing import Any

from asn1crypto import tsp

_COSIGN = "dev.cosignproject.cosign/signature"
_SIGSTORE = "dev.sigstore.cosign/"


class UnsignedError(AssertionError):
    """Something is believed that nobody has signed, or that does not have the evidence that is asked for."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A log entry as a document says it."""

    log: bytes
    index: int
    time: int
    body: bytes
    promise: bytes
    leaf: int
    size: int
    root: bytes
    hashes: tuple[bytes, ...]
    checkpoint: str

    @property
    def promised(self) -> tuple[object, ...]:
        """What a signed entry timestamp covers, and itself."""
        return (self.log, self.index, self.time, self.body, self.promise)

    @property
    def proved(self) -> tuple[object, ...]:
        """What proof and checkpoint cover, and the checkpoint's own text."""
        return (self.body, self.leaf, self.size, self.root, self.hashes, self.checkpoint.partition("\n\n")[0])


@dataclass(frozen=True, slots=True)
class Record:
    """One signature and everything beside it; `fingerprint` is that of the key, "" for a certificate's."""

    payload: bytes
    signature: bytes
    entries: tuple[Entry, ...]
    stamps: tuple[bytes, ...]
    certificate: bytes
    fingerprint: str = ""


class Book:
    """All that honest signers have signed."""

    def __init__(self) -> None:
        self._by: dict[tuple[bytes, bytes], Record] = {}

    def enter(self, kind: str, parts: list[bytes], *, fingerprint: str) -> None:
        """Remembers an honest signature; where it was known (Ed25519 makes the same one twice), what is beside it."""
        found = read(kind, parts)
        known = self._by.get((found.payload, found.signature))
        entries = (*found.entries, *(known.entries if known else ()))
        stamps = (*found.stamps, *(known.stamps if known else ()))
        record = Record(found.payload, found.signature, entries, stamps, found.certificate, fingerprint)
        self._by[record.payload, record.signature] = record

    @property
    def records(self) -> tuple[Record, ...]:
        """All of them."""
        return tuple(self._by.values())

    def check(self, kind: str, parts: list[bytes], believed: Any, identity: tuple[str, str]) -> Record:
        """Returns the record of what bpfimg believes (`believed` says by whom), or raises `UnsignedError`.

        `identity` is the one that certificates were honestly given to, and its issuer.
        """
        try:
            found = read(kind, parts)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise UnsignedError(f"believed, and cannot even be read: {type(error).__name__}") from error
        record = self._by.get((found.payload, found.signature))
        if record is None:
            raise UnsignedError(f"believed by {believed.authority}, and nobody signed that")
        if believed.fingerprint != record.fingerprint:
            raise UnsignedError("believed of another key than the one that signed")
        named = (believed.identity, believed.issuer, found.certificate)
        if not record.fingerprint and named != (*identity, record.certificate):
            raise UnsignedError("believed of another identity or certificate than the one that signed")
        self._witnesses(found, record, believed)
        return record

    def _witnesses(self, found: Record, record: Record, believed: Any) -> None:
        promised = {one.promised for one in record.entries if one.promise} & {
            one.promised for one in found.entries if one.promise
        }
        proved = {one.proved for one in record.entries if one.checkpoint} & {
            one.proved for one in found.entries if one.checkpoint
        }
        stamps = [one for one in record.stamps if any(same_stamp(one, other) for other in found.stamps)]
        keyless = not record.fingerprint
        if (believed.logs or keyless or believed.authority == "strict") and not (promised or proved):
            raise UnsignedError(f"believed by {believed.authority} without the log entry of that signature")
        if (believed.stamps or believed.authority in ("tsa", "strict")) and not stamps:
            raise UnsignedError(f"believed by {believed.authority} without the timestamp of that signature")
        if believed.authority == "tlog" and not promised:
            raise UnsignedError("believed by tlog without the promise of a log")
        times = {one[2] for one in promised} | {stamp_time(one) for one in stamps}
        if not set(believed.times) <= times or (keyless and not believed.times):
            raise UnsignedError(f"believed by {believed.authority} at times that nobody vouched for")
        numbers = {f"rekor1 entry {one[1]}" for one in promised}
        numbers |= {f"rekor{version} entry {one[1]}" for version in (1, 2) for one in proved}
        if any(log.rpartition("/")[2] not in numbers for log in believed.logs):
            raise UnsignedError("believed with a log entry of another number")


def read(kind: str, parts: list[bytes]) -> Record:
    """What a signature in one of the formats says."""
    if kind == "bundle":
        return _bundle(json.loads(parts[0]))
    notes = json.loads(parts[1]) or {}  # null is none at all
    if kind == "sig":
        payload, signature = parts[0], _b64(notes[_COSIGN])
    else:
        payload, signature = _enveloped(json.loads(parts[0]))
    logged, stamped = notes.get(_SIGSTORE + "bundle"), notes.get(_SIGSTORE + "rfc3161timestamp")
    pem = re.search(r"-----BEGIN CERTIFICATE-----([^-]*)-----END", notes.get(_SIGSTORE + "certificate") or "")
    return Record(
        payload,
        signature,
        (_annotated(json.loads(logged)),) if logged else (),
        (_b64(json.loads(stamped)["SignedRFC3161Timestamp"]),) if stamped else (),
        _b64(pem[1]) if pem else b"",
    )


def _enveloped(found: Any) -> tuple[bytes, bytes]:
    return _b64(found["payload"]), _b64(found["signatures"][0]["sig"])


def _bundle(found: Any) -> Record:
    payload, signature = _enveloped(found["dsseEnvelope"])
    material = found["verificationMaterial"]
    chain = (material.get("x509CertificateChain") or {}).get("certificates") or [{"rawBytes": ""}]
    certificate = (material.get("certificate") or chain[0])["rawBytes"]
    stamps = (material.get("timestampVerificationData") or {}).get("rfc3161Timestamps") or []
    entries = tuple(_entry(one) for one in material.get("tlogEntries") or [])
    return Record(payload, signature, entries, tuple(_b64(one["signedTimestamp"]) for one in stamps), _b64(certificate))


def _entry(found: Any) -> Entry:
    proof = found.get("inclusionProof") or {}
    return Entry(
        log=_b64(found["logId"]["keyId"]),
        index=int(found.get("logIndex") or 0),
        time=int(found.get("integratedTime") or 0),
        body=_b64(found["canonicalizedBody"]),
        promise=_b64((found.get("inclusionPromise") or {}).get("signedEntryTimestamp") or ""),
        leaf=int(proof.get("logIndex") or 0),
        size=int(proof.get("treeSize") or 0),
        root=_b64(proof.get("rootHash") or ""),
        hashes=tuple(_b64(one) for one in proof.get("hashes") or []),
        checkpoint=(proof.get("checkpoint") or {}).get("envelope") or "",
    )


def _annotated(found: Any) -> Entry:
    said = found["Payload"]
    promise = _b64(found["SignedEntryTimestamp"])
    log = bytes.fromhex(said["logID"])
    return Entry(log, said["logIndex"], said["integratedTime"], _b64(said["body"]), promise, 0, 0, b"", (), "")


def same_stamp(record: bytes, found: bytes) -> bool:
    """Whether the signed words of a timestamp, and the signature over them, are in another one."""
    if record == found:
        return True
    signed = tsp.TimeStampResp.load(record)["time_stamp_token"]["content"]
    words = signed["encap_content_info"]["content"].contents
    return words in found and signed["signer_infos"][0]["signature"].native in found


def stamp_time(stamp: bytes) -> int:
    """When a timestamp says that it was made."""
    signed = tsp.TimeStampResp.load(stamp)["time_stamp_token"]["content"]
    return int(signed["encap_content_info"]["content"].parsed["gen_time"].native.timestamp())


def _b64(text: str) -> bytes:
    return base64.b64decode(text)
