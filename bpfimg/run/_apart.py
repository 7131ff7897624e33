"""Signatures that a policy expects in a repository of their own, apart from the image."""

from __future__ import annotations

from bpfimg._value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from bpfimg.oci import Descriptor, Digest, Source, Target, places


@value(frozen=True, slots=True)
class Apart:
    """A repository in which signatures of images of another one are: where it is, and where they are kept here.

    `registry` is called only when it is asked.
    """

    registry: Callable[[], Source]
    store: Target


def bring(
    apart: Apart,
    store: Target,
    top: Descriptor,
    *,
    pull: str,
    limits: places.Limits,
    progress: places.Progress | None,
    warn: Callable[[str], None],
) -> None:
    """Brings signatures of the image `top` in `store`, and of what is there of its children, into `apart.store`.

    With `missing` only when none is here, whole. That they cannot be had is an error, never the news that there are
    none: raises `RegistryError`; with `newer` it is a warning.
    """
    from bpfimg.errors import NotFound, RegistryError
    from bpfimg.oci import Index, parse_document, places

    digests = [top.digest]
    document = parse_document(store.fetch(top), top.media_type)
    if isinstance(document, Index):
        digests += [child.digest for child in document.manifests if store.exists(child)]
    if pull == "missing" and any(_is_there(apart.store, digest, limits) for digest in digests):
        return
    try:
        places.stores.gather(apart.registry(), digests, apart.store, limits=limits, progress=progress, warn=warn)
    except RegistryError as error:
        if pull != "newer" or isinstance(error, NotFound):
            raise
        warn(f"{error}; going on with the signatures in the local store")


def _is_there(place: Target, digest: Digest, limits: places.Limits) -> bool:
    """Whether something about that digest is there, and nothing of it is damaged."""
    from bpfimg.errors import DigestMismatch, NotFound
    from bpfimg.oci import places

    found = list(place.referrers(digest))
    for ending in (".sig", ".att"):
        try:
            found.append(place.resolve(digest.tag + ending))
        except NotFound:
            continue
        except DigestMismatch:
            return False
    return bool(found) and all(places.stores.is_whole(place, each, evidence=False, limits=limits) for each in found)
