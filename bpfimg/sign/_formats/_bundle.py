"""The Sigstore bundle, version 0.3, with a DSSE envelope around an in-toto statement: cosign 3's own format.

Own parser: the protobuf ones refuse bundles without a log entry, and accept much that must not be believed.
"""

from __future__ import annotations

from bpfimg._json import compact, json_kind
from bpfimg.errors import quoted
from bpfimg.sign._candidate import Candidate
from bpfimg.sign._strict import Junk, base64, document, fields, string, to_base64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpfimg.oci import Descriptor, Digest

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
BUNDLE_LIMIT = 1024 * 1024
PREDICATE = "https://sigstore.dev/cosign/sign/v1"
_PAYLOAD = "application/vnd.in-toto+json"
_STATEMENTS = ("https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1")
_SUBJECTS = 256
_TIMESTAMPS = 32
_CERTIFICATES = ("certificate", "x509CertificateChain")
_MATERIAL = ("publicKey", *_CERTIFICATES, "tlogEntries", "timestampVerificationData")
_RESOURCE = ("name", "uri", "content", "downloadLocation", "mediaType", "annotations")


def pae(payload: bytes) -> bytes:
    """Returns the DSSE pre-authentication encoding of an in-toto payload: the bytes that are signed."""
    return b"DSSEv1 %d %b %d %b" % (len(_PAYLOAD), _PAYLOAD.encode(), len(payload), payload)


def statement(repository: str, digest: Digest, annotations: Mapping[str, str]) -> bytes:
    """Returns the in-toto statement "this digest is signed": cosign's, plus the name HOST/REPO that it leaves out."""
    claims = dict(sorted(annotations.items()))
    subject = {"name": repository, "digest": {digest.algorithm: digest.hex}, "annotations": claims}
    return compact({"_type": _STATEMENTS[0], "subject": [subject], "predicateType": PREDICATE, "predicate": {}})


def build(payload: bytes, signature: bytes, fingerprint: str) -> bytes:
    """Returns the bundle of a statement and a signature over its `pae`; the key's fingerprint becomes a hint."""
    hint = to_base64(bytes.fromhex(fingerprint.removeprefix("sha256:")))
    return compact(
        {
            "mediaType": MEDIA_TYPE,
            "verificationMaterial": {"publicKey": {"hint": hint}},  # no `tlogEntries`, not even an empty one
            "dsseEnvelope": {
                "payload": to_base64(payload),
                "payloadType": _PAYLOAD,
                "signatures": [{"sig": to_base64(signature)}],
            },
        }
    )


def parse(data: bytes, digest: Digest, holder: Descriptor, where: str) -> Candidate:
    """Returns the candidate in a bundle; `Junk` unless it is a signature (no attestation) of the digest given."""
    top = fields(
        document(data, limit=BUNDLE_LIMIT, what="bundle"),
        "bundle",
        ("mediaType", "verificationMaterial", "dsseEnvelope"),
    )
    if top["mediaType"] != MEDIA_TYPE:
        raise Junk(f"bundle has the media type {quoted(top['mediaType'])}, expected {MEDIA_TYPE}")
    material = fields(top["verificationMaterial"], "verificationMaterial", (), _MATERIAL)
    payload, signature = _envelope(top["dsseEnvelope"])
    return Candidate(
        format="bundle",
        holder=holder,
        where=where,
        message=pae(payload),
        signature=signature,
        names=_names(payload, digest),
        tlog=bool(_list(material.get("tlogEntries", []), "tlogEntries", _TIMESTAMPS)),
        timestamp=_has_timestamp(material.get("timestampVerificationData", {})),
        keyless=any(name in material for name in _CERTIFICATES),
    )


def _envelope(value: object) -> tuple[bytes, bytes]:
    """Returns payload and signature of a DSSE envelope that has exactly one of each."""
    envelope = fields(value, "dsseEnvelope", ("payload", "payloadType", "signatures"))
    if envelope["payloadType"] != _PAYLOAD:
        raise Junk(f"payloadType is {quoted(envelope['payloadType'])}, expected {_PAYLOAD}")
    signatures = _list(envelope["signatures"], "signatures", 1)
    if not signatures:
        raise Junk("the envelope has no signature, expected one")
    one = fields(signatures[0], "signature", ("sig",), ("keyid",))
    if one.get("keyid", "") != "":
        raise Junk(f"keyid is {quoted(one['keyid'])}, expected none")
    return base64(envelope["payload"], "payload"), base64(one["sig"], "sig")


def _names(payload: bytes, wanted: Digest) -> tuple[str, ...]:
    """Returns the names that a signature's statement gives to the digest, "" where it gives none."""
    top = document(payload, limit=BUNDLE_LIMIT, what="statement")
    found = fields(top, "statement", ("_type", "subject", "predicateType"), ("predicate",))
    if found["_type"] not in _STATEMENTS:
        raise Junk(f"_type is {quoted(found['_type'])}, expected {_STATEMENTS[0]}")
    if found["predicateType"] != PREDICATE:
        raise Junk(f"it is an attestation of the type {quoted(found['predicateType'])}, not a signature")
    names = []
    for value in _list(found["subject"], "subject", _SUBJECTS):
        subject = fields(value, "subject", ("digest",), _RESOURCE)
        digests = subject["digest"]
        if type(digests) is not dict:
            raise Junk(f"subject.digest is {json_kind(digests)}, expected an object")
        if digests.get(wanted.algorithm) == wanted.hex:
            names.append(string(subject.get("name", ""), "subject.name"))
    if not names:
        raise Junk("it is about another image")
    return tuple(names)


def _has_timestamp(value: object) -> bool:
    found = fields(value, "timestampVerificationData", (), ("rfc3161Timestamps",))
    return bool(_list(found.get("rfc3161Timestamps", []), "rfc3161Timestamps", _TIMESTAMPS))


def _list(value: object, what: str, most: int) -> list[object]:
    if type(value) is not list:
        raise Junk(f"{what} is {json_kind(value)}, expected a list")
    if len(value) > most:
        raise Junk(f"{what} has {len(value)} entries, expected at most {most}")
    return value
