"""The `.att` format: attestations as DSSE envelopes, each a layer of one manifest under the tag `sha256-<hex>.att`.

cosign 2's own format. The layer's annotations carry the same evidence as those of a `.sig`; the signature is inside
the envelope, and the annotation `predicateType` only repeats what the statement says.
"""

from __future__ import annotations

from bpfimg.sign._candidate import Candidate
from bpfimg.sign._formats._beside import in_annotations
from bpfimg.sign._formats._bundle import ATTESTATION_LIMIT
from bpfimg.sign._formats._envelope import opened, pae, said
from bpfimg.sign._strict import document

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpfimg.oci import Descriptor, Digest

MEDIA_TYPE = "application/vnd.dsse.envelope.v1+json"


def parse(data: bytes, annotations: Mapping[str, str], digest: Digest, holder: Descriptor, where: str) -> Candidate:
    """Returns the candidate in an envelope and its layer's annotations; `Junk` unless it is about `digest`."""
    payload, signature = opened(document(data, limit=ATTESTATION_LIMIT, what="envelope"), "envelope")
    statement = said(payload, digest)
    return Candidate(
        format="legacy",
        holder=holder,
        where=where,
        message=pae(payload),
        payload=payload,
        signature=signature,
        names=statement.names,
        predicate_type=statement.predicate_type,
        claims=statement.claims,
        material=in_annotations(annotations),
        enclosed=data,
    )
