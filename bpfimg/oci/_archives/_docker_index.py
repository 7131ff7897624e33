"""`manifest.json` as we write it into an archive, beside the image layout: what engines load by it."""

from __future__ import annotations

from contextlib import suppress

from bpfimg.errors import ImageError, NotFound
from bpfimg.oci import _media
from bpfimg.oci._archives._docker_archive import full_name
from bpfimg.oci._json import canonical
from bpfimg.oci._model import Index, Manifest, parse_document
from bpfimg.oci._store._naming import blob_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bpfimg.oci._descriptor import Descriptor, Platform
    from bpfimg.oci._digest import Digest

    Read = Callable[[Digest], bytes | None]
    """The content of a document; None for what is not there, or too large to be one."""

_CONFIGS = (_media.OCI_CONFIG, _media.DOCKER_CONFIG)
_LAYERS = (_media.OCI_LAYER, _media.DOCKER_LAYER)
_NESTING = 2


def docker_index(named: Iterable[tuple[str, Descriptor]], read: Read, platform: Platform) -> tuple[bytes, list[str]]:
    """Returns `manifest.json` for images and their names, and the names of those that no engine can load.

    Only full references are names there; an image with another one, or none, stands there without. Of an index its
    image for `platform` does, the first one it holds where it has none for that: such a list has one image to a name.
    """
    found: dict[Digest, tuple[Manifest, list[str]]] = {}
    vain: set[tuple[Digest, int]] = set()
    left: list[str] = []
    for name, descriptor in named:
        manifest = _loadable(descriptor, read, platform, vain)
        names = [name] if full_name(name) == name else []
        if manifest is None:
            left += names
        else:
            found.setdefault(manifest.descriptor.digest, (manifest, []))[1].extend(names)
    items = [(sorted(names), str(digest), manifest) for digest, (manifest, names) in found.items()]
    return canonical([_item(names, manifest) for names, _, manifest in sorted(items, key=lambda item: item[:2])]), left


def _item(names: list[str], manifest: Manifest) -> dict[str, object]:
    return {
        "Config": blob_name(manifest.config.digest),
        "RepoTags": names or None,
        "Layers": [blob_name(layer.digest) for layer in manifest.layers],
    }


def _loadable(
    descriptor: Descriptor, read: Read, platform: Platform, vain: set[tuple[Digest, int]], nesting: int = _NESTING
) -> Manifest | None:
    """The image that engines are to have; `vain` are documents that lead to none, which indexes may repeat at will."""
    key = descriptor.digest, nesting
    if key in vain:
        return None
    vain.add(key)
    raw = read(descriptor.digest)
    try:
        document = parse_document(raw or b"", descriptor.media_type)
    except ImageError:
        return None
    if isinstance(document, Manifest):
        image = document if is_image(document) else None
    elif not nesting:
        return None
    else:
        images = (_loadable(child, read, platform, vain, nesting - 1) for child in _preferred(document, platform))
        image = next((image for image in images if image), None)
    if image:
        vain.discard(key)
    return image


def _preferred(index: Index, platform: Platform) -> Iterable[Descriptor]:
    with suppress(NotFound):
        yield index.select(platform)
    yield from index.manifests


def is_image(manifest: Manifest) -> bool:
    """Says whether engines can load it."""
    types = [layer.media_type.partition("+")[0] for layer in manifest.layers]
    return manifest.config.media_type in _CONFIGS and all(kind.startswith(_LAYERS) for kind in types)
