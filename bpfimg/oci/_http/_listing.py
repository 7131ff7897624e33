"""Referrers in a registry: its API where it has one, else an index under the fallback tag (distribution-spec 1.1)."""

from __future__ import annotations

import os
import time

from bpfimg.errors import ImageError, NotFound, RegistryError, quoted
from bpfimg.oci import _media
from bpfimg.oci._http._pages import pages
from bpfimg.oci._model import Index

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.oci._descriptor import Descriptor
    from bpfimg.oci._digest import Digest
    from bpfimg.oci._http._wire import Wire
    from bpfimg.oci._target import Target

_ROUNDS = 8
_OF_REPOSITORY = ("NAME_UNKNOWN", "MANIFEST_UNKNOWN")
"""What a registry answers with to be asked about something that it lacks: that says nothing about the API."""


def from_api(wire: Wire, digest: Digest) -> tuple[Descriptor, ...] | None:
    """Returns the referrers that the registry knows, None when it has no referrers API."""
    place = f"{wire.base}/{wire.path.rpartition('/')[0]}"  # what stands behind one name may differ by folder
    if not wire.connections.knows_referrers(place):
        return None
    try:
        found = _from_api(wire, digest)
    except NotFound as error:  # with any body: older registries do not know the path at all
        if error.code not in _OF_REPOSITORY:
            wire.connections.answered_referrers(place, digest, there=False)
        return None
    wire.connections.answered_referrers(place, digest, there=found is not None)
    return found


def _from_api(wire: Wire, digest: Digest) -> tuple[Descriptor, ...] | None:
    doing = f"list the referrers of {wire.path}@{digest}"
    limits = wire.options.limits
    found: dict[Digest, Descriptor] = {}
    begun = False  # only the first page can say that there is no API
    try:
        for raw, headers in pages(wire, f"/v2/{wire.path}/referrers/{digest}", doing, {"Accept": _media.OCI_INDEX}):
            kind = headers.get("Content-Type", "").partition(";")[0].strip()
            if kind != _media.OCI_INDEX:
                if not begun:
                    return None
                raise ImageError(f"cannot {doing}: a page comes as {quoted(kind)}, expected {_media.OCI_INDEX}")
            begun = True
            for entry in Index.parse(raw, _media.OCI_INDEX, limits).manifests:
                found.setdefault(entry.digest, entry)
            if len(found) > limits.referrers:
                break
    except RegistryError as error:
        if begun and isinstance(error, NotFound):
            raise RegistryError(str(error), status=error.status, code=error.code, hint=error.hint) from error
        if not begun and error.status in (405, 501):
            return None
        raise
    return tuple(found.values())


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
