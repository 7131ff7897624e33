"""Images of any shape in memory, for readers to take or to refuse; and one small object that needs no compiler."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from bpfimg.image import BytecodeImage, Limits
from bpfimg.oci import Descriptor, Digest, Index, Memory, Platform, Repository
from tests.support.tars import archive, entry, gzipped

SPEC = Path(__file__).parents[2] / "spec" / "bytecode-image.md"
AMD64 = Platform("linux", "amd64")
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"


def _object_of_the_spec() -> bytes:
    text = SPEC.read_text().split("```base64\n", 1)[1].split("```", 1)[0]
    return base64.b64decode(text)


#: the object of the spec's worked example: one XDP program called `pass`, no maps, no BTF, little-endian
OBJECT = _object_of_the_spec()
#: an ELF file that is no eBPF object
HOST_ELF = OBJECT[:18] + (62).to_bytes(2, "little") + OBJECT[20:]
#: its header is that of a big-endian object; nothing behind the header is
BIG_ENDIAN = OBJECT[:5] + b"\2" + OBJECT[6:16] + (1).to_bytes(2, "big") + (247).to_bytes(2, "big") + OBJECT[20:]

LABELS = {"io.ebpf.programs": '{"pass":"xdp"}', "io.ebpf.maps": "{}"}


def repository() -> Repository:
    return Repository("registry.example", "bytecode/xdp_pass")


class Stranger:
    """An image put together by hand in a `Memory`; what is not given is as it should be."""

    def __init__(
        self,
        tar: bytes | None = None,
        *,
        layer: bytes | None = None,
        layers: int = 1,
        labels: Any = None,
        config: dict[str, Any] | None = None,
        raw_config: bytes | None = None,
        config_type: str = CONFIG_TYPE,
        layer_type: str = LAYER_TYPE,
        manifest: dict[str, Any] | None = None,
        media_type: str = MANIFEST_TYPE,
    ) -> None:
        self.memory = Memory(repository())
        unpacked = archive(entry("xdp_pass.bpf.o", OBJECT)) if tar is None else tar
        packed = gzipped(unpacked) if layer is None else layer
        raw = self.config(unpacked, labels, config) if raw_config is None else raw_config
        parts = {
            "schemaVersion": 2,
            "mediaType": media_type,
            "config": self._push(raw, config_type),
            "layers": [self._push(packed, layer_type)] * layers,
        }
        parts.update(manifest or {})
        content = json.dumps(parts).encode()
        self.descriptor = Descriptor(media_type, Digest.of(content), len(content))
        self.memory.push(self.descriptor, content)

    @staticmethod
    def config(tar: bytes = b"", labels: Any = None, changed: dict[str, Any] | None = None) -> bytes:
        document: dict[str, Any] = {
            "created": "2024-02-03T04:05:06Z",
            "architecture": "amd64",
            "os": "linux",
            "config": {"Labels": LABELS if labels is None else labels},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(tar).hexdigest()}"]},
        }
        return json.dumps(document | (changed or {})).encode()

    def _push(self, content: bytes, media_type: str) -> dict[str, object]:
        descriptor = Descriptor(media_type, Digest.of(content), len(content))
        self.memory.push(descriptor, content)
        return descriptor.to_dict()

    def fetch(self, platform: Platform = AMD64, **options: Any) -> BytecodeImage:
        return BytecodeImage.fetch(self.memory, self.descriptor, platform, **options)

    def listed(self, *entries: Descriptor) -> Descriptor:
        """An index of these entries, in the same memory."""
        index = Index.build(entries)
        self.memory.push(index.descriptor, index.raw)
        return index.descriptor


#: for tests of the bounds that should not take megabytes
SMALL = Limits(
    manifest=4096, config=4096, label_value=256, layer=4096, unpacked=16384, members=4, tar_members=8, object=2048
)
