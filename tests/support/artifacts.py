"""Artifacts of any shape in memory: of this spec, of Inspektor Gadget, of bumblebee, and damaged ones."""

from __future__ import annotations

import json
from typing import Any

from bpfimg.image import BytecodeImage
from bpfimg.oci import Descriptor, Digest, Index, Memory, Platform
from tests.support.strangers import AMD64, LABELS, MANIFEST_TYPE, OBJECT, repository

OURS = "application/vnd.bpfimg.bytecode."
NEUTRAL = "application/vnd.ebpf.bytecode."
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
TITLE = "org.opencontainers.image.title"

Layer = tuple[str, bytes, dict[str, str]]


def document(**changed: Any) -> dict[str, Any]:
    """A config document for the object of the spec."""
    made: dict[str, Any] = {
        "schemaVersion": 1,
        "architecture": "amd64",
        "os": "linux",
        "object": {"name": "xdp_pass.bpf.o", "digest": str(Digest.of(OBJECT)), "byte_order": "little"},
    }
    return {name: part for name, part in {**made, **changed}.items() if part is not None}


class Artifact:
    """A manifest put together by hand in a `Memory`."""

    def __init__(
        self,
        layers: list[Layer],
        *,
        config: tuple[str, bytes],
        artifact_type: str | None,
        annotations: dict[str, str] | None = None,
        media_type: bool = True,
    ) -> None:
        self.memory = Memory(repository())
        parts: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "artifactType": artifact_type,
            "config": self._push(*config, {}),
            "layers": [self._push(*layer) for layer in layers],
            "annotations": annotations,
        }
        if not media_type:
            del parts["mediaType"]
        content = json.dumps({name: part for name, part in parts.items() if part is not None}).encode()
        self.descriptor = Descriptor(MANIFEST_TYPE, Digest.of(content), len(content))
        self.memory.push(self.descriptor, content)

    def _push(self, media_type: str, content: bytes, annotations: dict[str, str]) -> dict[str, object]:
        descriptor = Descriptor(media_type, Digest.of(content), len(content), annotations)
        self.memory.push(descriptor, content)
        return descriptor.to_dict()

    def fetch(self, platform: Platform = AMD64, **options: Any) -> BytecodeImage:
        return BytecodeImage.fetch(self.memory, self.descriptor, platform, **options)

    def listed(self, *entries: Descriptor, artifact_type: str | None = None) -> Descriptor:
        """An index of these entries, in the same memory."""
        index = Index.build(entries, artifact_type=artifact_type)
        self.memory.push(index.descriptor, index.raw)
        return index.descriptor


def ours(
    prefix: str = OURS,
    *,
    raw: bytes | None = None,
    data: bytes = OBJECT,
    more: tuple[Layer, ...] = (),
    artifact_type: str | None = "",
    empty: bool = False,
    annotations: dict[str, str] | None = None,
    **changed: Any,
) -> Artifact:
    """An artifact of the spec, as it should be where nothing else is said; `changed` are members of its document."""
    content = json.dumps(document(**changed)).encode() if raw is None else raw
    stated = (f"{prefix}config.v1+json", content)
    layers: list[Layer] = [(f"{prefix}object.v1", data, {TITLE: "xdp_pass.bpf.o"}), *more]
    if empty:
        layers.append((*stated, {}))
    return Artifact(
        layers,
        config=(EMPTY_TYPE, b"{}") if empty else stated,
        artifact_type=f"{prefix}v1" if artifact_type == "" else artifact_type,
        annotations=LABELS if annotations is None else annotations,
    )


def gadget(data: bytes = OBJECT, *, ebpf: int = 1, wasm: int = 0, config: bool = True, typed: bool = True) -> Artifact:
    """As Inspektor Gadget's `ig image build` makes them."""
    kind = "application/vnd.gadget."
    stated = (f"{kind}config.v1+yaml", b"name: trace_open\n") if config else (EMPTY_TYPE, b"{}")
    layers: list[Layer] = [(f"{kind}wasm.program.v1+binary", b"\0asm", {})] * wasm
    layers += [(f"{kind}ebpf.program.v1+binary", data, {})] * ebpf
    return Artifact(
        layers,
        config=stated,
        artifact_type=f"{kind}v1+binary" if typed else None,
        annotations={"org.opencontainers.image.title": "trace open"},
        media_type=False,
    )


def bee(data: bytes = OBJECT, *, programs: int = 1) -> Artifact:
    """As bumblebee's `bee build` makes them."""
    kind = "application/ebpf.oci.image."
    return Artifact(
        [(f"{kind}program.v1+binary", data, {TITLE: "program.o"})] * programs,
        config=(f"{kind}config.v1+json", b"{}"),
        artifact_type=None,
    )
