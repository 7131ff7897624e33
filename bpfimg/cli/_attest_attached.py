"""`bpfimg attest --attached`: the documents that `bpfimg build` has put beside an image, signed."""

from __future__ import annotations

import json

from bpfimg._json import NotStrict, strict_object
from bpfimg.errors import ImageError, NotFound, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.cli._options import Options
    from bpfimg.cli._places import Found
    from bpfimg.oci import Descriptor, Target

    Saying = tuple[Descriptor, str, bytes]
    """What is spoken of, the predicate type, the predicate."""

__all__ = ["sayings"]

_SBOMS = {"application/spdx+json": "spdxjson", "application/vnd.cyclonedx+json": "cyclonedx"}
_STATEMENT = "application/vnd.in-toto+json"
_LIMIT = 16 * 1024 * 1024


def sayings(found: Found, options: Options) -> list[Saying]:
    """The SBOMs and the provenance of an image in the local store, of an index those of its images, too.

    Raises UsageError for an image elsewhere: whoever may push can attach documents there, and is not to be signed for.
    """
    from bpfimg.oci import Layout

    if not (isinstance(found.place, Layout) and found.place.path == options.store):
        raise UsageError(
            f"{found.name} is not in the local store, expected an image that was built here with its documents",
            hint="anybody who may push can attach documents in a registry: sign one with --type and --predicate",
        )
    said = [saying for each in _subjects(found.place, found.descriptor) for saying in _of(found.place, each)]
    if not said:
        raise NotFound(
            f"nothing is attached to {found.name} that could be signed",
            hint="`bpfimg build --sbom --provenance` attaches documents",
        )
    return said


def _subjects(place: Target, top: Descriptor) -> Iterator[Descriptor]:
    from bpfimg.oci import Index, parse_document

    document = parse_document(place.fetch(top), top.media_type)
    yield top
    yield from document.manifests if isinstance(document, Index) else ()


def _of(place: Target, subject: Descriptor) -> Iterator[Saying]:
    from bpfimg.build import documents

    for each in documents.referrers(place, subject.digest):
        if len(each.layers) != 1 or each.artifact_type not in (*_SBOMS, _STATEMENT):
            continue
        content = documents.content_of(place, each.layers[0])
        if each.artifact_type in _SBOMS:
            yield subject, _SBOMS[each.artifact_type], content
        else:
            yield subject, *_stated(content, subject)


def _stated(content: bytes, subject: Descriptor) -> tuple[str, bytes]:
    """The type and the predicate of an in-toto statement about that image."""
    try:
        statement = strict_object(content, limit=_LIMIT)
    except NotStrict as error:
        raise ImageError(f"the statement attached to {subject.digest} {error}") from None
    kind, predicate, subjects = (statement.get(name) for name in ("predicateType", "predicate", "subject"))
    digests = [each.get("digest") for each in subjects if isinstance(each, dict)] if isinstance(subjects, list) else []
    if {subject.digest.algorithm: subject.digest.hex} not in digests or not isinstance(kind, str):
        raise ImageError(f"the statement attached to {subject.digest} is about something else, expected that image")
    return kind, json.dumps(predicate, ensure_ascii=False, separators=(",", ":")).encode()
