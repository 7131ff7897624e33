"""What the writer makes of an artifact, against section 12 of the spec: one test for each rule, named by it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from bpfimg import build
from bpfimg._value import replace
from bpfimg.errors import ImageError, UsageError
from bpfimg.oci import Digest, Memory, Platform
from tests.support.objects import example
from tests.support.strangers import AMD64, OBJECT, SPEC, repository

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.image import BytecodeImage

OURS = "application/vnd.bpfimg.bytecode."


def artifact(data: bytes = OBJECT, **options: Any) -> BytecodeImage:
    given = {"file_name": "xdp_pass.bpf.o", "platform": AMD64, "variant": "artifact", **options}
    return build.image(data, **given)


def manifest(made: BytecodeImage, **options: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(made.pack(**options).manifest.raw)
    return found


def test_bi_48_the_manifest_is_an_artifacts() -> None:
    made = manifest(artifact(labels={"b": "label"}, annotations={"a": "annotation"}))
    assert list(made) == ["schemaVersion", "mediaType", "artifactType", "config", "layers", "annotations"]
    assert made["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
    assert made["artifactType"] == OURS + "v1"
    assert made["annotations"] == {
        "a": "annotation", "b": "label", "io.ebpf.maps": "{}", "io.ebpf.programs": '{"pass":"xdp"}',
    }  # fmt: skip
    for name in ("io.ebpf.programs", "io.ebpf.anything", "dev.bpfimg.programs"):
        with pytest.raises(UsageError, match="BI-20"):
            artifact(annotations={name: "{}"}).pack()


def test_bi_49_the_object_is_the_first_layer_as_it_is() -> None:
    packed = artifact().pack()
    layer = manifest(artifact())["layers"][0]
    assert layer == {
        "mediaType": OURS + "object.v1",
        "digest": str(Digest.of(OBJECT)),
        "size": len(OBJECT),
        "annotations": {"org.opencontainers.image.title": "xdp_pass.bpf.o"},
    }
    assert dict(packed.blobs)[packed.manifest.layers[0]] == OBJECT
    with pytest.raises(UsageError, match="BI-14"):
        artifact(file_name="a b.o")


def test_bi_50_the_document() -> None:
    made = artifact(example("xdp_counter"), platform=Platform("linux", "arm", "v7"), toolchain={"compiler": "x"})
    packed = made.pack()
    descriptor, raw = packed.blobs[0]
    assert descriptor.media_type == OURS + "config.v1+json"
    assert descriptor == packed.manifest.config
    found = json.loads(raw)
    head = re.search(r"`schemaVersion` \(the number 1\), (`created`.*?) \(", rule(50), re.DOTALL)
    assert head
    words = ["schemaVersion", *(word for word in re.findall(r"`(\w+)`", head[1]))]
    assert list(found)[: len(words)] == words == ["schemaVersion", "created", "architecture", "os", "variant", "object"]
    assert list(found)[len(words) :] == sorted(list(found)[len(words) :])
    assert list(found["object"]) == ["name", "digest", "size", "byte_order"]
    assert found["schemaVersion"] == 1
    assert "config" not in found
    assert "byte-order" not in found
    assert raw == json.dumps(found, separators=(",", ":")).encode()
    for name, part in found.items():
        if name in ("programs", "maps", "globals", "requires", "btf", "toolchain"):
            label = made.description.to_labels()[f"dev.bpfimg.{name}"]
            assert json.loads(label) == part
            assert json.dumps(part, separators=(",", ":")) == label
    assert {"programs", "maps", "globals", "license", "btf", "toolchain"} <= set(found)


def rule(number: int) -> str:
    found = re.search(rf"^\* \*\*BI-{number}\*\* .*?(?=^$|^\* )", SPEC.read_text(), re.MULTILINE | re.DOTALL)
    assert found
    return found[0]


def test_bi_51_the_document_as_the_last_layer() -> None:
    made = manifest(artifact(), empty_config=True)
    plain = manifest(artifact())
    assert made["config"] == {
        "mediaType": "application/vnd.oci.empty.v1+json",
        "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
        "size": 2,
    }
    assert made["layers"] == [*plain["layers"], plain["config"]]
    assert {**made, "config": 0, "layers": 0} == {**plain, "config": 0, "layers": 0}
    contents = {str(descriptor.digest): content for descriptor, content in artifact().pack(empty_config=True).blobs}
    assert contents[made["config"]["digest"]] == b"{}"
    assert len(contents) == 3


def test_bi_54_an_index_of_artifacts() -> None:
    memory = Memory(repository())
    both = [artifact(), artifact(platform=Platform("linux", "arm64"))]
    index = json.loads(memory.fetch(build.store(both, memory)))
    assert list(index) == ["schemaVersion", "mediaType", "artifactType", "manifests"]
    assert index["artifactType"] == OURS + "v1"
    for entry, name in zip(index["manifests"], ("amd64", "arm64"), strict=True):
        assert list(entry) == ["mediaType", "digest", "size", "platform", "artifactType"]
        assert entry["platform"] == {"architecture": name, "os": "linux"}
        assert entry["artifactType"] == OURS + "v1"
    with pytest.raises(UsageError, match="BI-54"):
        build.store([both[0], replace(both[1], variant="image")], memory)
    ordinary = json.loads(memory.fetch(build.store([replace(each, variant="image") for each in both], memory)))
    assert "artifactType" not in json.dumps(ordinary)


def test_bi_27_no_artifact_beyond_the_limits() -> None:
    with pytest.raises(ImageError, match="BI-27"):
        replace(artifact(), bytecode=OBJECT + bytes(64 << 20)).pack()
