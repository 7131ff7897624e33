"""`manifest.json` of docker's archives: which config and which layers make an image, and what it is called.

There is no manifest in such an archive, so one is made here, always the same for the same config and layers. Formats:
docker's image specification v1.2 (`docker save`), containers/image `docker/internal/tarfile`.
"""

from __future__ import annotations

from bpfimg._json import NotStrict, strict_value
from bpfimg._value import value
from bpfimg.errors import ImageError, StoreError, UsageError, quoted
from bpfimg.oci import _media
from bpfimg.oci._archives._inflate import HEAD, compression, inflated
from bpfimg.oci._descriptor import Descriptor
from bpfimg.oci._digest import Digest
from bpfimg.oci._json import parse_object
from bpfimg.oci._model import Manifest
from bpfimg.oci._reference import Reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.oci._archives._tar_index import Member, TarIndex
    from bpfimg.oci._limits import Limits

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
        raw = archive.read(member, limits.document) if member else b"[]"
        self._archive = archive
        self._limits = limits
        self.path = archive.path
        self.images = _images(raw, archive.path, limits)
        self._configs: dict[Member, tuple[Descriptor, tuple[str, ...]]] = {}
        self._layers: dict[Member, tuple[Descriptor, str]] = {}
        # bytes of unpacked layers, and of configs, that are still looked at: files may be listed many times
        self._left, self._left_configs = limits.archive, limits.blob

    def manifest(self, image: SavedImage) -> tuple[Manifest, dict[Digest, Member]]:
        """Returns the manifest made for an image, and where its config and layers are.

        ImageError when a file is missing, or a layer is not what the image config says (`rootfs.diff_ids`).
        """
        member = self._member(image.config)
        config, diff_ids = self._config(image.config, member)
        if len(diff_ids) != len(image.layers) or len(diff_ids) > self._limits.manifest_layers:
            raise ImageError(
                f"{self.path} lists {len(image.layers)} layers of an image whose config has {len(diff_ids)}, "
                f"expected the same number, at most {self._limits.manifest_layers}"
            )
        parts = {config.digest: member}
        layers = []
        for name, diff_id in zip(image.layers, diff_ids, strict=True):
            member = self._member(name)
            layer, unpacked = self._layer(name, member)
            if unpacked != diff_id:
                raise ImageError(
                    f"the layer {quoted(name)} in {self.path} unpacks to {unpacked}, "
                    f"the image config says {quoted(diff_id)}"
                )
            parts[layer.digest] = member
            layers.append(layer)
        made = Manifest.build(config=config, layers=layers, media_type=_media.DOCKER_MANIFEST)
        return made, parts

    def _member(self, name: str) -> Member:
        found = self._archive.find(name)
        if found is None:
            raise ImageError(f"{self.path} has no file {quoted(name)} that its manifest.json names")
        return found

    def _config(self, name: str, member: Member) -> tuple[Descriptor, tuple[str, ...]]:
        """The descriptor of an image config and its diff_ids: read once."""
        if member not in self._configs:
            raw = self._archive.read(member, min(self._limits.document, self._left_configs))
            self._left_configs -= len(raw)
            diff_ids = _diff_ids(raw, f"the image config {quoted(name)} in {self.path}")
            self._configs[member] = Descriptor.of(raw, _media.DOCKER_CONFIG), diff_ids
        return self._configs[member]

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
            what = f"the layer {quoted(name)} in {self.path}"
            for piece in inflated(pieces(), kind, what, self._left):
                unpacked.update(piece)
                self._left -= len(piece)
            media_type = f"{_media.DOCKER_LAYER}.{kind}" if kind else _media.DOCKER_LAYER
            layer = Descriptor(media_type, Digest("sha256", stored.hexdigest()), member.size)
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
        entries = strict_value(raw, limit=limits.document)
    except NotStrict as error:
        raise StoreError(f"manifest.json in {path} {error}") from error
    if not isinstance(entries, list):
        raise StoreError(f"manifest.json in {path} is no list, {_EXPECTED}")
    images = tuple(_image(entry, path) for entry in entries)
    if sum(1 + len(image.layers) for image in images) > limits.archive_entries:
        raise StoreError(f"manifest.json in {path} names over {limits.archive_entries} files, the limit")
    return images


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
