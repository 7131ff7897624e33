"""Documents about an image, kept beside it: OCI referrers (image-spec 1.1, `subject`)."""

from __future__ import annotations

from bpfimg._value import field, value
from bpfimg.errors import DigestMismatch, ImageError, NotFound
from bpfimg.oci import Descriptor, Manifest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpfimg.oci import Digest, Source, Target

__all__ = ["CYCLONEDX", "IN_TOTO", "SPDX", "Document", "Referrer", "attach", "content_of", "referrers"]

# trivy takes a referrer for an SBOM when its artifact type is one of the first two and its layer has the same type;
# both are IANA's. cosign's older `text/spdx+json` is in no registry of types. docker's BuildKit and its readers have
# the third for statements without an envelope.
SPDX = "application/spdx+json"
CYCLONEDX = "application/vnd.cyclonedx+json"
IN_TOTO = "application/vnd.in-toto+json"

PREDICATE_TYPE = "in-toto.io/predicate-type"
_TITLE = "org.opencontainers.image.title"
_CREATED = "org.opencontainers.image.created"
LIMIT = 16 << 20
"""Bytes of a document about an image that are read."""
_EMPTY, _EMPTY_TYPE = b"{}", "application/vnd.oci.empty.v1+json"


@value(frozen=True, slots=True)
class Document:
    """A document about an image: `media_type` is also its artifact type, `title` its name as a file, `created` RFC
    3339; `predicate` is the predicate type of an in-toto statement, "" for all others."""

    media_type: str
    title: str
    content: bytes = field(repr=False)
    created: str
    predicate: str = ""

    @property
    def annotations(self) -> Mapping[str, str]:
        """What lists of referrers show of it."""
        predicate = {PREDICATE_TYPE: self.predicate} if self.predicate else {}
        return {**predicate, _CREATED: self.created}


def attach(target: Target, subject: Descriptor, document: Document) -> Descriptor:
    """Stores `document` as a referrer of `subject` and returns the descriptor of its manifest.

    `subject` is in `target` already. The same document gives the same manifest, so attaching it again adds nothing.
    """
    config = Descriptor.of(_EMPTY, _EMPTY_TYPE)
    named = {_TITLE: document.title}
    if document.predicate:
        named[PREDICATE_TYPE] = document.predicate
    layer = Descriptor.of(document.content, document.media_type, annotations=named)
    manifest = Manifest.build(
        config=config,
        layers=(layer,),
        subject=Descriptor(subject.media_type, subject.digest, subject.size),
        artifact_type=document.media_type,
        annotations=document.annotations,
    )
    for part, content in ((config, _EMPTY), (layer, document.content), (manifest.descriptor, manifest.raw)):
        target.push(part, content)
    return manifest.descriptor


@value(frozen=True, slots=True)
class Referrer:
    """An artifact about the image or index `subject`: its manifest, what it says it is, and its layers."""

    subject: Digest
    descriptor: Descriptor
    artifact_type: str
    annotations: Mapping[str, str]
    layers: tuple[Descriptor, ...]

    @property
    def created(self) -> str:
        """When it says that it was made, "" where it says nothing."""
        return self.annotations.get(_CREATED, "")

    @property
    def title(self) -> str:
        """The file name of its document, "" where it has none or is several."""
        return self.layers[0].annotations.get(_TITLE, "") if len(self.layers) == 1 else ""


def referrers(source: Source, subject: Digest) -> tuple[Referrer, ...]:
    """What `source` holds about `subject`, by type and digest.

    Registries get types wrong and anybody who may push can list anything, so each manifest is opened; what is not
    about `subject` or cannot be read is passed over.
    """
    found = []
    for entry in source.referrers(subject):
        try:
            manifest = Manifest.parse(source.fetch(entry), entry.media_type)
        except (NotFound, DigestMismatch, ImageError):
            continue
        if manifest.subject is not None and manifest.subject.digest == subject:
            kind = manifest.artifact_type or manifest.config.media_type
            found.append(Referrer(subject, manifest.descriptor, kind, manifest.annotations, manifest.layers))
    return tuple(sorted(found, key=lambda each: (each.artifact_type, str(each.descriptor.digest))))


def content_of(source: Source, layer: Descriptor) -> bytes:
    """The content of a referrer's layer; ImageError when it is larger than `LIMIT`."""
    return source.fetch(layer, limit=LIMIT)
