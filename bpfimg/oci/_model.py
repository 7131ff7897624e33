"""Manifest and index: raw bytes, which are the truth, and what was read out of them once."""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.errors import ImageError, NotFound, quoted
from bpfimg.oci import _media
from bpfimg.oci._descriptor import Descriptor, Platform, check_media_type, read_annotations, read_artifact_type
from bpfimg.oci._json import canonical, parse_object
from bpfimg.oci._limits import DEFAULT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bpfimg.oci._limits import Limits


@value(frozen=True, slots=True)
class Manifest:
    """One image or artifact: a config and layers, perhaps about a `subject`."""

    raw: bytes
    media_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]
    subject: Descriptor | None
    annotations: Mapping[str, str]
    artifact_type: str | None

    @staticmethod
    def parse(raw: bytes, media_type: str = "", limits: Limits = DEFAULT) -> Manifest:
        """Returns the manifest in `raw`, as `parse_document` reads it; ImageError when it is an index."""
        document = parse_document(raw, media_type, limits)
        if not isinstance(document, Manifest):
            raise ImageError(f"the document is an index ({document.media_type}), expected a manifest")
        return document

    @staticmethod
    def build(
        *,
        config: Descriptor,
        layers: Iterable[Descriptor],
        subject: Descriptor | None = None,
        annotations: Mapping[str, str] | None = None,
        artifact_type: str | None = None,
        media_type: str = _media.OCI_MANIFEST,
    ) -> Manifest:
        """Returns a new manifest; equal arguments give equal bytes."""
        fields: dict[str, object] = {
            "config": config.to_dict(),
            "layers": [layer.to_dict() for layer in layers],
        }
        raw = _write(media_type, fields, subject=subject, annotations=annotations, artifact_type=artifact_type)
        return Manifest.parse(raw, media_type)

    @property
    def descriptor(self) -> Descriptor:
        """The descriptor of the raw bytes."""
        return Descriptor.of(self.raw, self.media_type)

    @property
    def parts(self) -> tuple[Descriptor, ...]:
        """Config and layers: what has to be in a place before the manifest."""
        return self.config, *self.layers

    @property
    def as_referrer(self) -> Descriptor:
        """The descriptor with artifact type and annotations, as lists of referrers show it (distribution-spec 1.1)."""
        kind = self.artifact_type or self.config.media_type
        plain = self.descriptor
        return Descriptor(plain.media_type, plain.digest, plain.size, self.annotations, artifact_type=kind)


@value(frozen=True, slots=True)
class Index:
    """Manifests side by side, usually one for each platform."""

    raw: bytes
    media_type: str
    manifests: tuple[Descriptor, ...]
    subject: Descriptor | None
    annotations: Mapping[str, str]
    artifact_type: str | None

    @staticmethod
    def parse(raw: bytes, media_type: str = "", limits: Limits = DEFAULT) -> Index:
        """Returns the index in `raw`, as `parse_document` reads it; ImageError when it is a manifest."""
        document = parse_document(raw, media_type, limits)
        if not isinstance(document, Index):
            raise ImageError(f"the document is a manifest ({document.media_type}), expected an index")
        return document

    @staticmethod
    def build(
        manifests: Iterable[Descriptor],
        *,
        subject: Descriptor | None = None,
        annotations: Mapping[str, str] | None = None,
        artifact_type: str | None = None,
        media_type: str = _media.OCI_INDEX,
    ) -> Index:
        """Returns a new index; equal arguments give equal bytes."""
        fields: dict[str, object] = {"manifests": [entry.to_dict() for entry in manifests]}
        raw = _write(media_type, fields, subject=subject, annotations=annotations, artifact_type=artifact_type)
        return Index.parse(raw, media_type)

    @property
    def descriptor(self) -> Descriptor:
        """The descriptor of the raw bytes."""
        return Descriptor.of(self.raw, self.media_type)

    @property
    def parts(self) -> tuple[Descriptor, ...]:
        """Nothing: the images of an index need not all be there."""
        return ()

    @property
    def as_referrer(self) -> Descriptor:
        """The descriptor with artifact type and annotations, as lists of referrers show it (distribution-spec 1.1)."""
        plain = self.descriptor
        kind = self.artifact_type
        return Descriptor(plain.media_type, plain.digest, plain.size, self.annotations, artifact_type=kind)

    def select(self, platform: Platform) -> Descriptor:
        """Returns the first entry for `platform`; an ARM host also takes older variants, newest first.

        NotFound when there is none; the message lists what there is.
        """
        for variant in _acceptable(platform):
            wanted = Platform(platform.os, platform.architecture, variant)
            for entry in self.manifests:
                if entry.platform == wanted:
                    return entry
        there = ", ".join(str(entry.platform) for entry in self.manifests if entry.platform) or "no platform"
        raise NotFound(f"the index holds no image for {platform}, only for {quoted(there, 400)}")


