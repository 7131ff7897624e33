"""From a descriptor to a `BytecodeImage`: index, manifest, config, layer, object, each checked before the next."""

from __future__ import annotations

from bpfimg.errors import NotFound, UsageError, quoted
from bpfimg.image import _media
from bpfimg.image._image import BytecodeImage, check_byte_order
from bpfimg.image._json import read_object
from bpfimg.image._labels import LABEL_MAPS, LABEL_PROGRAMS, Labels, config_labels
from bpfimg.image._limits import broken
from bpfimg.image._unpack import object_in
from bpfimg.oci import Digest, Index, Manifest, Platform, parse_document

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpfimg.image._limits import Limits
    from bpfimg.oci import Descriptor, Source

__all__ = ["fetched"]

TIME = frozenset("0123456789-:.TZ+")  # of RFC 3339


def fetched(
    source: Source, descriptor: Descriptor, platform: Platform, limits: Limits, object_name: str | None
) -> BytecodeImage:
    """See `BytecodeImage.fetch`."""
    manifest, slot = _manifest(source, descriptor, platform, limits)
    layer = _check_manifest(manifest)
    raw = source.fetch(_within(manifest.config, limits.config, "image config"), limit=limits.config)
    config = read_object(raw, "the image config", "BI-7", limits)
    own = _platform(config)
    if slot is not None and (own.os, own.architecture) != (slot.os, slot.architecture):
        raise broken("BI-30", f"the index calls this image {slot}, its config says {own}")
    labels = config_labels(config)
    stated = Labels.from_labels(labels, limits=limits)
    packed = source.fetch(_within(layer, limits.layer, "layer"), limit=limits.layer)
    file_name, bytecode = object_in(
        packed, media_type=layer.media_type, diff_id=_diff_id(config), limits=limits, object_name=object_name
    )
    check_byte_order(bytecode, platform)  # the machine it is wanted for; its own platform's is checked on construction
    return BytecodeImage(
        bytecode=bytecode,
        labels=stated,
        platform=own,
        file_name=file_name,
        created=_created(config),
        extra_labels={name: text for name, text in labels.items() if name not in (LABEL_PROGRAMS, LABEL_MAPS)},
        annotations=manifest.annotations,
        descriptor=manifest.descriptor,
    )


def _manifest(
    source: Source, descriptor: Descriptor, platform: Platform, limits: Limits
) -> tuple[Manifest, Platform | None]:
    """The manifest for `platform`, and the platform under which an index lists it."""
    document = _document(source, descriptor, limits)
    if isinstance(document, Manifest):
        return document, descriptor.platform
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
    raw = source.fetch(_within(descriptor, limits.manifest, "manifest"), limit=limits.manifest)
    return parse_document(raw, descriptor.media_type)


def _within(descriptor: Descriptor, limit: int, what: str) -> Descriptor:
    if descriptor.size > limit:
        raise broken("BI-27", f"the {what} has {descriptor.size} bytes, expected at most {limit}")
    return descriptor


def _check_manifest(manifest: Manifest) -> Descriptor:
    """The one layer of a manifest that is a bytecode image's."""
    _media.check_config(manifest.config.media_type, manifest.artifact_type)
    if len(manifest.layers) != 1:
        hint = "an engine makes one layer of `FROM scratch` and one COPY" if manifest.layers else ""
        raise broken("BI-2", f"the image has {len(manifest.layers)} layers, expected exactly 1", hint=hint)
    _media.check_layer(manifest.layers[0].media_type)
    return manifest.layers[0]


def _platform(config: Mapping[str, object]) -> Platform:
    words = [config.get("os"), config.get("architecture"), config.get("variant") or ""]
    for word in words:
        if not isinstance(word, str) or len(word) > 64 or not word.isprintable():
            raise broken("BI-7", f"the image config has the platform {quoted(words)}, expected os and architecture")
    found = Platform(str(words[0]), str(words[1]), str(words[2]))
    if not found.os or not found.architecture:
        raise broken("BI-7", f"the image config has the platform {quoted(found)}, expected os and architecture")
    return found


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


def _created(config: Mapping[str, object]) -> str:
    """The time as the config has it; "" when it has none, or something that does not look like one."""
    found = config.get("created")
    if not isinstance(found, str) or not 20 <= len(found) <= 35 or found[10] != "T" or not TIME.issuperset(found):
        return ""
    return found
