"""What is moved by `make bench`: small images, two hundred of them, and some with a layer of 256 MiB."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from bpfimg import build
from bpfimg.oci import Descriptor, Digest, Layout, Manifest, Reference, Registry, Repository, copy, places
from tests.support.objects import example

NAME = Repository.parse("bench.test/xdp_counter")
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_LARGE = 256 << 20


@dataclass(frozen=True, slots=True)
class Made:
    """A layout that holds one image, `bench.test/xdp_counter:v1`, and the file of its layer."""

    layout: Path
    layer: Path


def make(folder: Path, kind: str, number: int) -> Made:
    """An image, "small" or "large", whose bytes no other `number` has, below `folder`."""
    layout = folder / f"{kind}{number}"
    place = Layout(str(layout), NAME, short_names=False)
    if kind == "large":
        return Made(layout, _large(layout, place))
    image = build.image(example("xdp_counter"), file_name=f"xdp_counter{number}.bpf.o")
    manifest = Manifest.parse(place.fetch(build.store([image], place, "v1")))
    return Made(layout, _blob(layout, manifest.layers[0].digest))


def push(made: Made, host: str, path: str) -> str:
    """Pushes the image to the registry at `host`; returns its name there."""
    found = Reference.parse(f"{host}/{path}:v1")
    with Registry(found.repository, places.RegistryOptions()) as place:
        copy(Layout(str(made.layout), NAME), "v1", place, "v1", referrers=False)
    return str(found)


def many(host: str, count: int) -> list[str]:
    """That many small images in the registry, each another one in a repository of its own; their names."""
    names = []
    data = example("xdp_counter")
    for number in range(count):
        found = Reference.parse(f"{host}/bench/many{number}:v1")
        image = build.image(data, file_name=f"xdp_counter{number}.bpf.o")
        with Registry(found.repository, places.RegistryOptions()) as place:
            build.store([image], place, "v1")
        names.append(str(found))
    return names


def _large(layout: Path, place: Layout) -> Path:
    """Writes an image with one large layer: a file of noise in a tar, packed as gzip packs what does not shrink."""
    config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}).encode()
    stated = Descriptor.of(config, _CONFIG)
    place.push(stated, config)
    draft = layout / "ingest" / "draft"
    packer, digest = zlib.compressobj(0, zlib.DEFLATED, 31), hashlib.sha256()
    entry = tarfile.TarInfo("noise")
    entry.size = _LARGE
    with draft.open("wb") as file:
        for piece in (entry.tobuf(), *(b"" for _ in range(_LARGE >> 20)), bytes(2 * tarfile.BLOCKSIZE)):
            packed = packer.compress(piece or os.urandom(1 << 20))
            digest.update(packed)
            file.write(packed)
        packed = packer.flush()
        digest.update(packed)
        file.write(packed)
    layer = Descriptor(_LAYER, Digest.parse(f"sha256:{digest.hexdigest()}"), draft.stat().st_size)
    path = _blob(layout, layer.digest)
    draft.rename(path)
    made = Manifest.build(config=stated, layers=[layer])
    place.push(made.descriptor, made.raw, tag="v1")
    return path


def _blob(layout: Path, digest: Digest) -> Path:
    return layout / "blobs" / digest.algorithm / digest.hex
