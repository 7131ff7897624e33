"""From a `BytecodeImage` to manifest, config and layer, byte for byte the same everywhere."""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.errors import UsageError, quoted
from bpfimg.image import _media
from bpfimg.image._description import PREFIX
from bpfimg.image._document import document_of
from bpfimg.image._json import canonical
from bpfimg.image._layer import check_file_name, gzip_stored, tar_of
from bpfimg.image._limits import DEFAULT, broken
from bpfimg.oci import Descriptor, Digest, Manifest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.image._image import BytecodeImage

__all__ = ["Packed", "packed", "rfc3339"]

RESERVED = ("io.ebpf.", PREFIX)


@value(frozen=True, slots=True)
class Packed:
    """What goes into a registry: `blobs` (config, then layers) first, then the manifest."""

    manifest: Manifest
    blobs: tuple[tuple[Descriptor, bytes], ...]


def packed(image: BytecodeImage, *, empty_config: bool = False) -> Packed:
    """See `BytecodeImage.pack`."""
    if image.variant == "artifact":
        return _artifact(image, empty_config)
    if image.variant != "image":
        hint = "make an image or an artifact of its object"
        raise UsageError(f"an artifact of the kind {quoted(image.variant)} is read here, never written", hint=hint)
    archive = tar_of(image.file_name, image.bytecode, modified=seconds(image.created))
    layer = gzip_stored(archive)
    config = _config(image, str(Digest.of(archive)))
    for what, content, limit in (("layer", layer, DEFAULT.layer), ("image config", config, DEFAULT.config)):
        _bound(what, content, limit)
    blobs = ((Descriptor.of(config, _media.CONFIG), config), (Descriptor.of(layer, _media.LAYER), layer))
    annotations = dict(sorted(image.annotations.items()))
    for name in annotations:
        _check_free(name, "annotation", (PREFIX,))
    return Packed(Manifest.build(config=blobs[0][0], layers=(blobs[1][0],), annotations=annotations), blobs)


def _artifact(image: BytecodeImage, empty_config: bool) -> Packed:
    """The artifact variant: the object as it is, and a document about it (BI-48 to BI-51)."""
    check_file_name(image.file_name)
    seconds(image.created)
    raw = document_of(image)
    _bound("object", image.bytecode, DEFAULT.object)
    _bound("config document", raw, DEFAULT.config)
    kind = {part: written for part, (written, _) in _media.ARTIFACT.items()}
    document = Descriptor.of(raw, kind["config"])
    layers = [Descriptor.of(image.bytecode, kind["object"], annotations={_media.TITLE: image.file_name})]
    blobs = [(layers[0], image.bytecode)]
    if empty_config:
        config = Descriptor.of(b"{}", _media.EMPTY)
        layers.append(document)
        blobs = [(config, b"{}"), *blobs, (document, raw)]
    else:
        config = document
        blobs = [(config, raw), *blobs]
    manifest = Manifest.build(
        config=config, layers=layers, annotations=_annotations(image), artifact_type=kind["artifact"]
    )
    return Packed(manifest, tuple(blobs))


def _annotations(image: BytecodeImage) -> dict[str, str]:
    """An artifact has no labels: what would be one is an annotation (BI-48)."""
    for name in image.annotations:
        _check_free(name, "annotation", RESERVED)
    return dict(sorted({**_all_labels(image), **image.annotations}.items()))


def _bound(what: str, content: bytes, limit: int) -> None:
    if len(content) > limit:
        raise broken("BI-27", f"the {what} would have {len(content)} bytes, expected at most {limit}")


def _config(image: BytecodeImage, diff_id: str) -> bytes:
    """The image config: keys in the order of the OCI specification's example, labels sorted (BI-6, BI-32)."""
    platform = {"architecture": image.platform.architecture, "os": image.platform.os}
    if image.platform.variant:
        platform["variant"] = image.platform.variant
    return canonical(
        {
            "created": image.created,
            **platform,
            "config": {"Labels": dict(sorted({**_all_labels(image), **image.description.to_labels()}.items()))},
            "rootfs": {"type": "layers", "diff_ids": [diff_id]},
            "history": [{"created": image.created, "created_by": "bpfimg build"}],
        }
    )


def _all_labels(image: BytecodeImage) -> dict[str, str]:
    stated = image.labels.to_dict()
    for name, text in stated.items():
        if len(text) > DEFAULT.label_value:
            raise broken("BI-27", f"label {name} would have {len(text)} bytes, expected at most {DEFAULT.label_value}")
    for name in image.extra_labels:
        _check_free(name, "label", RESERVED)
    return {**image.extra_labels, **stated}


def _check_free(name: str, what: str, reserved: tuple[str, ...]) -> None:
    if name.startswith(reserved):
        raise UsageError(f"{what} {quoted(name)} is made from the object and cannot be given (BI-20)")


def rfc3339(moment: int) -> str:
    """`moment` (seconds since 1970, as in SOURCE_DATE_EPOCH) as images have it, in UTC."""
    from datetime import UTC, datetime

    try:
        return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, OSError, ValueError) as error:
        raise UsageError(f"the time {moment} is out of range, expected seconds since 1970") from error


def seconds(created: str) -> int:
    """The reverse: whole seconds since 1970 of an RFC 3339 time."""
    from datetime import datetime

    try:
        return int(datetime.fromisoformat(created).timestamp())
    except ValueError as error:
        raise UsageError(f"{quoted(created)} is not a time, expected RFC 3339 such as 1970-01-01T00:00:00Z") from error
