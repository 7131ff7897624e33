"""A tar archive of images on disk: `oci-archive:FILE` and `docker-archive:FILE`, read in place and written whole."""

from __future__ import annotations

from bpfimg.errors import DigestMismatch, NotFound
from bpfimg.oci._about import is_cosign_tag, referrers_among
from bpfimg.oci._archives._archive_contents import CONTAINERD
from bpfimg.oci._archives._archive_file import ArchiveFile
from bpfimg.oci._check import check_content, check_limit, in_pieces
from bpfimg.oci._descriptor import Descriptor
from bpfimg.oci._digest import Digest
from bpfimg.oci._limits import DEFAULT
from bpfimg.oci._model import Index, Manifest, parse_document
from bpfimg.oci._reference import check_tag
from bpfimg.oci._store._entries import NAME, REPOSITORY, SUBJECT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from bpfimg.oci._limits import Limits
    from bpfimg.oci._reference import Repository
    from bpfimg.oci._store._entries import Entries
    from bpfimg.oci._target import Source


class Archive:
    """A `Target`: one repository in the archive at `path`, an image layout in a tar file.

    What is pushed is in the file once `publish` or `close` returns; until then, and after `discard` or an error in the
    `with` block, the file is as it was. Images that it holds stay. Nothing is ever extracted: content is read where it
    stands, the file as it was when it was opened; it may be compressed with gzip or zstd.

    With `docker` it is an archive as `docker save` and `docker load` have it, and read where it has no image layout,
    too: then manifests are made here, and `warn` is told so. Written are always both, for images that engines load.

    An entry is called by its full normalised reference; with `short_names`, bare tags of other tools are found as
    well, and with `bare` that is how tags are written.
    """

    at_once = 1

    def __init__(
        self,
        path: str,
        repository: Repository,
        *,
        docker: bool = False,
        short_names: bool = True,
        bare: bool = False,
        limits: Limits = DEFAULT,
        lock_timeout: float = 30.0,
        warn: Callable[[str], None] | None = None,
    ) -> None:
        self.path = path
        self.repository = repository
        self._short_names = short_names
        self._bare = bare
        self._limits = limits
        self._file = ArchiveFile(path, docker=docker, limits=limits, lock_timeout=lock_timeout, warn=warn)

    def beside(self, repository: Repository) -> Archive:
        """Returns the same archive, seen from another repository: what is pushed to either is published at once."""
        other = Archive(self.path, repository, short_names=self._short_names, bare=self._bare, limits=self._limits)
        other._file = self._file
        return other

    @classmethod
    def named(
        cls,
        text: str,
        *,
        docker: bool,
        limits: Limits = DEFAULT,
        lock_timeout: float = 30.0,
        warn: Callable[[str], None] | None = None,
    ) -> tuple[Archive, str | Digest]:
        """Returns the archive and selector that `FILE[:REF]` names; see `_archive_names`."""
        from bpfimg.oci._archives._archive_names import split_archive

        path, repository, selector = split_archive(text, docker, limits)
        return cls(path, repository, docker=docker, limits=limits, lock_timeout=lock_timeout, warn=warn), selector

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def publish(self) -> None:
        """Writes the file with what was pushed and named. StoreError, and it is as it was, when that cannot be done."""
        self._file.publish()

    def discard(self) -> None:
        """Forgets what was pushed since the last `publish`."""
        self._file.discard()

    def close(self) -> None:
        """Publishes and lets everything go."""
        try:
            self._file.publish()
        finally:
            self._file.discard()

    # reading

    def resolve(self, selector: str | Digest) -> Descriptor:
        if isinstance(selector, Digest):
            return self._by_digest(selector)
        full = f"{self.repository}:{check_tag(selector)}"
        names = (selector, full) if self._bare else (full, selector if self._short_names else None)
        found = self._file.contents.find(*names)
        if found is None:
            raise NotFound(f"the archive {self.path} has no {full}")
        return found

    def fetch(self, descriptor: Descriptor, *, limit: int = DEFAULT.blob) -> bytes:
        check_limit(descriptor, limit, self._limits)
        return b"".join(self.stream(descriptor))

    def stream(self, descriptor: Descriptor) -> Iterator[bytes]:
        return self._file.pieces(descriptor)

    def referrers(self, digest: Digest) -> tuple[Descriptor, ...]:
        # an archive that is handed round has no repository of its own: all count, wherever they came from
        ours = None if self._short_names else str(self.repository)
        candidates = self._file.contents.entries.unnamed(digest, ours)
        return referrers_among(digest, candidates, self._document, self._limits.referrers)

    def entries(self) -> Entries:
        """Returns the entries as they are now, to look at only; docker's images are among them."""
        contents = self._file.contents
        contents.make_all()
        return contents.entries

    def exists(self, descriptor: Descriptor) -> bool:
        if self._file.size(descriptor.digest) != descriptor.size:
            return False
        try:
            for _ in self.stream(descriptor):
                pass
        except (NotFound, DigestMismatch):
            return False
        return True

    # writing

    def push(self, descriptor: Descriptor, data: bytes, *, tag: str | None = None) -> None:
        check_content(descriptor, data, "what is pushed")
        document = parse_document(data, descriptor.media_type, self._limits) if descriptor.is_document else None
        if document:
            self._require_parts(document)
        self._file.add(descriptor, in_pieces(data))
        if document and document.subject:
            about = {SUBJECT: str(document.subject.digest), REPOSITORY: str(self.repository)}
            self._file.name(descriptor, about)
        if tag is not None:
            self.tag(descriptor, tag)

    def push_stream(self, descriptor: Descriptor, content: Callable[[], Iterator[bytes]]) -> None:
        if descriptor.is_document:
            self.push(descriptor, b"".join(content()))
        else:
            self._file.add(descriptor, content())

    def adopt(self, descriptor: Descriptor, source: Source) -> bool:
        return False

    def tag(self, descriptor: Descriptor, tag: str) -> None:
        full = f"{self.repository}:{check_tag(tag)}"
        names = {NAME: full} if is_cosign_tag(full) else {NAME: full, CONTAINERD: full}
        if self._bare:
            names = {NAME: tag}
        self._file.name(self._whole(descriptor), names)

    def keep(self, descriptor: Descriptor) -> None:
        self._file.name(self._whole(descriptor), {REPOSITORY: str(self.repository)})

    def lock(self) -> AbstractContextManager[object]:
        """Keeps other threads out; other processes are kept out while the archive is published."""
        return self._file.lock

    def _by_digest(self, digest: Digest) -> Descriptor:
        found = self._file.contents.by_digest(digest)
        if found is not None:
            return found
        size = self._file.size(digest)
        if size is None:
            raise NotFound(f"the archive {self.path} has no {self.repository}@{digest}")
        content = self.fetch(Descriptor("", digest, size), limit=self._limits.document)
        return Descriptor(parse_document(content, limits=self._limits).media_type, digest, size)

    def _document(self, descriptor: Descriptor) -> Manifest | Index:
        return parse_document(self.fetch(descriptor), descriptor.media_type, self._limits)

    def _whole(self, descriptor: Descriptor) -> Descriptor:
        document = self._document(descriptor)
        self._require_parts(document)
        return Descriptor(document.media_type, descriptor.digest, descriptor.size)

    def _require_parts(self, document: Manifest | Index) -> None:
        for part in document.parts:
            if self._file.size(part.digest) != part.size:
                raise NotFound(f"the archive {self.path} has no content {part.digest} that the manifest names")
