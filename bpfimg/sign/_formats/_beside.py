"""What stands beside the signature in a Sigstore bundle, versions 0.1 to 0.3, and beside one in a layer's annotations.

Both say the same things; both are read strictly and bounded, and nothing of it is believed here. Sources:
sigstore_bundle.proto, sigstore_rekor.proto (JSON by the rules of protobuf: 64-bit numbers are strings, what is zero or
empty may be left out, null is left out); cosign's SIGNATURE_SPEC.md.
"""

from __future__ import annotations

import binascii
import re

from bpfimg.errors import quoted
from bpfimg.sign._material import NOTHING, InclusionProof, LogEntry, Material
from bpfimg.sign._strict import Junk, base64, certificates, document, fields, items, string

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

MOST = 32
"""Log entries, and timestamps, beside one signature."""
_CHAIN = 8
_HASHES = 64  # a log of 2^63 leaves is no higher
_LARGEST = 64 * 1024  # one certificate, timestamp or checkpoint
_BODY = 1024 * 1024
_HOLDERS = ("publicKey", "certificate", "x509CertificateChain")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")
_HEX_ID = re.compile(r"[0-9a-f]{64}")
_STAMPS = "rfc3161Timestamps"
CERTIFICATE = "dev.sigstore.cosign/certificate"
CHAINED = "dev.sigstore.cosign/chain"
LOGGED = "dev.sigstore.cosign/bundle"
STAMPED = "dev.sigstore.cosign/rfc3161timestamp"


def in_bundle(value: object, *, chains: bool) -> Material:
    """Returns the verification material of a bundle, or raises `Junk`; only old bundles have `chains`."""
    found = fields(value, "verificationMaterial", (), (*_HOLDERS, "tlogEntries", "timestampVerificationData"))
    holders = [name for name in _HOLDERS if found.get(name) is not None]
    if len(holders) != 1:
        there = " and ".join(holders) or "no signer"
        raise Junk(f"verificationMaterial has {there}, expected one of {', '.join(_HOLDERS)}")
    hint = b""
    chain: tuple[bytes, ...] = ()
    if holders[0] == "publicKey":
        hint = _hint(found["publicKey"])
    elif holders[0] == "certificate":
        chain = (_certificate(found["certificate"], "certificate"),)
    elif chains:
        chain = _chain(found["x509CertificateChain"])
    else:
        raise Junk("verificationMaterial has x509CertificateChain, expected certificate in a bundle of version 0.3")
    stamps = fields(_given(found, "timestampVerificationData", {}), "timestampVerificationData", (), (_STAMPS,))
    return Material(
        certificate=chain[0] if chain else b"",
        chain=chain[1:],
        entries=tuple(map(_entry, _list(found, "tlogEntries", MOST))),
        timestamps=tuple(map(_stamp, _list(stamps, _STAMPS, MOST))),
        hint=hint,
    )


def in_annotations(annotations: Mapping[str, str]) -> Material:
    """Returns what the annotations of a `.sig` or `.att` layer hold beside the signature, or raises `Junk`."""
    certificate = _pem(annotations.get(CERTIFICATE, ""), "the certificate", 1)
    chain = _pem(annotations.get(CHAINED, ""), "the chain", _CHAIN)
    entry, stamp = annotations.get(LOGGED, ""), annotations.get(STAMPED, "")
    if not (certificate or chain or entry or stamp):
        return NOTHING
    return Material(
        certificate=certificate[0] if certificate else b"",
        chain=chain,
        entries=(_legacy_entry(entry),) if entry else (),
        timestamps=(_legacy_stamp(stamp),) if stamp else (),
    )


def _legacy_entry(text: str) -> LogEntry:
    what = "the log entry"
    top = fields(document(text.encode(), limit=2 * _BODY, what=what), what, ("SignedEntryTimestamp", "Payload"))
    payload = fields(top["Payload"], f"{what}'s Payload", ("body", "integratedTime", "logIndex", "logID"))
    log = string(payload["logID"], "logID")
    if not _HEX_ID.fullmatch(log):
        raise Junk(f"logID is {quoted(log)}, expected 64 hex digits")
    return LogEntry(
        log=binascii.unhexlify(log),
        index=_plain_number(payload, "logIndex"),
        time=_plain_number(payload, "integratedTime"),
        body=_bytes(payload["body"], "body", _BODY),
        promise=_bytes(top["SignedEntryTimestamp"], "SignedEntryTimestamp"),
    )


