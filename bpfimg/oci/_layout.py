"""An OCI image layout on disk: the local store, and what other tools write with `oci:DIR`.

Writers hold an flock and replace `index.json` by rename; readers take no lock. A kill at any moment leaves the old
index or the new one, and at worst files that nothing names.
"""

from __future__ import annotations

import os
import time

from bpfimg.errors import DigestMismatch, ImageError, NotFound, StoreError, UsageError
from bpfimg.oci import _media
from bpfimg.oci._check import check_content, check_limit, checked, in_pieces
from bpfimg.oci._descriptor import Descriptor
from bpfimg.oci._digest import ALGORITHMS, Digest
from bpfimg.oci._entries import NAME, REPOSITORY, SUBJECT, Entries, stamp
from bpfimg.oci._files import SCRATCH, read_file, store_error, sweep, sync_directory, write_file
from bpfimg.oci._lock import FileLock
from bpfimg.oci._model import Index, Manifest, parse_document
from bpfimg.oci._reference import Reference, Repository, check_tag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from bpfimg.oci._target import Source

_VERSION = b'{"imageLayoutVersion":"1.0.0"}'
_OURS = {"oci-layout", "index.json", "blobs", "ingest", ".lock"}
_RACY = 100_000_000  # nanoseconds; file systems stamp with the kernel's tick
_STALE = 3600.0  # seconds after which a file in ingest/ belongs to a writer that died
_COSIGN = (".sig", ".att", ".sbom")


