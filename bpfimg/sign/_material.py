"""What stands beside a signature to make it believed, as it was found: bytes and numbers, none of them checked.

Both formats carry the same things in different spellings; here they have one. Sources: sigstore_bundle.proto and
sigstore_rekor.proto (bundle), cosign's SIGNATURE_SPEC.md (annotations of a `.sig` layer).
"""

from __future__ import annotations

from bpfimg._value import value


@value(frozen=True, slots=True)
class InclusionProof:
    """That leaf `index` is in the log of `size` leaves with the Merkle `root` (RFC 6962), by the hashes on its way up;
    `checkpoint` is the signed note that says so."""

    index: int
    size: int
    root: bytes
    hashes: tuple[bytes, ...]
    checkpoint: str


@value(frozen=True, slots=True)
class LogEntry:
    """One entry of a transparency log.

    `body` are the exact bytes that were logged; `kind` and `version` are what the bundle says it is ("" where it
    does not: a `.sig` layer); `log` is the log's id, the SHA-256 of its key; `time` is `integratedTime` in seconds
    since 1970 (0: none, as in Rekor v2); `promise` is the signed entry timestamp (b"": none).
    """

    log: bytes
    index: int
    time: int
    body: bytes
    kind: str = ""
    version: str = ""
    promise: bytes = b""
    proof: InclusionProof | None = None


@value(frozen=True, slots=True)
class Material:
    """All that stands beside one signature: a certificate (DER; b"": a plain key signed) with what was sent as its
    chain, log entries, and RFC 3161 timestamps (DER TimeStampResp). `hint` only orders the tries of keys."""

    certificate: bytes = b""
    chain: tuple[bytes, ...] = ()
    entries: tuple[LogEntry, ...] = ()
    timestamps: tuple[bytes, ...] = ()
    hint: bytes = b""


NOTHING = Material()