def parse_document(raw: bytes, media_type: str = "", limits: Limits = DEFAULT) -> Manifest | Index:
    """Returns the manifest or index in `raw`.

    `media_type` is what the descriptor or header promised ("" where nobody did); the document's own field must
    agree. ImageError for anything that is not one strict document of a known kind within `limits`.
    """
    document = parse_object(raw, "manifest", limit=limits.document)
    kind = _kind(document, media_type)
    subject = document.get("subject")
    about = Descriptor.from_dict(subject, "subject") if subject is not None else None
    annotations = read_annotations(document, "manifest")
    artifact_type = read_artifact_type(document, "manifest")
    if kind in _media.INDEXES:
        entries = _descriptors(document, "manifests", limits.index_entries)
        return Index(raw, kind, entries, about, annotations, artifact_type)
    layers = _descriptors(document, "layers", limits.manifest_layers)
    config = Descriptor.from_dict(document.get("config"), "config")
    return Manifest(raw, kind, config, layers, about, annotations, artifact_type)


def _kind(document: Mapping[str, object], promised: str) -> str:
    # A document with both lists means one thing to one reader and something else to the next (CVE-2021-41190).
    if "layers" in document and "manifests" in document:
        raise ImageError("the document has both layers and manifests, expected one of them")
    field = document.get("mediaType")
    if document.get("schemaVersion") != 2 or (isinstance(field, str) and field.startswith(_media.DOCKER_SCHEMA_1)):
        version = quoted(document.get("schemaVersion"))
        raise ImageError(
            f"the manifest has schemaVersion {version}, expected 2",
            hint="Docker's schema 1 is not supported: push the image again with a current tool",
        )
    own = check_media_type(field, "manifest") if field is not None else ""
    if own and promised and own != promised:
        raise ImageError(f"the manifest calls itself {own}, its descriptor or header says {quoted(promised)}")
    kind = own or promised or (_media.OCI_INDEX if "manifests" in document else _media.OCI_MANIFEST)
    if kind not in _media.DOCUMENTS:
        raise ImageError(f"the manifest has the media type {quoted(kind)}, expected an OCI or Docker manifest or index")
    return kind


def _descriptors(document: Mapping[str, object], name: str, limit: int) -> tuple[Descriptor, ...]:
    entries = document.get(name)
    if not isinstance(entries, list):
        raise ImageError(f"the manifest has {name} {quoted(entries)}, expected a list")
    if len(entries) > limit:
        raise ImageError(f"the manifest has {len(entries)} {name}, expected at most {limit}")
    return tuple(Descriptor.from_dict(entry, f"{name}[{number}]") for number, entry in enumerate(entries))


def _write(
    media_type: str,
    fields: Mapping[str, object],
    *,
    subject: Descriptor | None,
    annotations: Mapping[str, str] | None,
    artifact_type: str | None,
) -> bytes:
    document: dict[str, object] = {"schemaVersion": 2, "mediaType": media_type}
    if artifact_type:
        document["artifactType"] = artifact_type
    document.update(fields)
    if subject:
        document["subject"] = Descriptor(subject.media_type, subject.digest, subject.size).to_dict()
    if annotations:
        document["annotations"] = dict(annotations)
    return canonical(document)


def _acceptable(platform: Platform) -> tuple[str, ...]:
    if platform.architecture == "arm64":
        return ("v8", "") if platform.variant in ("", "v8") else (platform.variant, "v8", "")
    if platform.architecture == "arm":
        known = ("v8", "v7", "v6", "v5")
        newest = platform.variant or "v7"
        return (*known[known.index(newest) :], "") if newest in known else (newest, "")
    return ("", "v1") if platform == Platform("linux", "amd64") else (platform.variant,)