def _legacy_stamp(text: str) -> bytes:
    what = "the timestamp"
    top = fields(document(text.encode(), limit=2 * _LARGEST, what=what), what, ("SignedRFC3161Timestamp",))
    return _bytes(top["SignedRFC3161Timestamp"], what)


def _entry(value: object) -> LogEntry:
    what = "a log entry"
    optional = ("logIndex", "integratedTime", "inclusionPromise", "inclusionProof")
    found = fields(value, what, ("logId", "kindVersion", "canonicalizedBody"), optional)
    kind = fields(found["kindVersion"], "kindVersion", ("kind", "version"))
    promised, proof = _given(found, "inclusionPromise", None), _given(found, "inclusionProof", None)
    promise = b""
    if promised is not None:
        promise = _bytes(
            fields(promised, "inclusionPromise", ("signedEntryTimestamp",))["signedEntryTimestamp"],
            "signedEntryTimestamp",
        )
    return LogEntry(
        log=_bytes(fields(found["logId"], "logId", ("keyId",))["keyId"], "keyId", 64),
        index=_number(found, "logIndex"),
        time=_number(found, "integratedTime"),
        body=_bytes(found["canonicalizedBody"], "canonicalizedBody", _BODY),
        kind=string(kind["kind"], "kind"),
        version=string(kind["version"], "version"),
        promise=promise,
        proof=_proof(proof) if proof is not None else None,
    )


def _proof(value: object) -> InclusionProof:
    found = fields(value, "inclusionProof", ("treeSize", "rootHash"), ("logIndex", "hashes", "checkpoint"))
    note = fields(_given(found, "checkpoint", {}), "checkpoint", (), ("envelope",))
    checkpoint = string(_given(note, "envelope", ""), "checkpoint")
    if len(checkpoint) > _LARGEST:
        raise Junk(f"checkpoint has {len(checkpoint)} characters, expected at most {_LARGEST}")
    return InclusionProof(
        index=_number(found, "logIndex"),
        size=_number(found, "treeSize"),
        root=_bytes(found["rootHash"], "rootHash", 64),
        hashes=tuple(_bytes(one, "an inclusion hash", 64) for one in _list(found, "hashes", _HASHES)),
        checkpoint=checkpoint,
    )


def _stamp(value: object) -> bytes:
    return _bytes(fields(value, "a timestamp", ("signedTimestamp",))["signedTimestamp"], "signedTimestamp")


def _chain(value: object) -> tuple[bytes, ...]:
    inside = fields(value, "x509CertificateChain", ("certificates",))["certificates"]
    found = items(inside, "x509CertificateChain", least=1, most=_CHAIN)
    return tuple(_certificate(one, "a certificate of the chain") for one in found)


def _certificate(value: object, what: str) -> bytes:
    return _bytes(fields(value, what, ("rawBytes",))["rawBytes"], what)


def _hint(value: object) -> bytes:
    """Returns the hint as a fingerprint, b"" when it is none: it decides nothing, so no form of it is wrong."""
    text = string(_given(fields(value, "publicKey", (), ("hint",)), "hint", ""), "hint")
    try:
        return base64(text, "hint")
    except Junk:
        return b""


def _pem(text: str, what: str, most: int) -> tuple[bytes, ...]:
    if len(text) > most * 2 * _LARGEST:
        raise Junk(f"{what} has {len(text)} characters, expected at most {most * 2 * _LARGEST}")
    return certificates(text.encode(errors="replace"), what, most=most) if text else ()


def _bytes(value: object, what: str, most: int = _LARGEST) -> bytes:
    """Returns the bytes of a base64 string, at least one and at most so many."""
    data = base64(value, what)
    if not 1 <= len(data) <= most:
        raise Junk(f"{what} has {len(data)} bytes, expected 1 to {most}")
    return data


def _number(found: Mapping[str, object], name: str) -> int:
    """Returns a 64-bit number as protobuf's JSON has it: a decimal string, or a number; 0 when it is left out."""
    value = _given(found, name, 0)
    if type(value) is str and _NUMBER.fullmatch(value):
        value = int(value)
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise Junk(f"{name} is {quoted(value)}, expected a number")
    return value


def _plain_number(found: Mapping[str, object], name: str) -> int:
    value = found[name]
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise Junk(f"{name} is {quoted(value)}, expected a number")
    return value


def _list(found: Mapping[str, object], name: str, most: int) -> list[object]:
    return items(_given(found, name, []), name, most=most)


def _given(found: Mapping[str, object], name: str, otherwise: object) -> object:
    value = found.get(name)
    return otherwise if value is None else value
