"""`index.json` of a layout: the list of what has a name. Entries that we do not understand are kept as they are."""

from __future__ import annotations

import json
import os

from bpfimg.errors import ImageError, StoreError, quoted
from bpfimg.oci import _media
from bpfimg.oci._descriptor import Descriptor
from bpfimg.oci._files import read_file, store_error, sync_directory, write_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bpfimg.oci._digest import Digest

NAME = "org.opencontainers.image.ref.name"
SUBJECT = "dev.bpfimg.subject"
"""Our annotation on an entry without a name: the digest that its manifest is about, so that readers need not open
every manifest. The manifest decides; the annotation only spares work."""
REPOSITORY = "dev.bpfimg.repository"
"""Our annotation beside `SUBJECT`: where the referrer came from. One store holds images of many registries, and what
one of them says about a digest must not count, or crowd, for the others."""
_LIMIT = 64 << 20


class Entries:
    """The parsed `index.json`; `save` writes it back. Changes belong inside the lock, on a copy read inside it."""

    def __init__(self, document: dict[str, object], entries: list[object]) -> None:
        self._document = document
        self._entries = entries

    @staticmethod
    def load(layout: str) -> Entries:
        """Returns the entries of a layout, none when there is no `index.json`; StoreError when it is not readable."""
        path = f"{layout}/index.json"
        try:
            raw = read_file(path, _LIMIT)
        except FileNotFoundError:
            return Entries({"schemaVersion": 2, "mediaType": _media.OCI_INDEX}, [])
        except OSError as error:
            raise store_error("read", path, error) from error
        return Entries.parse(raw, path)

    @staticmethod
    def parse(raw: bytes, path: str) -> Entries:
        """Returns the entries in the bytes of an `index.json`; StoreError, naming `path`, when it is none."""
        try:
            # not the strict reader: nothing here is believed, and it takes three times as long at 10 000 entries
            document = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise StoreError(f"{path} is not valid JSON: {quoted(error)}") from error
        entries = document.get("manifests") if isinstance(document, dict) else None
        if len(raw) > _LIMIT or not isinstance(entries, list):
            raise StoreError(f"{path} holds no list of manifests within {_LIMIT} bytes, expected an OCI image index")
        return Entries(document, entries)

    @property
    def raw(self) -> bytes:
        """The bytes of `index.json` with these entries."""
        return json.dumps({**self._document, "manifests": self._entries}, separators=(",", ":")).encode()

    def save(self, layout: str) -> None:
        """Replaces `index.json`, on disk when this returns; OSError passes through."""
        write_file(layout, "index.json", self.raw)
        sync_directory(layout)

    def find(self, names: tuple[str, ...]) -> Descriptor | None:
        """Returns the first entry with the first of `names` that is there."""
        for name in names:
            for entry in self._entries:
                if annotations_of(entry).get(NAME) == name:
                    return _descriptor(entry, name)
        return None

    def named(self) -> Iterator[tuple[str, Descriptor]]:
        """Yields every entry that has a name and can be understood."""
        for entry in self._entries:
            name = annotations_of(entry).get(NAME)
            if not isinstance(name, str):
                continue
            try:
                yield name, _descriptor(entry, name)
            except ImageError:
                continue

    def unnamed(self, about: Digest, repository: str | None) -> Iterator[tuple[Descriptor, bool]]:
        """Yields entries without a name that may be about a digest, and whether our annotation says so; those of
        other repositories only when `repository` is None."""
        for entry in self._entries:
            annotations = annotations_of(entry)
            subject = annotations.get(SUBJECT)
            if NAME in annotations or subject not in (None, str(about)):
                continue
            if repository is not None and annotations.get(REPOSITORY, repository) != repository:
                continue
            try:
                yield _descriptor(entry, "without a name"), subject is not None
            except ImageError:
                continue

    def by_digest(self, digest: Digest) -> Descriptor | None:
        """Returns an entry for a digest, named or not."""
        text = str(digest)
        for entry in self._entries:
            if isinstance(entry, dict) and entry.get("digest") == text:
                return _descriptor(entry, text)
        return None

    def put(self, descriptor: Descriptor, annotations: Mapping[str, str]) -> bool:
        """Adds an entry with these annotations: a `NAME`, in place of others of that name, or what a referrer has.
        False when it is there already."""
        entry = Descriptor(descriptor.media_type, descriptor.digest, descriptor.size).to_dict()
        entry["annotations"] = dict(annotations)
        same = [old for old in self._entries if self._same(old, entry, annotations)]
        if same == [entry]:
            return False
        self._entries = [old for old in self._entries if old not in same]
        self._entries.append(entry)
        return True

    def drop(self, names: tuple[str, ...], subjects: tuple[str, ...]) -> None:
        """Takes out the entries with one of `names`, and our referrers of `subjects`."""
        self._entries = [
            entry
            for entry in self._entries
            if annotations_of(entry).get(NAME) not in names
            and (NAME in annotations_of(entry) or annotations_of(entry).get(SUBJECT) not in subjects)
        ]

    @staticmethod
    def _same(old: object, entry: Mapping[str, object], annotations: Mapping[str, str]) -> bool:
        there = annotations_of(old)
        if NAME in annotations:
            return there.get(NAME) == annotations[NAME]
        return there == annotations and isinstance(old, dict) and old.get("digest") == entry["digest"]


def annotations_of(entry: object) -> Mapping[str, object]:
    """Returns the annotations of an entry, {} for anything strange."""
    found = entry.get("annotations") if isinstance(entry, dict) else None
    return found if isinstance(found, dict) else {}


def stamp(layout: str) -> tuple[int, int, int] | None:
    """Returns what changes whenever `index.json` does, None when there is none."""
    try:
        found = os.stat(f"{layout}/index.json")
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _descriptor(entry: object, name: str) -> Descriptor:
    found = Descriptor.from_dict(entry, f"the layout's entry {quoted(name)}")
    return Descriptor(found.media_type, found.digest, found.size)
