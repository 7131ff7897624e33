"""Signatures and attestations as bytes: payloads and statements to sign, bundles and layers that hold what was signed.

The other way round from `_bundle`, `_simplesigning`, `_envelope` and `_beside`; same sources.
"""

from __future__ import annotations

from bpfimg._json import compact
from bpfimg._value import replace
from bpfimg.sign._formats import _simplesigning
from bpfimg.sign._formats._beside import CERTIFICATE, CHAINED, LOGGED, STAMPED
from bpfimg.sign._formats._bundle import MEDIA_TYPE
from bpfimg.sign._formats._envelope import PAYLOAD, SIGNATURE, STATEMENTS
from bpfimg.sign._strict import to_base64, to_pem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bpfimg.oci import Digest
    from bpfimg.sign._material import InclusionProof, LogEntry, Material

CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
_NEVER = "0001-01-01T00:00:00Z"  # Go's zero time, which cosign writes
_CONTENT, _PREDICATE = "dev.sigstore.bundle.content", "dev.sigstore.bundle.predicateType"


# What is signed


def payload(repository: str, digest: Digest, claims: Mapping[str, str]) -> bytes:
    """Returns the payload of a `.sig`, as cosign writes it; `repository` is HOST/REPO."""
    critical = {
        "identity": {"docker-reference": repository},
        "image": {"docker-manifest-digest": str(digest)},
        "type": _simplesigning.TYPE,
    }
    return compact({"critical": critical, "optional": dict(sorted(claims.items())) or None})


def signing_statement(repository: str, digest: Digest, claims: Mapping[str, str]) -> bytes:
    """Returns the in-toto statement "this digest is signed": cosign's, plus the name HOST/REPO that it leaves out."""
    subject = {**_subject(repository, digest), "annotations": dict(sorted(claims.items()))}
    return compact({"_type": STATEMENTS[0], "subject": [subject], "predicateType": SIGNATURE, "predicate": {}})


def attesting_statement(repository: str, digest: Digest, predicate_type: str, predicate: bytes) -> bytes:
    """Returns the in-toto statement that says `predicate` (a JSON object, which stands in it byte for byte)."""
    head = compact({"_type": STATEMENTS[0], "subject": [_subject(repository, digest)], "predicateType": predicate_type})
    return b'%b,"predicate":%b}' % (head[:-1], predicate.strip())


def _subject(repository: str, digest: Digest) -> dict[str, object]:
    return {"name": repository, "digest": {digest.algorithm: digest.hex}}


# What holds it


def envelope(statement: bytes, signature: bytes) -> bytes:
    """Returns the DSSE envelope: always these bytes, for an entry of Rekor v1 has their hash, and cosign compares it
    with that of an `.att` layer."""
    signatures = [{"sig": to_base64(signature)}]
    return compact({"payload": to_base64(statement), "payloadType": PAYLOAD, "signatures": signatures})


def key_bundle(statement: bytes, signature: bytes, material: Material) -> bytes:
    """Returns the bundle (version 0.3) of a statement that a key has signed, whose fingerprint is `material.hint`."""
    beside: dict[str, object] = {"publicKey": {"hint": to_base64(material.hint)}}
    if material.entries:  # not even an empty list where there is no log
        beside["tlogEntries"] = [entry_document(each) for each in material.entries]
    if material.timestamps:
        stamps = [{"signedTimestamp": to_base64(each)} for each in material.timestamps]
        beside["timestampVerificationData"] = {"rfc3161Timestamps": stamps}
    head = compact({"mediaType": MEDIA_TYPE, "verificationMaterial": beside})
    return b'%b,"dsseEnvelope":%b}' % (head[:-1], envelope(statement, signature))


def layer_annotations(signature: bytes, material: Material) -> dict[str, str]:
    """Returns the annotations of a `.sig` layer. Of several log entries and timestamps it holds the first that fits."""
    return {_simplesigning.SIGNATURE: to_base64(signature), **_beside(material)}


def attachment_annotations(predicate_type: str, material: Material) -> dict[str, str]:
    """Returns the annotations of an `.att` layer, whose signature is in its envelope."""
    return {_simplesigning.SIGNATURE: "", "predicateType": predicate_type, **_beside(material)}


def referrer_annotations(predicate_type: str, created: str) -> dict[str, str]:
    """Returns what lists of referrers show of a bundle."""
    return {
        _CONTENT: "dsse-envelope",
        _PREDICATE: predicate_type,
        "org.opencontainers.image.created": created,
    }


def config(layers: Sequence[str]) -> bytes:
    """Returns the config of a `.sig` or `.att` manifest: an empty image, with one history entry for each layer."""
    return compact(
        {
            "architecture": "",
            "created": _NEVER,
            "history": [{"created": _NEVER} for _ in layers],
            "os": "",
            "rootfs": {"type": "layers", "diff_ids": list(layers)},
            "config": {},
        }
    )


def promised(material: Material) -> tuple[LogEntry, ...]:
    """Returns the first log entry that an annotation can hold, one with a signed entry timestamp (Rekor v1), and of it
    what an annotation holds; () when there is none."""
    found = next((each for each in material.entries if each.promise), None)
    return () if found is None else (replace(found, kind="", version="", proof=None),)


def _beside(material: Material) -> dict[str, str]:
    found = {}
    if material.certificate:
        found[CERTIFICATE] = to_pem("CERTIFICATE", material.certificate).decode()
        found[CHAINED] = b"".join(to_pem("CERTIFICATE", each) for each in material.chain).decode()
    for entry in promised(material):
        body = {"body": to_base64(entry.body), "integratedTime": entry.time, "logIndex": entry.index}
        logged = {"SignedEntryTimestamp": to_base64(entry.promise), "Payload": {**body, "logID": entry.log.hex()}}
        found[LOGGED] = compact(logged).decode()
    if material.timestamps:
        stamp = {"SignedRFC3161Timestamp": to_base64(material.timestamps[0])}
        found[STAMPED] = compact(stamp).decode()
    return found


def entry_document(entry: LogEntry) -> dict[str, object]:
    """One of `tlogEntries`, in protobuf's JSON: 64-bit numbers are strings, and what is empty is left out."""
    found: dict[str, object] = {
        "logIndex": str(entry.index),
        "logId": {"keyId": to_base64(entry.log)},
        "kindVersion": {"kind": entry.kind, "version": entry.version},
    }
    if entry.time:
        found["integratedTime"] = str(entry.time)
    if entry.promise:
        found["inclusionPromise"] = {"signedEntryTimestamp": to_base64(entry.promise)}
    if entry.proof is not None:
        found["inclusionProof"] = _proof(entry.proof)
    found["canonicalizedBody"] = to_base64(entry.body)
    return found


def _proof(proof: InclusionProof) -> dict[str, object]:
    return {
        "logIndex": str(proof.index),
        "rootHash": to_base64(proof.root),
        "treeSize": str(proof.size),
        "hashes": [to_base64(each) for each in proof.hashes],
        "checkpoint": {"envelope": proof.checkpoint},
    }
