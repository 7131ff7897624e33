"""One archive file, and what was pushed beside it until it is published: what all repositories in it share."""

from __future__ import annotations

from _thread import RLock

from bpfimg.errors import NotFound, StoreError
from bpfimg.oci._archives._archive_contents import Contents, entries_of, images_in
from bpfimg.oci._archives._archive_parts import kept
from bpfimg.oci._archives._docker_index import docker_index
from bpfimg.oci._archives._spool import Spool
from bpfimg.oci._archives._tar_draft import replacing
from bpfimg.oci._check import checked
from bpfimg.oci._descriptor import Descriptor, Platform
from bpfimg.oci._store._naming import VERSION_FILE, blob_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from bpfimg.oci._archives._tar_draft import Draft
    from bpfimg.oci._digest import Digest
    from bpfimg.oci._limits import Limits


class ArchiveFile:
    """The archive at `path` as it is with all that was pushed; on disk only once it is published.

    Made for one process, many threads. The file is opened when it is first asked for, and then seen as it was.
    """

    def __init__(
        self, path: str, *, docker: bool, limits: Limits, lock_timeout: float, warn: Callable[[str], None] | None
    ) -> None:
        self.path = path
        self.docker = docker
        self.limits = limits
        self.lock = RLock()
        self._lock_timeout = lock_timeout
        self._warn = warn
        self._said: set[str] = set()
        self._contents: Contents | None = None
        self._spool: Spool | None = None
        self._changes: list[tuple[Descriptor, Mapping[str, str]]] = []

    @property
    def contents(self) -> Contents:
        """What is there, with the entries that were added since; nothing where there is no file yet."""
        with self.lock:
            if self._contents is None:
                self._contents = self._open() or Contents(entries_of(()))
            return self._contents

    def size(self, digest: Digest) -> int | None:
        """Returns how many bytes the content has, None when it is not there."""
        found = self._spool.size(digest) if self._spool else None
        return self.contents.size(digest) if found is None else found

    def pieces(self, descriptor: Descriptor) -> Iterator[bytes]:
        """Yields content, checked, at most 1 MiB at once; NotFound and DigestMismatch as `Source.stream` has them."""
        digest = descriptor.digest
        if self._spool and self._spool.size(digest) is not None:
            yield from checked(descriptor, self._spool.pieces(digest), self.path)
        elif self.contents.size(digest) is not None:
            yield from checked(descriptor, self.contents.pieces(digest), self.path)
        else:
            raise NotFound(f"{self.path} has no content {digest}")

    def add(self, descriptor: Descriptor, pieces: Iterable[bytes]) -> None:
        """Takes content in; DigestMismatch, and it is not there, when it is not what the descriptor promises."""
        with self.lock:
            if self._spool is None:
                self._check_ours(self.contents)  # what cannot be written to is better known now than at the end
                self._spool = Spool(self.path)
        self._spool.add(descriptor, pieces)

    def name(self, descriptor: Descriptor, annotations: Mapping[str, str]) -> None:
        """Adds an entry for content that is there, in place of others of its name."""
        plain = Descriptor(descriptor.media_type, descriptor.digest, descriptor.size)
        with self.lock:
            if self.contents.entries.put(plain, annotations):
                self._changes.append((plain, annotations))

    def publish(self) -> None:
        """Writes the archive with all entries that were added; nothing where none was.

        Another process may have published meanwhile: what it added stays, of two entries of one name this one does.
        """
        with self.lock:
            if not self._changes:
                return
            with replacing(self.path, self._lock_timeout) as draft:
                current = self._open() or Contents(entries_of(()))
                self._check_ours(current)
                current.make_all()
                for descriptor, annotations in self._changes:
                    current.entries.put(descriptor, annotations)
                self._write(draft, current)
            self._changes = []
            self._contents = None

    def discard(self) -> None:
        """Forgets what was pushed since the archive was published."""
        with self.lock:
            self._changes = []
            self._contents = None
            if self._spool:
                self._spool.close()
                self._spool = None

    def _open(self) -> Contents | None:
        try:
            return Contents.of(self.path, self.docker, self.limits, self._tell)
        except NotFound:
            return None

    def _tell(self, sentence: str) -> None:
        if self._warn and sentence not in self._said:
            self._said.add(sentence)
            self._warn(sentence)

    def _check_ours(self, contents: Contents) -> None:
        if contents.compression:
            raise StoreError(
                f"{self.path} is compressed with {contents.compression}, expected a plain tar archive to add to",
                hint="unpack it first, or name a file that does not exist yet",
            )
        foreign = contents.foreign()
        if foreign is not None:
            raise StoreError(
                f"{self.path} holds {foreign!r}, which is no part of an archive of images and would be lost",
                hint="name a file that does not exist yet",
            )

    def _write(self, draft: Draft, current: Contents) -> None:
        # the last one: what another process no longer needs may still be needed here
        places = [place for place in (self._spool, current, self.contents) if place]

        def place(digest: Digest) -> Spool | Contents | None:
            return next((place for place in places if place.size(digest) is not None), None)

        def read(digest: Digest) -> bytes | None:
            found = place(digest)
            if found is None or (found.size(digest) or 0) > self.limits.document:
                return None
            return b"".join(found.pieces(digest))

        entries, digests = kept(current.entries, read, lambda digest: place(digest) is not None)
        documents = {
            "oci-layout": VERSION_FILE,
            "index.json": self._bound("index.json", entries.raw, self.limits.document),
        }
        raw, left = docker_index(images_in(entries), read, Platform.host())
        if self.docker or raw != b"[]":  # where it holds several, podman loads an OCI archive by this list alone
            documents["manifest.json"] = self._bound("manifest.json", raw, self.limits.document)
        if self.docker and left:
            self._tell(
                f"{self.path} holds {', '.join(left)} for other tools alone: "
                "docker and podman load images with layers of files, not artifacts"
            )
        files = {name: (len(raw), iter([raw])) for name, raw in documents.items()}
        for digest in digests:
            if found := place(digest):
                files[blob_name(digest)] = found.size(digest) or 0, found.pieces(digest)
        for name, (size, pieces) in sorted(files.items(), key=lambda item: item[0]):
            draft.add(name, size, pieces)

    def _bound(self, name: str, raw: bytes, most: int) -> bytes:
        if len(raw) > most:
            raise StoreError(f"{name} in {self.path} would have {len(raw)} bytes, expected at most {most}")
        return raw
