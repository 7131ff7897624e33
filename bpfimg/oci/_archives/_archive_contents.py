"""What an archive of images holds: the entries and blobs of its image layout, and docker's images beside them."""

from __future__ import annotations

from _thread import RLock

from bpfimg.errors import ImageError, StoreError
from bpfimg.oci import _media
from bpfimg.oci._about import is_cosign_tag
from bpfimg.oci._archives._docker_archive import Saved, full_name
from bpfimg.oci._archives._tar_index import TarIndex
from bpfimg.oci._json import canonical
from bpfimg.oci._store._entries import NAME, SUBJECT, Entries, annotations_of, described
from bpfimg.oci._store._naming import check_version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bpfimg.oci._archives._docker_archive import SavedImage
    from bpfimg.oci._archives._tar_index import Member
    from bpfimg.oci._descriptor import Descriptor
    from bpfimg.oci._digest import Digest
    from bpfimg.oci._limits import Limits

CONTAINERD = "io.containerd.image.name"
"""containerd's and docker's annotation on an entry: its full reference, where `NAME` may be a bare tag."""
_VERSION_LIMIT = 1 << 16
_PARTS = ("oci-layout", "index.json", "manifest.json", "repositories")
_LEGACY = ("VERSION", "json", "layer.tar")


class Contents:
    """A snapshot of one archive, or of none yet. Content is not checked here: whoever asks for it does that.

    Of docker's images those that the layout does not name get a manifest when they are first asked for.
    """

    def __init__(
        self,
        entries: Entries,
        archive: TarIndex | None = None,
        saved: Saved | None = None,
        warn: Callable[[str], None] | None = None,
    ) -> None:
        self.entries = entries
        self.saved = saved
        self.compression = archive.compression if archive else ""
        self._archive = archive
        self._warn = warn
        self._made: dict[Digest, bytes] = {}
        self._members: dict[Digest, Member] = {}
        self._pending = _unlisted(entries, saved)
        self._lock = RLock()

    @staticmethod
    def of(path: str, docker: bool, limits: Limits, warn: Callable[[str], None] | None = None) -> Contents:
        """Returns what the archive at `path` holds: images of its layout and, with `docker`, of docker's list.

        NotFound when there is no file, StoreError when it is no such archive.
        """
        archive = TarIndex(path, limits)
        entries = _layout_entries(archive, docker, limits)
        is_saved = archive.find("manifest.json") is not None
        if docker and not is_saved:
            hint = f"it is an OCI archive: oci-archive:{path}" if entries else ""
            raise StoreError(f"{path} holds no manifest.json, expected an archive of docker save", hint=hint)
        if not docker and entries is None:
            hint = f"it is an archive of docker save: docker-archive:{path}" if is_saved else ""
            raise StoreError(f"{path} holds no oci-layout, expected an image layout in a tar archive", hint=hint)
        saved = Saved(archive, limits) if is_saved else None
        return Contents(entries or entries_of(()), archive, saved if docker else None, warn)

    def find(self, full: str, short: str | None) -> Descriptor | None:
        """Returns what a full reference names, or, where nothing has that, a bare tag."""
        found = self.entries.find((full,))
        if found is None and self._pending:
            for image in tuple(self._pending):
                if full in image.names:
                    self.make(image)
            found = self.entries.find((full,))
        return found or (self.entries.find((short,)) if short is not None else None)

    def by_digest(self, digest: Digest) -> Descriptor | None:
        """Returns an entry for a digest."""
        found = self.entries.by_digest(digest)
        if found is None and self._pending:
            self.make_all()
            found = self.entries.by_digest(digest)
        return found

    def images(self) -> Iterator[tuple[str, Digest | SavedImage]]:
        """Yields the name of every image and what it names, "" for one without a name."""
        for name, descriptor in images_in(self.entries):
            yield name, descriptor.digest
        for image in self._pending:
            for name in image.names or ("",):
                yield name, image

    def size(self, digest: Digest) -> int | None:
        """Returns how many bytes the content has, None when it is not there."""
        if digest in self._made:
            return len(self._made[digest])
        member = self._member(digest)
        if member is None and self._pending:
            self.make_all()
            return self.size(digest)
        return member.size if member else None

    def pieces(self, digest: Digest) -> Iterator[bytes]:
        """Yields content that is there, at most 1 MiB at once."""
        member = self._member(digest)
        if digest in self._made:
            yield self._made[digest]
        elif member and self._archive:
            yield from self._archive.pieces(member)

    def make_all(self) -> None:
        """Makes the manifests of docker's images that the layout does not name."""
        for image in tuple(self._pending):
            self.make(image)

    def make(self, image: SavedImage) -> Digest:
        """Returns the digest of the manifest that is made for one of docker's images."""
        with self._lock:
            assert self.saved
            manifest, members = self.saved.manifest(image)
            descriptor = manifest.descriptor
            if image in self._pending:
                self._made[descriptor.digest] = manifest.raw
                self._members |= members
                for name in image.names:
                    if self.entries.find((name,)) is None:
                        self.entries.put(descriptor, {NAME: name, CONTAINERD: name})
                if not image.names:
                    self.entries.put(descriptor, {})
                self._pending.remove(image)
                what = image.names[0] if image.names else "an image"
                if self._warn:
                    self._warn(
                        f"{self.saved.path} holds {what} without its manifest: one is made here ({descriptor.digest}), "
                        "which no signature in a registry is about"
                    )
            return descriptor.digest

    def foreign(self) -> str | None:
        """Returns the name of a file that is no part of an archive of images, None when there is none."""
        images = self.saved.images if self.saved else ()
        mentioned = {name for image in images for name in (image.config, *image.layers)}
        for name in self._archive.files if self._archive else ():
            if name in _PARTS or name in mentioned or name.startswith("blobs/"):
                continue
            if not (self.saved and name.rpartition("/")[2] in _LEGACY):
                return name
        return None

    def _member(self, digest: Digest) -> Member | None:
        found = self._members.get(digest)
        if found is None and self._archive:
            found = self._archive.find(f"blobs/{digest.algorithm}/{digest.hex}")
        return found


