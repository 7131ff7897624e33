"""Layouts that `cosign save` wrote: one image, and what is signed about it, without the names by which others find it.

An entry says by the annotation `kind` what it is. cosign 3 keeps Sigstore bundles as blobs that no entry names. Source:
cosign 2.5 and 3.1, `pkg/oci/layout`.
"""

from __future__ import annotations

import os
from contextlib import suppress

from bpfimg.errors import Error, UsageError
from bpfimg.oci._descriptor import Descriptor
from bpfimg.oci._digest import Digest
from bpfimg.oci._model import parse_document

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from bpfimg.oci._store._entries import Entries

_MARK = "dev.cosignproject.cosign/"
"""What every `kind` begins with."""
_NAME, _KIND = "org.opencontainers.image.ref.name", "kind"
_IMAGES = (f"{_MARK}image", f"{_MARK}imageIndex")
_ENDINGS = {f"{_MARK}sigs": ".sig", f"{_MARK}atts": ".att"}
_MOST = 4096
_SMALL = 64 * 1024  # a manifest of a referrer has a kilobyte


def with_tags(entries: list[object]) -> list[object]:
    """Returns the entries of an `index.json`; signatures that cosign saved beside its one image have the tag by which
    they are found in a registry."""
    kinds = [_kind(entry) for entry in entries]
    about = [entry for entry, kind in zip(entries, kinds, strict=True) if kind in _IMAGES]
    digest = about[0].get("digest") if len(about) == 1 and isinstance(about[0], dict) else None
    if not isinstance(digest, str):
        return entries
    tag = digest.replace(":", "-", 1)
    return [
        {**entry, "annotations": {_NAME: f"{tag}{_ENDINGS[kind]}", **entry["annotations"]}}
        if kind in _ENDINGS and isinstance(entry, dict)
        else entry
        for entry, kind in zip(entries, kinds, strict=True)
    ]


def _kind(entry: object) -> str:
    annotations = entry.get("annotations") if isinstance(entry, dict) else None
    kind = annotations.get(_KIND) if isinstance(annotations, dict) else None
    return kind if isinstance(kind, str) else ""


def unlisted(
    path: str, entries: Entries, about: Digest, read: Callable[[Digest, int], bytes]
) -> Iterator[tuple[Descriptor, bool]]:
    """Yields the small manifests that may be about a digest among the blobs of a layout that cosign saved; none of
    others. As `Entries.unnamed` does."""
    if next(entries.with_text(_MARK), None) is None:
        return
    mark = str(about).encode()
    for digest in _blobs(f"{path}/blobs/sha256"):
        with suppress(Error):
            content = read(digest, _SMALL)
            if len(content) <= _SMALL and mark in content and b'"subject"' in content:
                yield Descriptor(parse_document(content).media_type, digest, len(content)), False


def _blobs(folder: str) -> Iterable[Digest]:
    try:
        names = sorted(os.listdir(folder))[:_MOST]
    except OSError:
        return
    for name in names:
        with suppress(UsageError):
            yield Digest.parse(f"sha256:{name}")
