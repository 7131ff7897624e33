"""An OCI image layout on disk: the local store, and what other tools write with `oci:DIR`.

Writers hold an flock and replace `index.json` by rename; readers take no lock. A kill at any moment leaves the old
index or the new one, and at worst files that nothing names.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from itertools import chain

from bpfimg.errors import DigestMismatch, NotFound, StoreError, UsageError
from bpfimg.oci._about import is_cosign_tag, referrers_among
from bpfimg.oci._check import check_content, check_limit, checked
from bpfimg.oci._descriptor import Descriptor
from bpfimg.oci._limits import DEFAULT
from bpfimg.oci._model import Manifest, parse_document
from bpfimg.oci._reference import Reference, Repository, check_tag
from bpfimg.oci._store._entries import NAME, REPOSITORY, SUBJECT, Entries, stamp
from bpfimg.oci._store._files import (
    SCRATCH,
    Draft,
    closing,
    descriptor_pieces,
    make_inside,
    open_file,
    read_file,
    store_error,
    write_file,
)
from bpfimg.oci._store._lock import FileLock
from bpfimg.oci._store._naming import VERSION_FILE, Naming, blob_name, check_version, missing, write_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager

    from bpfimg.oci._digest import Digest
    from bpfimg.oci._limits import Limits
    from bpfimg.oci._model import Index
    from bpfimg.oci._store._batch import Batch
    from bpfimg.oci._target import Source

_OURS = {"oci-layout", "index.json", "blobs", "ingest", ".lock"}
_SMALL = 1 << 20  # bytes of content that waits for others in a batch
RACY = 100_000_000
"""Nanoseconds within which two writes may leave the same stamp: file systems stamp with the kernel's tick."""


