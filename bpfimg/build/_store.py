"""Bytecode images into a place where images live: one as a manifest, several as an index."""

from __future__ import annotations

from bpfimg.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bpfimg.image import BytecodeImage
    from bpfimg.oci import Descriptor, Platform, Target

__all__ = ["store"]


def store(
    images: BytecodeImage | Sequence[BytecodeImage],
    target: Target,
    tag: str | None = None,
    *,
    annotations: Mapping[str, str] | None = None,
    empty_config: bool = False,
) -> Descriptor:
    """Pushes the images and returns the descriptor of what a reference should name.

    That is the manifest when there is one image, so that every tool shows its labels at once, and an index with one
    entry for each platform when there are several (BI-28). Blobs go before manifests and manifests before the index
    (BI-29), then `tag`, when given, is set; a failure in between leaves no tag. `annotations` are the index's;
    `empty_config` see `BytecodeImage.pack`.

    Raises UsageError for no image, for two of one platform, and for artifacts among ordinary images.
    """
    from bpfimg.image import BytecodeImage

    several = (images,) if isinstance(images, BytecodeImage) else tuple(images)
    _check_platforms(several)
    pushed = [(image.platform, _push(image, target, empty_config)) for image in sorted(several, key=_order)]
    kind = several[0].artifact_type
    top = pushed[0][1] if len(pushed) == 1 else _push_index(pushed, target, annotations or {}, kind)
    if tag is not None:
        target.tag(top, tag)
    return top


def _check_platforms(images: Sequence[BytecodeImage]) -> None:
    if not images:
        raise UsageError("no image to store, expected at least one")
    seen: set[str] = set()
    for image in images:
        platform = str(image.platform)
        if platform in seen:
            raise UsageError(f"two inputs are for {platform}, expected one for each platform (BI-28)")
        seen.add(platform)
    if len({image.variant for image in images}) > 1:
        raise UsageError("some inputs are images and some are artifacts, expected one variant for all (BI-54)")


def _order(image: BytecodeImage) -> tuple[str, str, str]:
    return image.platform.os, image.platform.architecture, image.platform.variant


def _push(image: BytecodeImage, target: Target, empty_config: bool) -> Descriptor:
    packed = image.pack(empty_config=empty_config)
    for descriptor, content in packed.blobs:
        if not target.exists(descriptor):
            target.push(descriptor, content)
    target.push(packed.manifest.descriptor, packed.manifest.raw)
    return packed.manifest.descriptor


def _push_index(
    pushed: Sequence[tuple[Platform, Descriptor]],
    target: Target,
    annotations: Mapping[str, str],
    artifact_type: str | None,
) -> Descriptor:
    from bpfimg._value import replace
    from bpfimg.oci import Index

    entries = [replace(each, platform=platform, artifact_type=artifact_type) for platform, each in pushed]
    index = Index.build(entries, annotations=dict(sorted(annotations.items())), artifact_type=artifact_type)
    target.push(index.descriptor, index.raw)
    return index.descriptor
