"""Archives of images as docker, podman and others write them, made byte by byte: every part can be a lie."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from tests.support.tars import archive, entry, gzipped

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'


def packed(files: Mapping[str, bytes | tuple[bytes, str]]) -> bytes:
    """A tar archive with these files; a tuple is a link: its kind and where it leads."""
    entries = [
        entry(name, kind=content[0], link=content[1].encode()) if isinstance(content, tuple) else entry(name, content)
        for name, content in files.items()
    ]
    return archive(*entries)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def layer(word: str = "one") -> bytes:
    """The tar archive of a layer with one file."""
    return archive(entry("xdp.bpf.o", word.encode()))


def config(*layers: bytes, architecture: str = "amd64") -> bytes:
    """The config of an image with these layers, unpacked."""
    diff_ids = [f"sha256:{sha256(one)}" for one in layers]
    return json.dumps(
        {"architecture": architecture, "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": diff_ids}}
    ).encode()


def saved(*names: str, word: str = "one", form: str = "docker") -> dict[str, bytes | tuple[bytes, str]]:
    """The files of an image as `docker save` ("docker": 20.10), podman or crane write them, under these names."""
    one = layer(word)
    image = config(one)
    if form == "crane":
        files: dict[str, bytes | tuple[bytes, str]] = {
            (path := f"{sha256(gzipped(one))}.tar.gz"): gzipped(one),
            (settings := f"sha256:{sha256(image)}"): image,
        }
    elif form == "podman":
        files = {
            (path := f"{sha256(one)}.tar"): one,
            (settings := f"{sha256(image)}.json"): image,
            f"{'a' * 64}/layer.tar": (b"2", f"../{path}"),
        }
    else:
        legacy = sha256(word.encode())
        files = {
            f"{legacy}/VERSION": b"1.0",
            f"{legacy}/json": b"{}",
            (path := f"{legacy}/layer.tar"): one,
            (settings := f"{sha256(image)}.json"): image,
            "repositories": b"{}",
        }
    return files | {"manifest.json": listed([{"Config": settings, "RepoTags": list(names) or None, "Layers": [path]}])}


def listed(images: list[dict[str, Any]]) -> bytes:
    """`manifest.json`."""
    return json.dumps(images).encode()


def write(path: Path, files: Mapping[str, bytes | tuple[bytes, str]]) -> str:
    """Puts an archive with these files at `path` and returns that as text."""
    path.write_bytes(packed(files))
    return str(path)
