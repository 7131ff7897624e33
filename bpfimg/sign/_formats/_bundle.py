"""The Sigstore bundle, versions 0.1 to 0.3, with a DSSE envelope around an in-toto statement: cosign 3's own format.

Own parser: the protobuf ones refuse bundles without a log entry, and accept much that must not be believed.
"""

from __future__ import annotations

from bpfimg.errors import quoted
from bpfimg.sign._candidate import Candidate
from bpfimg.sign._formats._beside import in_bundle
from bpfimg.sign._formats._envelope import SIGNATURE, opened, pae, said
from bpfimg.sign._strict import Junk, document, fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.oci import Descriptor, Digest

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
_OLD = ("application/vnd.dev.sigstore.bundle+json;version=0.1", "application/vnd.dev.sigstore.bundle+json;version=0.2")
MEDIA_TYPES = (MEDIA_TYPE, "application/vnd.dev.sigstore.bundle+json;version=0.3", *_OLD)
BUNDLE_LIMIT = 1024 * 1024
ATTESTATION_LIMIT = 23 * 1024 * 1024
"""A statement of 16 MiB in base64, and what stands beside it."""


def parse(data: bytes, digest: Digest, holder: Descriptor, where: str) -> Candidate:
    """Returns the candidate in a bundle about `digest`, or raises `Junk`; its predicate type says what it is."""
    top = fields(
        document(data, limit=ATTESTATION_LIMIT, what="bundle"),
        "bundle",
        ("mediaType", "verificationMaterial", "dsseEnvelope"),
    )
    media_type = top["mediaType"]
    if media_type not in MEDIA_TYPES:
        raise Junk(f"bundle has the media type {quoted(media_type)}, expected {MEDIA_TYPE}")
    payload, signature = opened(top["dsseEnvelope"])
    statement = said(payload, digest)
    if statement.predicate_type == SIGNATURE and len(data) > BUNDLE_LIMIT:
        raise Junk(f"bundle has {len(data)} bytes, expected at most {BUNDLE_LIMIT}")
    return Candidate(
        format="bundle",
        holder=holder,
        where=where,
        message=pae(payload),
        payload=payload,
        signature=signature,
        names=statement.names,
        predicate_type=statement.predicate_type,
        claims=statement.claims,
        material=in_bundle(top["verificationMaterial"], chains=media_type in _OLD),
    )
