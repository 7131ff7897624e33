"""Giving names to content: the one place where `index.json` of a layout is written."""

from __future__ import annotations

import os

from bpfimg._value import value
from bpfimg.errors import NotFound, StoreError
from bpfimg.oci._digest import ALGORITHMS
from bpfimg.oci._limits import DEFAULT
from bpfimg.oci._store._entries import Entries
from bpfimg.oci._store._files import store_error, sweep, sync_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bpfimg.oci._descriptor import Descriptor
    from bpfimg.oci._digest import Digest
    from bpfimg.oci._limits import Limits

VERSION_FILE = b'{"imageLayoutVersion":"1.0.0"}'
"""The file `oci-layout`, which makes a directory, or an archive, an image layout."""
STALE = 3600.0
"""Seconds after which a draft belongs to a writer that died, and content without a name to nobody."""


@value(frozen=True, slots=True)
class Naming:
    """An entry to be written: what it names, how, and what has to be there for it."""

    descriptor: Descriptor
    annotations: Mapping[str, str]
    parts: tuple[Descriptor, ...]


def check_version(content: bytes, what: str) -> None:
    """Refuses (StoreError) what says of itself that it is a layout of another version; `what` begins the sentence."""
    if b'"1.0.0"' not in content:
        raise StoreError(f"{what} an image layout of an unknown version, expected 1.0.0")


def blob_name(digest: Digest) -> str:
    """Where content is in a layout (image-layout specification 1.1, 'Blobs')."""
    return f"blobs/{digest.algorithm}/{digest.hex}"


def write_names(path: str, namings: Iterable[Naming], limits: Limits = DEFAULT) -> None:
    """Writes the entries, all by one rename; belongs inside the writers' lock.

    NotFound, after the others were written, when a part is not there: what prunes holds the lock, too, so what is
    there now stays. StoreError when the index cannot be written: then none of them was.
    """
    entries = Entries.load(path, limits.layout)
    failed, changed = None, False
    for each in namings:
        if part := missing(path, (each.descriptor, *each.parts)):
            failed = failed or part
        else:
            changed = entries.put(each.descriptor, each.annotations) or changed
    if changed:
        save(path, entries, limits)
    if failed:
        raise NotFound(f"the store {path} has no content {failed.digest} that the manifest names")


def save(path: str, entries: Entries, limits: Limits = DEFAULT) -> None:
    """Replaces the index; the content that it names is on disk before. Belongs inside the writers' lock."""
    try:
        sync_content(path)
        entries.save(path, limits.layout)
        sweep(path, STALE)
    except OSError as error:
        raise store_error("write the index of", path, error) from error


def sync_content(path: str) -> None:
    """First the content, then the name: after a crash a name never points at nothing."""
    for algorithm in ALGORITHMS:
        if os.path.exists(f"{path}/blobs/{algorithm}"):
            sync_directory(path, "blobs", algorithm)


def missing(path: str, parts: Iterable[Descriptor]) -> Descriptor | None:
    """Returns the first of the parts that is not there with its size."""
    for part in parts:
        try:
            size = os.stat(f"{path}/{blob_name(part.digest)}").st_size
        except OSError:
            size = -1
        if size != part.size:
            return part
    return None