class Layout:
    """A `Target`: one repository in the layout at `path`, which is made by the first write.

    An entry is called by its full normalised reference (`host/path:tag`). With `short_names`, tags that other tools
    wrote without a repository (`v1`) are found as well, after full ones, and referrers that came from any repository;
    without (the local store), only this repository's. `lock_timeout` is in seconds.
    """

    at_once = 1

    def __init__(
        self, path: str, repository: Repository, *, lock_timeout: float = 30.0, short_names: bool = True
    ) -> None:
        self.path = path
        self.repository = repository
        self._short_names = short_names
        self._lock = FileLock(f"{path}/.lock", lock_timeout)
        self._seen: tuple[tuple[int, int, int], Entries] | None = None

    # reading

    def resolve(self, selector: str | Digest) -> Descriptor:
        if isinstance(selector, Digest):
            return self._by_digest(selector)
        found = self._entries().find(self._names(selector))
        if found is None:
            raise NotFound(f"the store {self.path} has no {self.repository}:{selector}")
        return found

    def fetch(self, descriptor: Descriptor, *, limit: int = _media.BLOB_LIMIT) -> bytes:
        check_limit(descriptor, limit)
        path = self._blob(descriptor.digest)
        try:
            content = read_file(path, descriptor.size)
        except FileNotFoundError as error:
            raise NotFound(f"the store {self.path} has no content {descriptor.digest}") from error
        except OSError as error:
            raise store_error("read", path, error) from error
        return check_content(descriptor, content, path)

    def stream(self, descriptor: Descriptor) -> Iterator[bytes]:
        yield from in_pieces(self.fetch(descriptor, limit=descriptor.size))

    def referrers(self, digest: Digest) -> tuple[Descriptor, ...]:
        found: dict[Digest, Descriptor] = {}
        # a layout that is handed round has no repository of its own: there, all count
        ours = None if self._short_names else str(self.repository)
        for entry, promised in self._entries().unnamed(digest, ours):
            try:
                document = parse_document(self.fetch(entry), entry.media_type)
            except (NotFound, DigestMismatch, ImageError):
                if promised:
                    raise
                continue  # somebody else's entry, of which nothing says that it concerns this digest
            if document.subject and document.subject.digest == digest:
                found[entry.digest] = document.as_referrer
        if len(found) > _media.REFERRERS:
            raise ImageError(f"{digest} has {len(found)} referrers, expected at most {_media.REFERRERS}")
        return tuple(found.values())

    def exists(self, descriptor: Descriptor) -> bool:
        try:
            self.fetch(descriptor, limit=descriptor.size)
        except (NotFound, DigestMismatch):
            return False
        return True

    # writing

    def push(self, descriptor: Descriptor, data: bytes, *, tag: str | None = None) -> None:
        check_content(descriptor, data, "what is pushed")
        document = parse_document(data, descriptor.media_type) if descriptor.is_document else None
        self._prepare()
        if isinstance(document, Manifest):
            self._require_parts(document)
        self._store(descriptor, data)
        if document and document.subject:
            self._name(descriptor, {SUBJECT: str(document.subject.digest), REPOSITORY: str(self.repository)})
        if tag is not None:
            self.tag(descriptor, tag)

    def push_stream(self, descriptor: Descriptor, content: Callable[[], Iterator[bytes]]) -> None:
        self.push(descriptor, b"".join(checked(descriptor, content(), "what is pushed")))

    def adopt(self, descriptor: Descriptor, source: Source) -> bool:
        return False

    def tag(self, descriptor: Descriptor, tag: str) -> None:
        document = parse_document(self.fetch(descriptor), descriptor.media_type)
        name = self._full(tag)
        with self.lock():
            # inside the lock: what prunes the store holds it too, so parts that are there now stay
            if isinstance(document, Manifest):
                self._require_parts(document)
            self._name(Descriptor(document.media_type, descriptor.digest, descriptor.size), {NAME: name})

    def keep(self, descriptor: Descriptor) -> None:
        document = parse_document(self.fetch(descriptor), descriptor.media_type)
        with self.lock():
            if isinstance(document, Manifest):
                self._require_parts(document)
            listed = Descriptor(document.media_type, descriptor.digest, descriptor.size)
            self._name(listed, {REPOSITORY: str(self.repository)})

    def lock(self) -> FileLock:
        """The writers' lock of the whole layout; LockTimeout when another writer keeps it too long."""
        self._prepare()
        return self._lock

    def remove(self, tag: str) -> Descriptor:
        """Takes the name `repository:tag` away and returns what it named; NotFound when there is none.

        The signatures and other referrers of an image that has no name left go with it. Content stays until pruned.
        """
        with self.lock():
            entries = Entries.load(self.path)
            name = next((name for name in self._names(tag) if entries.find((name,))), self._full(tag))
            found = entries.find((name,))
            if found is None:
                raise NotFound(f"the store {self.path} has no {self.repository}:{tag}")
            entries.drop((name,), ())
            if entries.by_digest(found.digest) is None:
                family = self._family(found)
                tags = tuple(self._full(digest.tag + end) for digest in family for end in _COSIGN)
                entries.drop(tags, tuple(str(digest) for digest in family))
            self._save(entries)
        return found

    @staticmethod
    def images(path: str) -> Iterator[tuple[Reference | str, Descriptor]]:
        """Yields every image of the layout at `path` by name: a reference, or the text that another tool wrote.

        Signatures and attestations under cosign's tags are not images.
        """
        for name, descriptor in _load(path).named():
            tag = name.rpartition(":")[2]
            if not (tag.startswith("sha256-") and tag.endswith(_COSIGN)):
                yield _reference(name), descriptor

    @classmethod
    def named(cls, text: str, *, lock_timeout: float = 30.0) -> tuple[Layout, str | Digest]:
        """Returns the layout and selector that `DIR[:REF]` names; see `_transport.split_layout`."""
        from bpfimg.oci._transport import split_layout

        path, repository, selector = split_layout(text)
        return cls(path, repository, lock_timeout=lock_timeout), selector

    def _entries(self) -> Entries:
        now = stamp(self.path)
        if self._seen and now and self._seen[0] == now:
            return self._seen[1]
        entries = _load(self.path)
        # an index written this very moment may be replaced by one with the same stamp
        self._seen = (now, entries) if now and time.time_ns() - now[2] > _RACY else None
        return entries

    def _by_digest(self, digest: Digest) -> Descriptor:
        found = self._entries().by_digest(digest)
        if found is not None:
            return found
        path = self._blob(digest)
        try:
            content = read_file(path, _media.DOCUMENT_LIMIT)
        except FileNotFoundError as error:
            raise NotFound(f"the store {self.path} has no {self.repository}@{digest}") from error
        except OSError as error:
            raise store_error("read", path, error) from error
        check_content(Descriptor("", digest, len(content)), content, path)
        return Descriptor(parse_document(content).media_type, digest, len(content))

    def _full(self, tag: str) -> str:
        return f"{self.repository}:{check_tag(tag)}"

    def _names(self, tag: str) -> tuple[str, ...]:
        full = self._full(tag)
        return (full, tag) if self._short_names else (full,)

    def _blob(self, digest: Digest) -> str:
        return f"{self.path}/blobs/{digest.algorithm}/{digest.hex}"

    def _family(self, descriptor: Descriptor) -> list[Digest]:
        try:
            document = parse_document(self.fetch(descriptor), descriptor.media_type)
        except (NotFound, DigestMismatch, ImageError):
            return [descriptor.digest]
        children = document.manifests if isinstance(document, Index) else ()
        return [descriptor.digest, *(child.digest for child in children)]

    def _prepare(self) -> None:
        if os.path.isfile(f"{self.path}/oci-layout") and os.path.isdir(f"{self.path}/{SCRATCH}"):
            return
        try:
            os.makedirs(self.path, mode=0o755, exist_ok=True)
            foreign = set(os.listdir(self.path)) - _OURS
            if foreign and not os.path.exists(f"{self.path}/oci-layout"):
                raise StoreError(
                    f"{self.path} holds {sorted(foreign)[0]!r} and no oci-layout, expected an image layout",
                    hint="name a directory that is empty or does not exist yet",
                )
            for name in (SCRATCH, "blobs", "blobs/sha256"):
                os.makedirs(f"{self.path}/{name}", mode=0o755, exist_ok=True)
            with self._lock:
                if not os.path.exists(f"{self.path}/oci-layout"):
                    write_file(self.path, "oci-layout", _VERSION)
                if not os.path.exists(f"{self.path}/index.json"):
                    Entries.load(self.path).save(self.path)
        except OSError as error:
            raise store_error("write the image layout", self.path, error) from error

    def _store(self, descriptor: Descriptor, data: bytes) -> None:
        digest = descriptor.digest
        path = self._blob(digest)
        try:
            if self.exists(descriptor):
                os.utime(path, follow_symlinks=False)  # what prunes the store spares content that was just used
            else:
                os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
                write_file(self.path, f"blobs/{digest.algorithm}/{digest.hex}", data)
        except OSError as error:
            raise store_error("write", path, error) from error

    def _require_parts(self, manifest: Manifest) -> None:
        for part in (manifest.config, *manifest.layers):
            try:
                size = os.stat(self._blob(part.digest)).st_size
            except OSError:
                size = -1
            if size != part.size:
                raise NotFound(f"the store {self.path} has no content {part.digest} that the manifest names")

    def _name(self, descriptor: Descriptor, annotations: Mapping[str, str]) -> None:
        with self.lock():
            entries = Entries.load(self.path)
            if entries.put(descriptor, annotations):
                self._save(entries)

    def _save(self, entries: Entries) -> None:
        try:
            # first the content, then the name: after a crash a name never points at nothing
            for algorithm in ALGORITHMS:
                if os.path.exists(f"{self.path}/blobs/{algorithm}"):
                    sync_directory(self.path, "blobs", algorithm)
            entries.save(self.path)
            sweep(self.path, _STALE)
        except OSError as error:
            raise store_error("write the index of", self.path, error) from error


def _load(path: str) -> Entries:
    try:
        version = read_file(f"{path}/oci-layout", 1 << 16)
    except FileNotFoundError as error:
        if os.path.exists(f"{path}/index.json"):
            raise StoreError(f"{path} has an index.json and no oci-layout, expected an image layout") from error
        return Entries({}, [])
    except OSError as error:
        raise store_error("read", f"{path}/oci-layout", error) from error
    if b'"1.0.0"' not in version:
        raise StoreError(f"{path} is an image layout of an unknown version, expected 1.0.0")
    return Entries.load(path)


def _reference(name: str) -> Reference | str:
    try:
        found = Reference.parse(name)
    except UsageError:
        return name
    return found if str(found) == name else name
