"""What is said about a digest: by entries in a list, of which the manifest decides, and by cosign's names."""

from __future__ import annotations

import re

from bpfimg.errors import DigestMismatch, ImageError, NotFound
from bpfimg.oci._digest import Digest
from bpfimg.oci._model import parse_document

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bpfimg.oci._descriptor import Descriptor

_EVIDENCE = re.compile(r"sha256-([0-9a-f]{64})\.(sig|att|sbom)")


def referrers_among(
    digest: Digest, candidates: Iterable[tuple[Descriptor, bool]], fetch: Callable[[Descriptor], bytes], most: int
) -> tuple[Descriptor, ...]:
    """Returns those whose manifest has `digest` as its subject; ImageError when there are more than `most`.

    Each candidate comes with whether our own annotation promised it: then an error about it passes through. Of
    somebody else's entry nothing says that it concerns this digest, so junk there is passed over.
    """
    found: dict[Digest, Descriptor] = {}
    for entry, promised in candidates:
        try:
            document = parse_document(fetch(entry), entry.media_type)
        except (NotFound, DigestMismatch, ImageError):
            if promised:
                raise
            continue
        if document.subject and document.subject.digest == digest:
            found[entry.digest] = document.as_referrer
    if len(found) > most:
        raise ImageError(f"{digest} has {len(found)} referrers, expected at most {most}")
    return tuple(found.values())


def evidence_about(name: str) -> Digest | None:
    """Returns what a name of cosign's is about, for signatures, attestations and the like; None for other names."""
    found = _EVIDENCE.fullmatch(name.rpartition(":")[2])
    return Digest("sha256", found[1]) if found else None
