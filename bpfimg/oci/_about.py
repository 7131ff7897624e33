"""What is said about a digest: by entries in a list, of which the manifest decides, and by cosign's names."""

from __future__ import annotations

import re

from bpfimg.errors import DigestMismatch, ImageError, NotFound, UsageError
from bpfimg.oci._digest import Digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bpfimg.oci._descriptor import Descriptor
    from bpfimg.oci._model import Index, Manifest

COSIGN_ENDINGS = (".sig", ".att", ".sbom")
"""What cosign puts behind `Digest.tag`: where it keeps signatures, attestations and SBOMs of that digest."""
_DIGEST_TAG = re.compile("sha(?:256|512)-[0-9a-f]{64}")


def referrers_among(
    digest: Digest,
    candidates: Iterable[tuple[Descriptor, bool]],
    read: Callable[[Descriptor], Manifest | Index],
    most: int,
) -> tuple[Descriptor, ...]:
    """Returns those whose manifest has `digest` as its subject; ImageError when there are more than `most`.

    Each candidate comes with whether our own annotation promised it: then an error about it passes through. Of
    somebody else's entry nothing says that it concerns this digest, so junk there is passed over. What stands under
    many names is read once.
    """
    found: dict[Digest, Descriptor] = {}
    for entry, promised in dict.fromkeys(candidates):
        try:
            document = read(entry)
        except (NotFound, DigestMismatch, ImageError):
            if promised:
                raise
            continue
        if document.subject and document.subject.digest == digest:
            found[entry.digest] = document.as_referrer
    if len(found) > most:
        raise ImageError(f"{digest} has {len(found)} referrers, expected at most {most}")
    return tuple(found.values())


def is_about_digest(tag: str) -> bool:
    """Says whether a tag is one of those under which signatures and referrers of a digest are kept."""
    return _DIGEST_TAG.match(tag) is not None


def is_cosign_tag(name: str) -> bool:
    """Says whether a tag, or what ends in one, is where cosign keeps what it says about a digest."""
    return name.endswith(COSIGN_ENDINGS) and name.rpartition(":")[2].startswith(("sha256-", "sha512-"))


def cosign_subject(name: str) -> Digest | None:
    """Returns the digest that such a tag is about; None for other tags, and where it has only a part of the digest."""
    if not is_cosign_tag(name):
        return None
    try:
        return Digest.parse(name.rpartition(":")[2].rpartition(".")[0].replace("-", ":", 1))
    except UsageError:
        return None
