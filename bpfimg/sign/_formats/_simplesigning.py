"""The `.sig` format: a small JSON payload as a layer, its signature in the layer's annotations.

All signatures of a digest are layers of one manifest under the tag `sha256-<hex>.sig`. Read by podman, CRI-O,
skopeo, bpfman and every cosign.
"""

from __future__ import annotations

from bpfimg.errors import quoted
from bpfimg.sign._candidate import Candidate
from bpfimg.sign._formats._beside import in_annotations
from bpfimg.sign._strict import Junk, base64, document, fields, mapping, string

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpfimg.oci import Descriptor

MEDIA_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json"
SIGNATURE = "dev.cosignproject.cosign/signature"
PAYLOAD_LIMIT = 64 * 1024
TYPE = "cosign container image signature"


def signature_of(annotations: Mapping[str, str]) -> bytes:
    """Returns the signature in a layer's annotations; `Junk` when there is none."""
    if SIGNATURE not in annotations:
        raise Junk(f"it lacks the annotation {SIGNATURE}")
    return base64(annotations[SIGNATURE], "the signature")


def parse(data: bytes, annotations: Mapping[str, str], digest: str, holder: Descriptor, where: str) -> Candidate:
    """Returns the candidate in a payload and its layer's annotations; `Junk` unless it is a signature of `digest`."""
    top = fields(document(data, limit=PAYLOAD_LIMIT, what="payload"), "payload", ("critical",), ("optional",))
    critical = fields(top["critical"], "critical", ("identity", "image", "type"))
    if critical["type"] != TYPE:
        raise Junk(f"critical.type is {quoted(critical['type'])}, expected {TYPE!r}")
    image = fields(critical["image"], "critical.image", ("docker-manifest-digest",))
    if image["docker-manifest-digest"] != digest:
        raise Junk(f"it is about another image, {quoted(image['docker-manifest-digest'])}")
    identity = fields(critical["identity"], "critical.identity", (), ("docker-reference",))
    return Candidate(
        format="legacy",
        holder=holder,
        where=where,
        message=data,
        payload=data,
        signature=signature_of(annotations),
        names=(string(identity.get("docker-reference", ""), "docker-reference"),),
        claims=_claims(top.get("optional")),
        material=in_annotations(annotations),
    )


def _claims(optional: object) -> dict[str, str]:
    """Returns the signed annotations; texts only: skopeo also puts the time of signing there, as a number."""
    if optional is None:
        return {}
    return {name: text for name, text in mapping(optional, "optional").items() if type(text) is str}
