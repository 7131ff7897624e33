"""Whether all of an image is where it should be, without asking anybody else."""

from __future__ import annotations

from bpfimg.errors import DigestMismatch, ImageError, NotFound
from bpfimg.oci._copying._cosign import TAG_ENDINGS
from bpfimg.oci._limits import DEFAULT
from bpfimg.oci._model import Index, parse_document

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bpfimg.oci._descriptor import Descriptor, Platform
    from bpfimg.oci._digest import Digest
    from bpfimg.oci._limits import Limits
    from bpfimg.oci._target import Target


def is_whole(
    place: Target,
    top: Descriptor,
    platforms: Sequence[Platform] = (),
    *,
    evidence: bool = True,
    limits: Limits = DEFAULT,
) -> bool:
    """Says whether an image is there unaltered: manifests, blobs, and (`evidence`) the signatures and other referrers
    that are listed.

    Every byte is hashed. Of an index, the images for `platforms` count (none given: all of them); where it has none
    for one of them, nothing is missing for that.
    """
    try:
        documents = list(_documents(place, top, platforms, limits.nesting, set()))
        seen: set[Digest] = set()
        for digest in documents if evidence else ():
            for entry in _evidence(place, digest):
                for _ in _documents(place, entry, (), limits.nesting, seen):
                    pass
    except (NotFound, DigestMismatch):
        return False
    return True


def _documents(
    place: Target, top: Descriptor, platforms: Sequence[Platform], nesting: int, seen: set[Digest]
) -> Iterator[Digest]:
    """Yields manifests and indexes after looking at all their blobs; raises for what is gone or altered.

    Each once, whatever a stranger's indexes repeat: 256 times 256 is a long time for the same few bytes.
    """
    if top.digest in seen:
        return
    document = parse_document(place.fetch(top), top.media_type)
    if not isinstance(document, Index):
        for part in document.parts:
            if not place.exists(part):
                raise NotFound(f"{top.digest} lacks its part {part.digest}")
    elif not nesting:
        raise ImageError(f"indexes are nested too deep at {top.digest}")
    else:
        for child in _chosen(document, platforms):
            yield from _documents(place, child, platforms, nesting - 1, seen)
    seen.add(top.digest)
    yield top.digest


def _chosen(index: Index, platforms: Sequence[Platform]) -> Sequence[Descriptor]:
    if not platforms:
        return index.manifests
    found = []
    for platform in platforms:
        try:
            found.append(index.select(platform))
        except NotFound:
            continue
    return found


def _evidence(place: Target, digest: Digest) -> Iterator[Descriptor]:
    yield from place.referrers(digest)
    for ending in TAG_ENDINGS:
        try:
            yield place.resolve(digest.tag + ending)
        except NotFound:
            continue
