"""Referrers in a registry: its API where it has one, else an index under the fallback tag (distribution-spec 1.1)."""

from __future__ import annotations

import os
import time

from bpfimg.errors import ImageError, NotFound, RegistryError, quoted
from bpfimg.oci import _media
from bpfimg.oci._download import download_document
from bpfimg.oci._model import Index

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpfimg.oci._descriptor import Descriptor
    from bpfimg.oci._digest import Digest
    from bpfimg.oci._target import Target
    from bpfimg.oci._wire import Wire

_PAGES = 8
_ROUNDS = 8


def from_api(wire: Wire, path: str, digest: Digest) -> tuple[Descriptor, ...] | None:
    """Returns the referrers that the registry knows, None when it has no referrers API."""
    doing = f"list the referrers of {path}@{digest}"
    url: str | None = f"{wire.base}/v2/{path}/referrers/{digest}"
    found: dict[Digest, Descriptor] = {}
    for _ in range(_PAGES):
        assert url is not None
        try:
            raw, headers = download_document(wire, url, doing, {"Accept": _media.OCI_INDEX}, _media.DOCUMENT_LIMIT)
        except NotFound:
            return None  # with any body: older registries do not know the path at all
        except RegistryError as error:
            if error.status in (405, 501):
                return None
            raise
        if headers.get("Content-Type", "").partition(";")[0].strip() != _media.OCI_INDEX:
            return None
        for entry in Index.parse(raw, _media.OCI_INDEX).manifests:
            found.setdefault(entry.digest, entry)
        url = _next(wire, url, headers)
        if url is None or len(found) > _media.REFERRERS:
            return tuple(found.values())
    raise ImageError(f"cannot {doing}: they fill more than {_PAGES} pages")


def from_fallback(target: Target, digest: Digest) -> tuple[Descriptor, ...]:
    """Returns what the index under the fallback tag lists, () when there is none."""
    try:
        found = target.resolve(digest.tag)
    except NotFound:
        return ()
    return Index.parse(target.fetch(found), found.media_type).manifests


def add_to_fallback(target: Target, digest: Digest, entry: Descriptor, waits: tuple[float, ...]) -> None:
    """Lists `entry` under the fallback tag of `digest`.

    The update has no compare-and-swap: it is read again, and repeated when another writer overwrote it.
    """
    for wait in (*waits, *waits)[:_ROUNDS] or (0.0,):
        known = from_fallback(target, digest)
        if any(each.digest == entry.digest for each in known):
            return
        index = Index.build([*known, entry])
        target.push(index.descriptor, index.raw, tag=digest.tag)
        if any(each.digest == entry.digest for each in from_fallback(target, digest)):
            return
        time.sleep(wait * os.urandom(1)[0] / 255)
    raise RegistryError(
        f"cannot list {entry.digest} as a referrer of {digest} in {target.repository}: others overwrite the list",
        hint="push again when nobody else does",
    )


def _next(wire: Wire, url: str, headers: Mapping[str, str]) -> str | None:
    """Returns where the next page is (RFC 8288), None on the last; RegistryError when that is another place."""
    link = headers.get("Link", "")
    target, _, rest = link.strip().removeprefix("<").partition(">")
    if not link.strip().startswith("<") or 'rel="next"' not in rest.replace("rel=next", 'rel="next"'):
        return None
    found = wire.join(url, target)
    if not found.startswith(wire.base + "/"):
        raise RegistryError(f"{wire.host} continues its list of referrers at {quoted(found)}, expected its own address")
    return found
