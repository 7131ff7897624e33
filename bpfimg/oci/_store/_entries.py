"""`index.json` of a layout: the list of what has a name. Entries that we do not understand are kept as they are.

We write it with one entry on each line. It is JSON like any other, and in ten thousand images one can be found, added
or taken out without parsing the rest, which would take ten times as long. What another tool wrote is parsed once.
"""

from __future__ import annotations

import json
import os

from bpfimg._json import loose_value
from bpfimg.errors import ImageError, StoreError, quoted
from bpfimg.oci import _media
from bpfimg.oci._descriptor import Descriptor
from bpfimg.oci._limits import DEFAULT
from bpfimg.oci._store._files import read_file, store_error, sync_directory, write_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from bpfimg.oci._digest import Digest

NAME = "org.opencontainers.image.ref.name"
SUBJECT = "dev.bpfimg.subject"
"""Our annotation on an entry without a name: the digest that its manifest is about, so that readers need not open
every manifest. The manifest decides; the annotation only spares work."""
REPOSITORY = "dev.bpfimg.repository"
"""Our annotation beside `SUBJECT`: where the referrer came from. One store holds images of many registries, and what
one of them says about a digest must not count, or crowd, for the others. Without `SUBJECT` and without a name: where
an image came from that is kept by its digest."""
SINCE = "dev.bpfimg.since"
"""Our annotation on images in the local store: when the name was given to this digest."""

_FIELDS = ("mediaType", "digest", "size")
_DIGEST, _ANNOTATIONS = b'"digest":', b',"annotations":'
_OPEN, _CLOSE, _BETWEEN = b'"manifests":[\n', b"\n]}", b",\n"


class Entries:
    """The entries of an `index.json`; `save` writes it back. What is changed was read inside the lock."""

    def __init__(self, document: dict[str, object], body: bytes) -> None:
        self._document = document  # all of it but the entries
        self._body = body  # an entry on each line, all but the last with a comma

    @staticmethod
    def load(layout: str, limit: int = DEFAULT.layout) -> Entries:
        """Returns the entries of a layout, none when there is no `index.json`; StoreError when it is not readable."""
        path = f"{layout}/index.json"
        try:
            raw = read_file(path, limit)
        except FileNotFoundError:
            return Entries({"schemaVersion": 2, "mediaType": _media.OCI_INDEX}, b"")
        except OSError as error:
            raise store_error("read", path, error) from error
        return Entries.parse(raw, path, limit)

    @staticmethod
    def parse(raw: bytes, path: str, limit: int = DEFAULT.layout) -> Entries:
        """Returns the entries in the bytes of an `index.json`; StoreError, naming `path`, when it is none."""
        if len(raw) > limit:
            raise StoreError(f"{path} has more than {limit} bytes, which is the limit for an index of a layout")
        if ours := _by_lines(raw):
            return Entries(*ours)
        try:
            # not the strict reader: nothing here is believed, and it takes three times as long at 10 000 entries
            document = loose_value(raw)
        except ValueError as error:
            raise StoreError(f"{path} is not valid JSON: {quoted(error)}") from error
        entries = document.get("manifests") if isinstance(document, dict) else None
        if not isinstance(entries, list):
            raise StoreError(f"{path} holds no list of manifests, expected an OCI image index")
        del document["manifests"]
        from bpfimg.oci._store._saved import with_tags

        return Entries(document, _BETWEEN.join(map(_written, with_tags(entries))))

    @property
    def raw(self) -> bytes:
        """The bytes of `index.json` with these entries."""
        head = _written({**self._document, "manifests": []})
        return b"".join((head.removesuffix(b"]}"), b"\n", self._body, _CLOSE)) if self._body else head

    def save(self, layout: str, limit: int = DEFAULT.layout) -> None:
        """Replaces `index.json`, on disk when this returns; OSError passes through.

        StoreError, and nothing is changed, when it would become too large to be read again.
        """
        raw = self.raw
        if len(raw) > limit:
            raise StoreError(
                f"{layout}/index.json would have {len(raw)} bytes, expected at most {limit}",
                hint="remove images that are no longer needed, or name another store with --store",
            )
        write_file(layout, "index.json", raw)
        sync_directory(layout)

    # looking

    def __iter__(self) -> Iterator[object]:
        """Yields every entry as parsed JSON, whatever it is; StoreError when a line is none."""
        parsed = _parsed(b"[" + self._body + b"]")
        yield from parsed if isinstance(parsed, list) else ()

    def pairs(self) -> Iterator[tuple[bytes, object]]:
        """Yields every entry as written and as parsed; StoreError when a line is none, or more than one."""
        for line in self._lines():
            yield line, _parsed(line)

    def find(self, names: tuple[str, ...]) -> Descriptor | None:
        """Returns the first entry with the first of `names` that is there."""
        for name in names:
            for _, entry in self.with_annotation(NAME, name):
                return described(entry, name)
        return None

    def by_digest(self, digest: Digest) -> Descriptor | None:
        """Returns an entry for a digest, named or not."""
        for _, entry in self.with_digest(digest):
            return described(entry, str(digest))
        return None

    def named(self) -> Iterator[tuple[str, Descriptor]]:
        """Yields every entry that has a name and can be understood."""
        for entry in self:
            name = annotations_of(entry).get(NAME)
            if not isinstance(name, str):
                continue
            try:
                yield name, described(entry, name)
            except ImageError:
                continue

    def unnamed(self, about: Digest, repository: str | None) -> Iterator[tuple[Descriptor, bool]]:
        """Yields entries without a name that may be about a digest, and whether our annotation says so; those of
        other repositories only when `repository` is None. What is kept by its digest is not among them.

        One image may be there under thousands of names, and its signature once for each of their repositories.
        """
        name, subject, ours = _key(NAME), _key(SUBJECT), _key(REPOSITORY)
        wanted, from_there = _field(SUBJECT, str(about)), _field(REPOSITORY, repository or "")
        seen: set[bytes] = set()
        for line in self._lines():
            if name in line or ((subject in line or ours in line) and wanted not in line):
                continue
            head = line.partition(_ANNOTATIONS)[0] if wanted in line else b""
            if head in seen or (repository is not None and ours in line and from_there not in line):
                continue
            entry = _parsed(line)
            annotations = annotations_of(entry)
            if repository is not None and annotations.get(REPOSITORY, repository) != repository:
                continue
            try:
                found = described(entry, "without a name")
            except ImageError:
                continue
            if _DIGEST in head:
                seen.add(head)
            yield found, SUBJECT in annotations

    # changing

    def put(self, descriptor: Descriptor, annotations: Mapping[str, str]) -> bool:
        """Adds an entry with these annotations: a `NAME`, in place of others of that name, or what else it is known
        by. False when it is there already, whatever it says of `SINCE`."""
        entry = Descriptor(descriptor.media_type, descriptor.digest, descriptor.size).to_dict()
        entry["annotations"] = dict(annotations)
        if name := annotations.get(NAME):
            same = list(self.with_annotation(NAME, name))
        else:
            known = _known_by(entry)
            same = [(line, old) for line, old in self.with_digest(descriptor.digest, known) if _known_by(old) == known]
        if len(same) == 1 and _timeless(same[0][1]) == _timeless(entry):
            return False
        self.drop(line for line, _ in same)
        self._body += (_BETWEEN if self._body else b"") + _written(entry)
        return True

    def drop(self, lines: Iterable[bytes]) -> None:
        """Takes out entries, as `with_annotation` and `with_digest` gave them."""
        gone = set(lines)
        if gone:
            self._body = _BETWEEN.join(line for line in self._lines() if line not in gone)

    def with_digest(self, digest: Digest, known: Mapping[str, object] | None = None) -> Iterator[tuple[bytes, object]]:
        """Yields the entries for a digest, as written and as parsed; with `known`, those with these fields."""
        fields = [_key(name) + _written(text) for name, text in (known or {}).items()]
        for line in self._lines_with(_field("digest", str(digest))):
            if not all(each in line for each in fields):
                continue
            if isinstance(entry := _parsed(line), dict) and entry.get("digest") == str(digest):
                yield line, entry

    def with_annotation(self, key: str, value: str) -> Iterator[tuple[bytes, object]]:
        """Yields the entries of which an annotation has that value, as written and as parsed."""
        for line in self._lines_with(_field(key, value)):
            if annotations_of(entry := _parsed(line)).get(key) == value:
                yield line, entry

    def with_text(self, text: str) -> Iterator[object]:
        """Yields the entries in which a text stands anywhere."""
        for line in self._lines_with(_written(text)[1:-1]):
            yield _parsed(line)

    def _lines(self) -> list[bytes]:
        return self._body.split(_BETWEEN) if self._body else []

    def _lines_with(self, needle: bytes) -> Iterator[bytes]:
        body = self._body  # readers of a batch go on with what it was when they began
        at = body.find(needle)
        while at >= 0:
            end = body.find(_BETWEEN, at)
            end = len(body) if end < 0 else end
            yield body[body.rfind(b"\n", 0, at) + 1 : end]
            at = body.find(needle, end)


