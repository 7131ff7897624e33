"""What goes into an archive when it is written: what its entries lead to, and nothing else."""

from __future__ import annotations

import json

from bpfimg._json import loose_value
from bpfimg.errors import UsageError
from bpfimg.oci._about import cosign_subject
from bpfimg.oci._archives._archive_contents import entries_of
from bpfimg.oci._digest import Digest
from bpfimg.oci._store._entries import NAME, SUBJECT, annotations_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bpfimg.oci._store._entries import Entries

    Read = Callable[[Digest], bytes | None]
    """The content of a document; None for what is not there, or too large to be one."""


def kept(entries: Entries, read: Read, there: Callable[[Digest], bool]) -> tuple[Entries, list[Digest]]:
    """Returns the entries that stay, in an order of their own, and the content that they lead to, sorted.

    What says something about an image that was replaced (referrers and cosign's tags) goes with that image.
    """
    about: dict[Digest, list[object]] = {}
    found: set[Digest] = set()
    waiting: list[object] = []
    for entry in entries:
        subject = _subject(entry)
        if subject is not None and there(subject):
            about.setdefault(subject, []).append(entry)
        else:
            waiting.append(entry)
    stay: list[object] = []
    while waiting:
        entry = waiting.pop()
        stay.append(entry)
        for digest in _reached(entry, read, found):
            waiting += about.pop(digest, [])
    stay.sort(key=_order)
    return entries_of(stay), sorted((digest for digest in found if there(digest)), key=str)


def _reached(entry: object, read: Read, found: set[Digest]) -> Iterator[Digest]:
    """Yields the documents that an entry leads to and that were not found before; adds all it leads to to `found`."""
    documents = _digests([entry])
    while documents:
        digest = documents.pop()
        if digest in found:
            continue
        found.add(digest)
        yield digest
        document = _parsed(read(digest))
        documents += _digests(_listed(document, "manifests")) + _digests([document.get("subject")])
        found.update(_digests([document.get("config"), *_listed(document, "layers"), *_listed(document, "blobs")]))


def _parsed(raw: bytes | None) -> dict[str, object]:
    """Not strictly: what nobody here understands is kept as well."""
    try:
        document = loose_value(raw or b"{}")
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _listed(document: dict[str, object], name: str) -> list[object]:
    found = document.get(name)
    return found if isinstance(found, list) else []


def _digests(entries: list[object]) -> list[Digest]:
    found = (_digest(entry) for entry in entries)
    return [digest for digest in found if digest]


def _digest(entry: object) -> Digest | None:
    text = entry.get("digest") if isinstance(entry, dict) else None
    try:
        return Digest.parse(text) if isinstance(text, str) else None
    except UsageError:
        return None


def _subject(entry: object) -> Digest | None:
    """What an entry is about, by our annotation or by cosign's way to name it."""
    annotations = annotations_of(entry)
    text = annotations.get(SUBJECT)
    return cosign_subject(str(annotations.get(NAME, ""))) if text is None else _digest({"digest": text})


def _order(entry: object) -> tuple[str, str]:
    return str(annotations_of(entry).get(NAME, "")), json.dumps(entry, sort_keys=True)