class Layout:
    """A `Target`: one repository in the layout at `path`, which is made by the first write.

    An entry is called by its full normalised reference (`host/path:tag`). With `short_names`, tags that other tools
    wrote without a repository (`v1`) are found as well, after full ones, and referrers that came from any repository;
    without (the local store), only this repository's, and size and age are written beside each name. With `bare` tags
    alone are written, and found first: where no repository is spoken of (`oci:DIR:v1`), other tools look for `v1`.
    `lock_timeout` is in seconds. In a `batch` names are written together with those of other layouts of it.
    """

    at_once = 1

    def __init__(
        self,
        path: str,
        repository: Repository,
        *,
        lock_timeout: float = 30.0,
        short_names: bool = True,
        bare: bool = False,
        limits: Limits = DEFAULT,
        batch: Batch | None = None,
    ) -> None:
        self.path = path
        self.repository = repository
        self.limits = limits
        self.short_names = short_names
        self._bare = bare
        self._batch = batch
        self._lock = batch.file_lock if batch else FileLock(f"{path}/.lock", lock_timeout)
        self._seen: tuple[tuple[int, int, int], Entries] | None = None

    # reading

    def resolve(self, selector: str | Digest) -> Descriptor:
        if not isinstance(selector, str):
            return self._by_digest(selector)
        found = self.entries().find(self.names(selector))
        if found is None:
            raise NotFound(f"the store {self.path} has no {self.repository}:{selector}")
        return found

    def fetch(self, descriptor: Descriptor, *, limit: int | None = None) -> bytes:
        check_limit(descriptor, self.limits.blob if limit is None else limit, self.limits)
        content = self.read(descriptor.digest, descriptor.size, f"content {descriptor.digest}")
        return check_content(descriptor, content, self._blob(descriptor.digest))

    def stream(self, descriptor: Descriptor) -> Iterator[bytes]:
        path = self._blob(descriptor.digest)
        try:
            with closing(self._open(descriptor.digest)) as file:
                yield from checked(descriptor, descriptor_pieces(file, descriptor.size), path)
        except FileNotFoundError as error:
            raise NotFound(f"the store {self.path} has no content {descriptor.digest}") from error
        except OSError as error:
            raise store_error("read", path, error) from error

    def referrers(self, digest: Digest) -> tuple[Descriptor, ...]:
        # a layout that is handed round has no repository of its own: there, all count
        ours = None if self.short_names else str(self.repository)
        found = self.entries().unnamed(digest, ours)
        if self.short_names:
            from bpfimg.oci._store._saved import unlisted

            found = chain(found, unlisted(self.path, self.entries(), digest, self.read))
        return referrers_among(digest, found, self.document, self.limits.referrers)

    def exists(self, descriptor: Descriptor) -> bool:
        """Says whether the content is there, whole. It is about to be used then: what prunes the store spares it."""
        if self._batch and self._batch.holds(descriptor):
            return True
        path = self._blob(descriptor.digest)
        try:
            with closing(open_file(path)) as file:
                with suppress(OSError):  # whoever may only read prunes nothing either
                    os.utime(file)
                for _ in checked(descriptor, descriptor_pieces(file, descriptor.size), path):
                    pass
                # it could have been set aside by what prunes the store, just before it was touched
                return os.fstat(file).st_ino == os.stat(path).st_ino
        except (FileNotFoundError, DigestMismatch):
            return False
        except OSError as error:
            raise store_error("read", path, error) from error
        except StoreError:
            return False  # no regular file: what is written replaces it

    def document(self, descriptor: Descriptor) -> Manifest | Index:
        """Returns a manifest or index; errors as for `fetch`, and ImageError for what is none."""
        return parse_document(self.fetch(descriptor), descriptor.media_type, self.limits)

    # writing

    def push(self, descriptor: Descriptor, data: bytes, *, tag: str | None = None) -> None:
        check_content(descriptor, data, "what is pushed")
        document = parse_document(data, descriptor.media_type, self.limits) if descriptor.is_document else None
        self._prepare()
        if document:
            self._require(document.parts)
        self._store(descriptor, lambda: iter((data,)))
        if document and document.subject:
            about = {SUBJECT: str(document.subject.digest), REPOSITORY: str(self.repository)}
            self._name(Naming(descriptor, about, document.parts))
        if tag is not None:
            self._list(descriptor, {NAME: self.own_name(tag)}, document)

    def push_stream(self, descriptor: Descriptor, content: Callable[[], Iterator[bytes]]) -> None:
        self._prepare()
        self._store(descriptor, lambda: checked(descriptor, content(), "what is pushed"))

    def adopt(self, descriptor: Descriptor, source: Source) -> bool:
        """Says True when `source` is the same directory and the content is there: repositories share it."""
        if not isinstance(source, Layout):
            return False
        try:
            same = os.path.samefile(self.path, source.path)
        except OSError:
            return False
        return same and self.exists(descriptor)

    def tag(self, descriptor: Descriptor, tag: str) -> None:
        self._list(descriptor, {NAME: self.own_name(tag)})

    def keep(self, descriptor: Descriptor) -> None:
        self._list(descriptor, {REPOSITORY: str(self.repository)})

    def lock(self) -> AbstractContextManager[object]:
        """The writers' lock of the whole layout; LockTimeout when another writer keeps it too long."""
        self._prepare()
        return self._batch.section() if self._batch else self._lock

    def remove(self, selector: str | Digest) -> Descriptor | None:
        """Takes the name `repository:tag` away (of a digest: that it is kept) and returns what it named.

        None when that cannot be understood: an entry that is broken has to go somehow.
        NotFound when there is none. The signatures and other referrers of an image that has no name left in its
        repository go with it. Content stays until pruned.
        """
        from bpfimg.oci._store._removal import remove

        return remove(self, selector)

    @staticmethod
    def images(path: str, limits: Limits = DEFAULT) -> Iterator[tuple[Reference | str, Descriptor]]:
        """Yields every image of the layout at `path` by name: a reference, or the text that another tool wrote.

        Signatures and attestations under cosign's tags are not images.
        """
        from bpfimg.oci._store._stored import stored

        for each in stored(load(path, limits)):
            yield _reference(each.name), each.descriptor

    @classmethod
    def named(cls, text: str, *, limits: Limits = DEFAULT, lock_timeout: float = 30.0) -> tuple[Layout, str | Digest]:
        """Returns the layout and selector that `DIR[:REF]` names; see `_layout_names`."""
        from bpfimg.oci._store._layout_names import split_layout
        from bpfimg.oci._transport import nameless

        path, repository, selector = split_layout(text, limits)
        bare = repository == nameless(path)
        return cls(path, repository, lock_timeout=lock_timeout, bare=bare, limits=limits), selector

    # within the room

    def entries(self) -> Entries:
        """Returns the entries as they are now, to look at only."""
        if self._batch:
            return self._batch.entries()
        now = stamp(self.path)
        if self._seen and now and self._seen[0] == now:
            return self._seen[1]
        entries = load(self.path, self.limits)
        # an index written this very moment may be replaced by one with the same stamp
        self._seen = (now, entries) if now and time.time_ns() - now[2] > RACY else None
        return entries

    def own_name(self, tag: str) -> str:
        """Returns what an entry of this repository is called."""
        return check_tag(tag) if self._bare else f"{self.repository}:{check_tag(tag)}"

    def names(self, tag: str) -> tuple[str, ...]:
        """Returns what an entry may be called that is meant by a tag, the first that is there being it."""
        full = f"{self.repository}:{check_tag(tag)}"
        if not self.short_names:
            return (full,)
        return (tag, full) if self._bare else (full, tag)

    def _by_digest(self, digest: Digest) -> Descriptor:
        found = self.entries().by_digest(digest)
        if found is not None:
            return found
        content = self.read(digest, self.limits.document, f"{self.repository}@{digest}")
        check_content(Descriptor("", digest, len(content)), content, self._blob(digest))
        return Descriptor(parse_document(content, "", self.limits).media_type, digest, len(content))

    def read(self, digest: Digest, most: int, what: str = "") -> bytes:
        """Returns content as it is, unchecked, `most` + 1 bytes of it; NotFound (with `what`) when it is not there."""
        try:
            with closing(self._open(digest)) as file:
                return b"".join(descriptor_pieces(file, most))
        except FileNotFoundError as error:
            raise NotFound(f"the store {self.path} has no {what or digest}") from error
        except OSError as error:
            raise store_error("read", self._blob(digest), error) from error

    def _open(self, digest: Digest) -> int:
        draft = self._batch.draft_of(digest) if self._batch else None
        if draft is not None:
            with suppress(FileNotFoundError):  # it was put in its place since
                return open_file(draft)
        return open_file(self._blob(digest))

    def _blob(self, digest: Digest) -> str:
        return f"{self.path}/{blob_name(digest)}"

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
                make_inside(self.path, *name.split("/"))
            with self._lock:
                if not os.path.exists(f"{self.path}/oci-layout"):
                    write_file(self.path, "oci-layout", VERSION_FILE)
                if not os.path.exists(f"{self.path}/index.json"):
                    Entries.load(self.path, self.limits.layout).save(self.path, self.limits.layout)
        except OSError as error:
            raise store_error("write the image layout", self.path, error) from error

    def _store(self, descriptor: Descriptor, content: Callable[[], Iterator[bytes]]) -> None:
        if self.exists(descriptor):
            return
        name = blob_name(descriptor.digest)
        try:
            if descriptor.digest.algorithm != "sha256":
                make_inside(self.path, *name.split("/")[:-1])
            with Draft(self.path) as draft:
                for piece in content():
                    draft.write(piece)
                if self._batch and descriptor.size <= _SMALL:
                    self._batch.add(descriptor, draft)
                else:
                    draft.place(name)
        except OSError as error:
            raise store_error("write", f"{self.path}/{name}", error) from error

    def _list(
        self, descriptor: Descriptor, annotations: dict[str, str], document: Manifest | Index | None = None
    ) -> None:
        from bpfimg.oci._store._stored import noted, parts_there

        document = document or self.document(descriptor)
        if not self.short_names and not is_cosign_tag(annotations.get(NAME, "")):
            annotations |= noted(self, document, self.limits)
        found = Descriptor(document.media_type, descriptor.digest, descriptor.size)
        self._name(Naming(found, annotations, parts_there(self, document, self.limits)))

    def _name(self, naming: Naming) -> None:
        if self._batch:
            self._batch.put(naming)
            return
        with self.lock():
            write_names(self.path, (naming,), self.limits)

    def _require(self, parts: Iterable[Descriptor]) -> None:
        """NotFound unless they are there: a registry refuses such a manifest, too."""
        for part in parts:
            if not (self._batch and self._batch.holds(part)) and missing(self.path, (part,)):
                raise NotFound(f"the store {self.path} has no content {part.digest} that the manifest names")


def load(path: str, limits: Limits = DEFAULT) -> Entries:
    """Returns the entries of the layout at `path`, none when nothing is there; StoreError for what is no layout."""
    try:
        version = read_file(f"{path}/oci-layout", 1 << 16)
    except FileNotFoundError as error:
        if os.path.exists(f"{path}/index.json"):
            raise StoreError(f"{path} has an index.json and no oci-layout, expected an image layout") from error
        if foreign := _foreign(path):
            raise StoreError(f"{path} holds {foreign!r} and no oci-layout, expected an image layout") from error
        return Entries({}, b"")
    except OSError as error:
        raise store_error("read", f"{path}/oci-layout", error) from error
    check_version(version, f"{path} is")
    return Entries.load(path, limits.layout)


def _foreign(path: str) -> str:
    """The first of what lies in a folder that no store has put there; "" where there is nothing, or no folder."""
    try:
        return next(iter(sorted(set(os.listdir(path)) - _OURS)), "")
    except OSError:
        return ""


def _reference(name: str) -> Reference | str:
    try:
        found = Reference.parse(name)
    except UsageError:
        return name
    return found if str(found) == name else name