def annotations_of(entry: object) -> Mapping[str, object]:
    """Returns the annotations of an entry, {} for anything strange."""
    found = entry.get("annotations") if isinstance(entry, dict) else None
    return found if isinstance(found, dict) else {}


def described(entry: object, name: str) -> Descriptor:
    """Returns the descriptor in an entry; ImageError, naming it, when there is none."""
    fields = {key: entry.get(key) for key in _FIELDS} if isinstance(entry, dict) else entry
    return Descriptor.from_dict(fields, f"the layout's entry {quoted(name)}")


def stamp(layout: str) -> tuple[int, int, int] | None:
    """Returns what changes whenever `index.json` does, None when there is none."""
    try:
        found = os.stat(f"{layout}/index.json")
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _by_lines(raw: bytes) -> tuple[dict[str, object], bytes] | None:
    """Returns the document without its entries, and their lines, when it is written as we do."""
    head, here, body = raw.partition(_OPEN)
    if not here or not body.startswith(b"{") or not body.endswith(b"}" + _CLOSE):
        return None
    body = body.removesuffix(_CLOSE)
    if len(body.split(b"\n")) != body.count(b"}" + _BETWEEN + b"{") + 1:  # split is three times as fast as count here
        return None
    try:
        document = loose_value(head + b'"manifests":[]}')
    except ValueError:
        return None
    return (document, body) if document.pop("manifests") == [] else None


def _parsed(line: bytes) -> object:
    try:
        return loose_value(line)
    except ValueError as error:
        raise StoreError(f"an entry of the layout's index.json is not valid JSON: {quoted(error)}") from error


def _written(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _key(name: str) -> bytes:
    return _written(name) + b":"


def _field(name: str, value: str) -> bytes:
    return _key(name) + _written(value)


def _known_by(entry: object) -> dict[str, object]:
    annotations = annotations_of(entry)
    return {key: annotations[key] for key in (NAME, SUBJECT, REPOSITORY) if key in annotations}


def _timeless(entry: object) -> object:
    if not isinstance(entry, dict):
        return entry
    return {**entry, "annotations": {key: text for key, text in annotations_of(entry).items() if key != SINCE}}