def images_in(entries: Entries) -> Iterator[tuple[str, Descriptor]]:
    """Yields every entry that is an image, with its name or "": no referrers, and nothing under cosign's names."""
    for entry in entries:
        annotations = annotations_of(entry)
        name = annotations.get(NAME, "")
        if not isinstance(name, str) or SUBJECT in annotations or is_cosign_tag(name):
            continue
        try:
            yield name, described(entry, name)
        except ImageError:
            continue


def entries_of(entries: Sequence[object]) -> Entries:
    """Returns these as the entries of an archive, in this order."""
    document = {"schemaVersion": 2, "mediaType": _media.OCI_INDEX, "manifests": entries}
    return Entries.parse(canonical(document), "index.json")


def _layout_entries(archive: TarIndex, docker: bool, limits: Limits) -> Entries | None:
    """The entries of the image layout in an archive; None when there is none."""
    version, index = archive.find("oci-layout"), archive.find("index.json")
    if version is None or index is None:
        return None
    check_version(archive.read(version, _VERSION_LIMIT), f"{archive.path} holds")
    where = f"index.json in {archive.path}"
    entries = Entries.parse(archive.read(index, limits.document), where, limits.document)
    return _by_full_name(entries) if docker else entries


def _by_full_name(entries: Entries) -> Entries:
    """The same entries, each by the full reference that docker gives it: its `NAME` there is only the tag."""
    found = list(entries)
    renamed = [_renamed(entry) for entry in found]
    return entries if renamed == found else entries_of(renamed)


def _renamed(entry: object) -> object:
    annotations = annotations_of(entry)
    full = full_name(str(annotations.get(CONTAINERD, "")))
    return {**entry, "annotations": {**annotations, NAME: full}} if isinstance(entry, dict) and full else entry


def _unlisted(entries: Entries, saved: Saved | None) -> list[SavedImage]:
    """docker's images that the layout does not name. One without a name is there when its config is."""
    if saved is None:
        return []
    there = {name for name, _ in entries.named()}
    listed = any(True for _ in entries)
    return [
        image
        for image in saved.images
        if not (there.issuperset(image.names) if image.names else listed and image.config.startswith("blobs/"))
    ]
