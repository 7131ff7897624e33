"""A registry in which an input lies, as it is."""

from __future__ import annotations

import json

from bpfimg.errors import NotFound
from bpfimg.oci import Descriptor, Digest
from bpfimg.sign._formats import _attached, _bundle, _simplesigning
from tests.fuzz.trust import world

_CONFIG = "application/vnd.oci.image.config.v1+json"
_EMPTY = "application/vnd.oci.empty.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class Shelf:
    """A registry that holds what it was given, whether that makes sense or not."""

    at_once = 1

    def __init__(self) -> None:
        self._content: dict[Digest, bytes] = {}
        self._tags: dict[str, Descriptor] = {}
        self._referrers: list[Descriptor] = []
        self.repository = world.REFERENCE.repository

    def put(self, data: bytes, media_type: str) -> Descriptor:
        found = Descriptor.of(data, media_type)
        self._content[found.digest] = data
        return found

    def layered(self, data: bytes, media_type: str, annotations: bytes, tag: str) -> None:
        """A blob as the one layer under a tag; the annotations stand in the manifest as they are."""
        layer, config = self.put(data, media_type), self.put(b"{}", _CONFIG)
        manifest = b'{"schemaVersion":2,"mediaType":"%b","config":%b,"layers":[%b,"annotations":%b}]}' % (
            _MANIFEST.encode(),
            json.dumps(config.to_dict()).encode(),
            json.dumps(layer.to_dict()).encode()[:-1],
            annotations,
        )
        self._tags[tag] = self.put(manifest, _MANIFEST)

    def referring(self, data: bytes) -> None:
        """A bundle as a referrer of the image."""
        layer, config = self.put(data, _bundle.MEDIA_TYPE), self.put(b"{}", _EMPTY)
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "artifactType": _bundle.MEDIA_TYPE,
            "config": config.to_dict(),
            "layers": [layer.to_dict()],
            "subject": world.IMAGE.descriptor.to_dict(),
        }
        self._referrers.append(self.put(json.dumps(manifest).encode(), _MANIFEST))

    def resolve(self, selector: str | Digest) -> Descriptor:
        found = self._tags.get(str(selector))
        if found is None:
            raise NotFound("there is no such tag")
        return found

    def fetch(self, descriptor: Descriptor, *, limit: int = 1 << 30) -> bytes:
        if descriptor.digest not in self._content:
            raise NotFound("there is no such blob")
        return self._content[descriptor.digest]

    def referrers(self, digest: Digest) -> tuple[Descriptor, ...]:
        return tuple(self._referrers) if digest == world.IMAGE.descriptor.digest else ()


def holding(kind: str, parts: list[bytes]) -> Shelf:
    """A registry with one signature or attestation."""
    shelf = Shelf()
    tag = world.DIGEST.replace(":", "-")
    if kind == "bundle":
        shelf.referring(parts[0])
    elif kind == "sig":
        shelf.layered(parts[0], _simplesigning.MEDIA_TYPE, parts[1], f"{tag}.sig")
    else:
        shelf.layered(parts[0], _attached.MEDIA_TYPE, parts[1], f"{tag}.att")
    return shelf
