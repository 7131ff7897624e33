"""From a descriptor to a `BytecodeImage`: index, manifest, config, layer, object, each checked before the next."""

from __future__ import annotations

from bpfimg.errors import ImageError, NotFound, UsageError, quoted
from bpfimg.image import _media
from bpfimg.image._description import PREFIX, Description
from bpfimg.image._found import Found, created_of, fetch_within, platform_of
from bpfimg.image._image import BytecodeImage
from bpfimg.image._json import read_object
from bpfimg.image._labels import LABEL_MAPS, LABEL_PROGRAMS, Labels, config_labels
from bpfimg.image._limits import broken
from bpfimg.image._unpack import object_in
from bpfimg.oci import Digest, Index, Manifest, parse_document

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpfimg.image._limits import Limits
    from bpfimg.oci import Descriptor, Platform, Source

__all__ = ["fetched", "platforms"]


def fetched(
    source: Source, descriptor: Descriptor, platform: Platform | None, limits: Limits, object_name: str | None
) -> BytecodeImage:
    """See `BytecodeImage.fetch`."""
    manifest, slot = _manifest(source, descriptor, platform, limits)
    found = Found(source, manifest, slot, platform, limits)
    variant = _media.variant_of(manifest)
    if variant == "image":
        return _image(found, object_name)
    from bpfimg.image._artifact import fetched_artifact, fetched_peer

    made = fetched_artifact(found) if variant == "artifact" else fetched_peer(found, variant)
    if object_name not in (None, made.file_name):
        what = f"the artifact holds {quoted(made.file_name)}, expected an object named {quoted(object_name)}"
        raise broken("BI-15", what)
    return made


def _image(found: Found, object_name: str | None) -> BytecodeImage:
    manifest, limits = found.manifest, found.limits
    layer = _only_layer(manifest)
    config = read_object(
        found.fetch(manifest.config, limits.config, "image config"), "the image config", "BI-7", limits
    )
    own = platform_of(config, "the image config", "BI-7")
    found.check_slot(own)
    labels = config_labels(config)
    stated = Labels.from_labels(labels, limits=limits)
    file_name, bytecode = object_in(
        found.fetch(layer, limits.layer, "layer"),
        media_type=layer.media_type,
        diff_id=_diff_id(config),
        limits=limits,
        object_name=object_name,
    )
    found.check_byte_order(bytecode)
    kept = {name: text for name, text in labels.items() if name not in (LABEL_PROGRAMS, LABEL_MAPS)}
    return BytecodeImage(
        bytecode=bytecode,
        labels=stated,
        platform=own,
        file_name=file_name,
        created=created_of(config),
        extra_labels={name: text for name, text in kept.items() if not name.startswith(PREFIX)},
        annotations=manifest.annotations,
        descriptor=manifest.descriptor,
        description=Description.from_labels(kept),
    )


def platforms(source: Source, descriptor: Descriptor, limits: Limits) -> tuple[Platform, ...]:
    """See `BytecodeImage.platforms`."""
    document = _document(source, descriptor, limits) if descriptor.is_index else None
    named = [entry.platform for entry in document.manifests if entry.platform] if isinstance(document, Index) else []
    return tuple(dict.fromkeys(platform for platform in named if platform.os != "unknown"))


def _manifest(
    source: Source, descriptor: Descriptor, platform: Platform | None, limits: Limits
) -> tuple[Manifest, Platform | None]:
    """The manifest for `platform`, and the platform under which an index lists it."""
    document = _document(source, descriptor, limits)
    if isinstance(document, Manifest):
        return document, descriptor.platform
    if platform is None:
        raise broken("BI-30", f"{descriptor.digest} is an index, and no platform of it is chosen, expected a manifest")
    try:
        chosen = document.select(platform)
    except NotFound as error:
        hint = "build it with another input: `bpfimg build -t REF linux/ARCH=OBJ.o ...`"
        raise broken("BI-30", str(error), hint=hint) from error
    child = _document(source, chosen, limits)
    if isinstance(child, Index):
        raise broken("BI-30", f"the entry for {platform} is an index again ({chosen.digest}), expected a manifest")
    return child, chosen.platform


def _document(source: Source, descriptor: Descriptor, limits: Limits) -> Manifest | Index:
    raw = fetch_within(source, descriptor, limits.manifest, "manifest")
    try:
        return parse_document(raw, descriptor.media_type)
    except ImageError as error:
        raise broken("BI-61", str(error), hint=error.hint) from error


def _only_layer(manifest: Manifest) -> Descriptor:
    """The one layer of a manifest that is an ordinary image's."""
    if len(manifest.layers) != 1:
        hint = "an engine makes one layer of `FROM scratch` and one COPY" if manifest.layers else ""
        raise broken("BI-2", f"the image has {len(manifest.layers)} layers, expected exactly 1", hint=hint)
    _media.check_layer(manifest.layers[0].media_type)
    return manifest.layers[0]


def _diff_id(config: Mapping[str, object]) -> str:
    rootfs = config.get("rootfs")
    found = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    if isinstance(found, list) and len(found) == 1 and isinstance(found[0], str):
        try:
            if Digest.parse(found[0]).algorithm == "sha256":
                return found[0]
        except UsageError:
            pass
    raise broken("BI-7", f"the image config has the diff_ids {quoted(found)}, expected one sha256 digest")
