"""From a `BytecodeImage` to manifest, config and layer, byte for byte the same everywhere."""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.errors import UsageError, quoted
from bpfimg.image import _media
from bpfimg.image._json import canonical
from bpfimg.image._labels import LABEL_MAPS, LABEL_PROGRAMS
from bpfimg.image._layer import gzip_stored, tar_of
from bpfimg.image._limits import DEFAULT, broken
from bpfimg.oci import Descriptor, Digest, Manifest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.image._image import BytecodeImage

__all__ = ["Packed", "packed", "rfc3339"]


@value(frozen=True, slots=True)
class Packed:
    """What goes into a registry: `blobs` (config, then layer) first, then the manifest."""

    manifest: Manifest
    blobs: tuple[tuple[Descriptor, bytes], ...]


def packed(image: BytecodeImage) -> Packed:
    """See `BytecodeImage.pack`."""
    archive = tar_of(image.file_name, image.bytecode, modified=seconds(image.created))
    layer = gzip_stored(archive)
    config = _config(image, str(Digest.of(archive)))
    for what, content, limit in (("layer", layer, DEFAULT.layer), ("image config", config, DEFAULT.config)):
        if len(content) > limit:
            raise broken("BI-27", f"the {what} would have {len(content)} bytes, expected at most {limit}")
    blobs = ((Descriptor.of(config, _media.CONFIG), config), (Descriptor.of(layer, _media.LAYER), layer))
    annotations = dict(sorted(image.annotations.items()))
    return Packed(Manifest.build(config=blobs[0][0], layers=(blobs[1][0],), annotations=annotations), blobs)


def _config(image: BytecodeImage, diff_id: str) -> bytes:
    """The image config: keys in the order of the OCI specification's example, labels sorted (BI-6, BI-32)."""
    platform = {"architecture": image.platform.architecture, "os": image.platform.os}
    if image.platform.variant:
        platform["variant"] = image.platform.variant
    return canonical(
        {
            "created": image.created,
            **platform,
            "config": {"Labels": dict(sorted(_all_labels(image).items()))},
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
        if name in (LABEL_PROGRAMS, LABEL_MAPS) or name.startswith("io.ebpf."):
            raise UsageError(f"label {quoted(name)} is made from the object and cannot be given (BI-20)")
    return {**image.extra_labels, **stated}


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
