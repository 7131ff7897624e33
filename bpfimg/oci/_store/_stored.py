"""What the local store says of its images in a list: size, platforms and age, without opening them.

They are written beside the name when it is given. They are for people to read: whatever is run is opened and hashed.
"""

from __future__ import annotations

import re
import time

from bpfimg._value import value
from bpfimg.errors import DigestMismatch, ImageError, NotFound
from bpfimg.oci._about import is_cosign_tag
from bpfimg.oci._json import parse_object
from bpfimg.oci._limits import DEFAULT
from bpfimg.oci._model import Index, parse_document
from bpfimg.oci._store._entries import NAME, REPOSITORY, SINCE, SUBJECT, annotations_of, described

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from bpfimg.oci._descriptor import Descriptor
    from bpfimg.oci._digest import Digest
    from bpfimg.oci._limits import Limits
    from bpfimg.oci._model import Manifest
    from bpfimg.oci._target import Source

SIZE, PLATFORMS = "dev.bpfimg.size", "dev.bpfimg.platforms"
_PLATFORM = re.compile(r"[\w.-]+/[\w./-]+", re.ASCII)
_CONFIG_LIMIT = 1 << 16  # bytes of a config that is opened for a list


if TYPE_CHECKING:
    from typing import Protocol

    class Listed(Source, Protocol):
        """A layout, or an archive of one."""

        def entries(self) -> Iterable[object]: ...


@value(frozen=True, slots=True)
class Stored:
    """An image in a layout: `name` is a reference or what another tool called it, REPOSITORY@DIGEST without a tag.

    `size` is the bytes of all its content that is there, `platforms` those of which the manifest is there, `since` when
    the name was given to this digest (RFC 3339). None, and "", where nobody wrote that down.
    """

    name: str
    descriptor: Descriptor
    size: int | None = None
    platforms: tuple[str, ...] | None = None
    since: str = ""


def listing(path: str, limits: Limits = DEFAULT) -> list[Stored]:
    """Returns the images of the layout at `path` by name; nothing but its index is read."""
    from bpfimg.oci._store._layout import load

    return sorted(stored(load(path, limits)), key=lambda each: each.name)


def names(place: Listed) -> tuple[list[str], list[Descriptor]]:
    """Returns what the images at `place` are called, as `listing` has it and each once, and those without a name.

    SBOMs under cosign's tags are among them: unlike its signatures, no copy of an image brings them.
    """
    entries = list(place.entries())
    found = dict.fromkeys(each.name for each in stored(entries))
    tagged = (str(annotations_of(entry).get(NAME)) for entry in entries)
    found |= dict.fromkeys(name for name in tagged if name.endswith(".sbom") and is_cosign_tag(name))
    return list(found), [each for each in _nameless(entries) if _is_image(place, each)]


def stored(entries: Iterable[object]) -> Iterator[Stored]:
    """Yields the images among the entries; signatures and attestations under cosign's tags are none."""
    for entry in entries:
        annotations = annotations_of(entry)
        name = annotations.get(NAME)
        kept = annotations.get(REPOSITORY) if name is None and SUBJECT not in annotations else None
        if not isinstance(name if kept is None else kept, str) or is_cosign_tag(str(name)):
            continue
        try:
            found = described(entry, str(name))
        except ImageError:
            continue
        yield _read(str(name) if kept is None else f"{kept}@{found.digest}", found, annotations)


def _nameless(entries: Iterable[object]) -> Iterator[Descriptor]:
    for entry in entries:
        if annotations_of(entry).keys().isdisjoint((NAME, SUBJECT, REPOSITORY)):
            try:
                yield described(entry, "without a name")
            except ImageError:
                continue


def _is_image(source: Source, descriptor: Descriptor) -> bool:
    """Says whether that can be an image: other tools keep what is about images without a name as well."""
    return not any(document.subject for _, document in _opened(source, (descriptor,), DEFAULT))


def _read(name: str, descriptor: Descriptor, annotations: Mapping[str, object]) -> Stored:
    size, platforms, since = annotations.get(SIZE), annotations.get(PLATFORMS), annotations.get(SINCE)
    return Stored(
        name,
        descriptor,
        int(size) if isinstance(size, str) and size.isascii() and size.isdecimal() and len(size) < 20 else None,
        tuple(filter(None, platforms.split(","))) if isinstance(platforms, str) else None,
        since if isinstance(since, str) else "",
    )


def noted(source: Source, document: Manifest | Index, limits: Limits = DEFAULT) -> dict[str, str]:
    """Returns the annotations that say of an image what `Stored` shows."""
    size, platforms = _measured(source, ((document.descriptor, document),), limits)
    return {
        SINCE: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        SIZE: str(size),
        PLATFORMS: ",".join(platforms),
    }


def measure(source: Source, descriptor: Descriptor, limits: Limits = DEFAULT) -> tuple[int, tuple[str, ...]]:
    """Returns how many bytes of an image are there, and its platforms that are."""
    return _measured(source, _opened(source, (descriptor,), limits), limits)


def parts_there(source: Source, document: Manifest | Index, limits: Limits = DEFAULT) -> tuple[Descriptor, ...]:
    """Returns what has to be there with an image; of an index its images that are there, with all that is theirs, and
    one image at least."""
    found = {part.digest: part for part in document.parts}
    level: list[Manifest | Index] = [document]
    for _ in range(limits.nesting):
        children = [child for each in level if isinstance(each, Index) for child in each.manifests]
        opened = list(_opened(source, children[: limits.index_entries], limits))
        found.update((child.digest, child) for child in [child for child, _ in opened] or children[:1])
        level = [document for _, document in opened]
        found.update((part.digest, part) for each in level for part in each.parts)
    return tuple(found.values())


def _measured(
    source: Source, documents: Iterable[tuple[Descriptor, Manifest | Index]], limits: Limits
) -> tuple[int, tuple[str, ...]]:
    sizes: dict[Digest, int] = {}
    platforms: dict[str, None] = {}
    level = list(documents)
    for _ in range(limits.nesting + 1):
        children: list[Descriptor] = []
        for descriptor, document in level:
            sizes[descriptor.digest] = descriptor.size
            if isinstance(document, Index):
                children += document.manifests
                continue
            sizes.update((part.digest, part.size) for part in document.parts)
            platform = str(descriptor.platform or _platform(source, document))
            if _PLATFORM.fullmatch(platform) and not platform.startswith("unknown/"):
                platforms[platform] = None
        level = list(_opened(source, children[: limits.index_entries], limits))  # indexes of indexes grow fast
    return sum(sizes.values()), tuple(platforms)


def _opened(
    source: Source, descriptors: Iterable[Descriptor], limits: Limits
) -> Iterator[tuple[Descriptor, Manifest | Index]]:
    known: dict[Digest, Manifest | Index] = {}  # an index may name one manifest of 4 MiB for hundreds of platforms
    for each in descriptors:
        try:
            if each.digest not in known:
                known[each.digest] = parse_document(source.fetch(each), each.media_type, limits)
            yield each, known[each.digest]
        except (NotFound, DigestMismatch, ImageError):
            continue  # an index that was pulled for one platform is not whole


def _platform(source: Source, manifest: Manifest) -> str:
    """The platform in the config, "" when it names none."""
    if manifest.config.size > _CONFIG_LIMIT:
        return ""
    try:
        config = parse_object(source.fetch(manifest.config), "config")
    except (NotFound, DigestMismatch, ImageError):
        return ""
    return "/".join(str(config[key]) for key in ("os", "architecture", "variant") if config.get(key))
