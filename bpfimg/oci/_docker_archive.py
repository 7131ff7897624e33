"""`manifest.json` of docker's archives: which config and which layers make an image, and what it is called.

There is no manifest in such an archive, so one is made here, always the same for the same config and layers. Formats:
docker's image specification v1.2 (`docker save`), containers/image `docker/internal/tarfile`.
"""

from __future__ import annotations

from bpfimg._json import NotStrict, strict_value
from bpfimg._value import value
from bpfimg.errors import ImageError, StoreError, UsageError, quoted
from bpfimg.oci import _media
from bpfimg.oci._descriptor import Descriptor
from bpfimg.oci._digest import Digest
from bpfimg.oci._inflate import HEAD, compression, inflated
from bpfimg.oci._json import parse_object
from bpfimg.oci._model import Manifest
from bpfimg.oci._reference import Reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.oci._limits import Limits
    from bpfimg.oci._tar_index import Member, TarIndex

_LIMIT = 64 << 20
_CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
_EXPECTED = "expected a list of objects with Config, RepoTags and Layers"


@value(frozen=True, slots=True)
class SavedImage:
    """One image in `manifest.json`: names of files in the archive, and the full references it goes by."""

    config: str
    layers: tuple[str, ...]
    names: tuple[str, ...]


class Saved:
    """The images that docker's `manifest.json` lists in an archive; none where there is no such file."""

    def __init__(self, archive: TarIndex, limits: Limits) -> None:
        member = archive.find("manifest.json")
        raw = archive.read(member, _LIMIT) if member else b"[]"
        self._archive = archive
        self._limits = limits
        self.path = archive.path
        self.images = _images(raw, archive.path, limits)
        self._layers: dict[Member, tuple[Descriptor, str]] = {}

    def manifest(self, image: SavedImage) -> tuple[Manifest, dict[Digest, Member]]:
        """Returns the manifest made for an image, and where its config and layers are.

        ImageError when a file is missing, or a layer is not what the image config says (`rootfs.diff_ids`).
        """
        config = self._member(image.config)
        raw = self._archive.read(config, self._limits.document)
        diff_ids = _diff_ids(raw, f"the image config {quoted(image.config)} in {self._archive.path}")
        if len(diff_ids) != len(image.layers) or len(diff_ids) > self._limits.manifest_layers:
            raise ImageError(
                f"{self._archive.path} lists {len(image.layers)} layers of an image whose config has {len(diff_ids)}, "
                f"expected the same number, at most {self._limits.manifest_layers}"
            )
        parts = {Digest.of(raw): config}
        layers = []
        for name, diff_id in zip(image.layers, diff_ids, strict=True):
            member = self._member(name)
            layer, unpacked = self._layer(name, member)
            if unpacked != diff_id:
                raise ImageError(
                    f"the layer {quoted(name)} in {self._archive.path} unpacks to {unpacked}, "
                    f"the image config says {quoted(diff_id)}"
                )
            parts[layer.digest] = member
            layers.append(layer)
        made = Manifest.build(config=Descriptor.of(raw, _CONFIG), layers=layers, media_type=_media.DOCKER_MANIFEST)
        return made, parts

    def _member(self, name: str) -> Member:
        found = self._archive.find(name)
        if found is None:
            raise ImageError(f"{self._archive.path} has no file {quoted(name)} that its manifest.json names")
        return found

    def _layer(self, name: str, member: Member) -> tuple[Descriptor, str]:
        """The descriptor of a layer as it stands there, and the digest of what it unpacks to: read once."""
        import hashlib

        if member not in self._layers:
            stored, unpacked = hashlib.sha256(), hashlib.sha256()

            def pieces() -> Iterator[bytes]:
                for piece in self._archive.pieces(member):
                    stored.update(piece)
                    yield piece

            kind = compression(self._archive.head(member, HEAD))
            what = f"the layer {quoted(name)} in {self._archive.path}"
            for piece in inflated(pieces(), kind, what, self._limits.archive):
                unpacked.update(piece)
            layer = Descriptor(
                f"{_LAYER}.{kind}" if kind else _LAYER, Digest("sha256", stored.hexdigest()), member.size
            )
            self._layers[member] = layer, f"sha256:{unpacked.hexdigest()}"
        return self._layers[member]


def full_name(text: str) -> str | None:
    """Returns the full normalised reference for a name in an archive, None when it is none with a tag."""
    try:
        found = Reference.parse(text)
    except UsageError:
        return None
    return str(found) if found.digest is None else None


def _images(raw: bytes, path: str, limits: Limits) -> tuple[SavedImage, ...]:
    try:
        entries = strict_value(raw, limit=_LIMIT)
    except NotStrict as error:
        raise StoreError(f"manifest.json in {path} {error}") from error
    if not isinstance(entries, list) or len(entries) > limits.archive_entries:
        raise StoreError(f"manifest.json in {path} is not such a list, {_EXPECTED}")
    return tuple(_image(entry, path) for entry in entries)


def _image(entry: object, path: str) -> SavedImage:
    config = entry.get("Config") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(config, str):
        raise StoreError(f"manifest.json in {path} holds {quoted(entry)}, {_EXPECTED}")
    tags = _texts(entry.get("RepoTags"), path)
    names = (full_name(tag) for tag in tags)
    return SavedImage(config, _texts(entry.get("Layers"), path), tuple(name for name in names if name))


def _texts(found: object, path: str) -> tuple[str, ...]:
    if found is None:
        return ()
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise StoreError(f"manifest.json in {path} holds {quoted(found)}, expected a list of texts")
    return tuple(found)


def _diff_ids(raw: bytes, what: str) -> tuple[str, ...]:
    rootfs = parse_object(raw, what).get("rootfs")
    found = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise ImageError(f"{what} has no list rootfs.diff_ids")
    return tuple(found)
