"""Which artifacts the reader takes and refuses by sections 12 and 13 of the spec: a test for each rule, named by it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bpfimg import build
from bpfimg._value import replace
from bpfimg.errors import BytecodeError, ImageError, UsageError
from bpfimg.image import BytecodeImage, Labels, Limits
from bpfimg.oci import Digest, Manifest, Platform
from tests.support.artifacts import EMPTY_TYPE, NEUTRAL, OURS, TITLE, Artifact, Layer, bee, gadget, ours
from tests.support.strangers import AMD64, BIG_ENDIAN, LABELS, OBJECT, Stranger

S390X = Platform("linux", "s390x")


def refuses(rule: str, artifact: Artifact | Stranger, **options: Any) -> ImageError:
    with pytest.raises(ImageError) as caught:
        artifact.fetch(**options)
    assert caught.value.rules == (rule,), caught.value
    return caught.value


def takes(artifact: Artifact, **options: Any) -> BytecodeImage:
    image = artifact.fetch(**options)
    assert image.bytecode == OBJECT
    return image


def test_bi_51_one_document_in_one_of_two_places() -> None:
    assert takes(ours(empty=True)).file_name == takes(ours()).file_name == "xdp_pass.bpf.o"
    document: Layer = (OURS + "config.v1+json", b"{}", {})
    refuses("BI-51", ours(more=(document,)))
    refuses("BI-51", ours(more=(document,), empty=True))
    layers: list[Layer] = [(OURS + "object.v1", OBJECT, {})]
    refuses("BI-51", Artifact(layers, config=(EMPTY_TYPE, b"{}"), artifact_type=OURS + "v1"))
    refuses("BI-51", Artifact([document, *layers], config=(EMPTY_TYPE, b"{}"), artifact_type=OURS + "v1"))


def test_bi_51_an_empty_config_is_empty() -> None:
    layers: list[Layer] = [(OURS + "object.v1", OBJECT, {}), (OURS + "config.v1+json", _document(), {})]
    takes(Artifact(layers, config=(EMPTY_TYPE, b"{}"), artifact_type=OURS + "v1"))
    for other in (b"{ }", b'{"config":{"Labels":{"io.ebpf.programs":"{\\"evil\\":\\"xdp\\"}"}}}'):
        refuses("BI-51", Artifact(layers, config=(EMPTY_TYPE, other), artifact_type=OURS + "v1"))


def test_bi_52_both_columns_are_the_same() -> None:
    assert takes(ours(NEUTRAL)) == replace(takes(ours()), descriptor=ours(NEUTRAL).descriptor)
    assert takes(ours(NEUTRAL, empty=True)).variant == "artifact"


def test_bi_52_artifact_type_then_config_then_layers() -> None:
    takes(ours(artifact_type=None))
    takes(ours(artifact_type=None, empty=True))
    takes(ours(artifact_type="application/vnd.example.unknown"))
    # the artifact type is first: what calls itself an artifact is never read as an ordinary image
    refuses("BI-52", Stranger(manifest={"artifactType": OURS + "v1"}))
    refuses("BI-55", Stranger(manifest={"artifactType": "application/vnd.gadget.v1+binary"}))
    refuses("BI-3", ours(artifact_type="application/vnd.cncf.helm.chart.v1"))
    # then the config: an ordinary image stays one, whatever its layer is called
    refuses("BI-4", Stranger(layer_type=OURS + "object.v1", layer=OBJECT))


def test_bi_52_layers_are_chosen_by_type() -> None:
    btf: Layer = ("application/vnd.bpfimg.btf.v1.tar+gzip", b"b", {})
    unknown: Layer = ("application/x-future", b"\x7fELF", {})
    takes(ours(more=(btf, unknown)))
    first = Artifact(
        [unknown, btf, (OURS + "object.v1", OBJECT, {}), (OURS + "config.v1+json", _document(), {})],
        config=(EMPTY_TYPE, b"{}"),
        artifact_type=OURS + "v1",
    )
    takes(first)
    for prefix in (OURS, NEUTRAL):
        refuses("BI-52", ours(more=((prefix + "object.v1", OBJECT, {}),)))


def _document() -> bytes:
    artifact = ours()
    return artifact.memory.fetch(Manifest.parse(artifact.memory.fetch(artifact.descriptor)).config)


def _object(**changed: Any) -> dict[str, Any]:
    """The member `object`, with something else in it."""
    return {"object": {"name": "a.o", "digest": _digest(OBJECT), "size": len(OBJECT), **changed}}


def _digest(content: bytes) -> str:
    return str(Digest.of(content))


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"{", b"\xff", b'{"schemaVersion":1,"schemaVersion":1}', b'{"a":NaN}', b'{"a":1e999}']
)
def test_bi_53_strict_json(raw: bytes) -> None:
    refuses("BI-53", ours(raw=raw))


@pytest.mark.parametrize(
    "changed",
    [
        {"schemaVersion": None}, {"schemaVersion": 0}, {"schemaVersion": 2}, {"schemaVersion": "1"}, {"os": ""},
        {"schemaVersion": True}, {"object": None}, {"object": []}, {"object": {"name": "a.o"}}, {"architecture": 7},
        {"object": {"name": "../a.o", "digest": "sha256:" + "0" * 64}}, {"object": {"name": "a.o", "digest": "x"}},
        {"object": {"name": "a\n.o", "digest": "sha256:" + "0" * 64}}, {"os": None}, {"architecture": "\x1b[2J"},
        {"object": {"name": "a.o", "digest": "sha256:" + "0" * 64}}, _object(name=".."), _object(name="."),
        _object(name=""), _object(name="a/b.o"), _object(name="\u202eo.a"), _object(name="a" * 256), _object(name=7),
        _object(size=len(OBJECT) + 1), _object(size=str(len(OBJECT))), _object(size=True), _object(size=None),
    ],
)  # fmt: skip
def test_bi_53_what_the_document_needs(changed: dict[str, Any]) -> None:
    refuses("BI-53", ours(**changed))


def test_bi_53_what_is_unknown_is_ignored_and_a_later_version_named() -> None:
    takes(ours(**_object()))
    takes(ours(future={"fields": ["are", "ignored"]}))
    assert "schemaVersion '2', expected 1" in str(refuses("BI-53", ours(schemaVersion=2)))


def test_bi_55_gadgets() -> None:
    image = takes(gadget())
    assert (image.variant, image.platform, image.labels) == ("gadget", AMD64, Labels(generation="none"))
    assert image.check() == ()
    takes(gadget(config=False))
    takes(gadget(typed=False))
    takes(gadget(config=False, typed=False))
    takes(gadget(wasm=1))
    one = gadget()
    top = one.listed(replace(one.descriptor, platform=Platform("linux", "arm64")))
    found = BytecodeImage.fetch(one.memory, top, Platform("linux", "arm64"))
    assert found.platform == Platform("linux", "arm64")
    assert "WebAssembly" in refuses("BI-55", gadget(ebpf=0, wasm=1)).hint
    refuses("BI-55", gadget(ebpf=0))
    refuses("BI-55", gadget(ebpf=2))
    with pytest.raises(UsageError, match="read here, never written"):
        image.pack()


def test_bi_55_the_platform_of_a_gadget_is_that_of_the_entry() -> None:
    one = gadget()
    older = Platform("linux", "arm", "v6")
    top = one.listed(replace(one.descriptor, platform=older))
    assert BytecodeImage.fetch(one.memory, top, Platform("linux", "arm", "v7")).platform == older


def test_bi_55_bi_56_a_title_that_is_no_file_name_names_nothing() -> None:
    kind = "application/vnd.gadget."
    for title in ("..", "../..", "a/.", "\x1b[2J", ""):
        layers: list[Layer] = [(kind + "ebpf.program.v1+binary", OBJECT, {TITLE: title})]
        found = takes(Artifact(layers, config=(kind + "config.v1+yaml", b"x"), artifact_type=None))
        assert found.file_name == "program.o"


def test_bi_56_bees() -> None:
    image = takes(bee())
    assert (image.variant, image.file_name, image.platform) == ("bee", "program.o", AMD64)
    assert takes(bee(), platform=Platform("linux", "riscv64")).platform == Platform("linux", "riscv64")
    own = bee()
    words = replace(own.descriptor, platform=Platform("Linux", "x86_64"))
    assert BytecodeImage.fetch(own.memory, words, AMD64).platform == AMD64
    refuses("BI-56", bee(programs=0))
    refuses("BI-56", bee(programs=2))
    refuses("BI-25", bee(), platform=S390X)


def test_bi_03_what_is_none_of_them_is_refused_by_name() -> None:
    wasm: list[Layer] = [("application/vnd.wasm.content.layer.v1+wasm", b"\0asm", {})]
    eunomia = Artifact(wasm, config=("application/vnd.wasm.config.v1+json", b"{}"), artifact_type=None)
    assert "WebAssembly module, as eunomia-bpf" in str(refuses("BI-3", eunomia))
    later = ours("application/vnd.bpfimg.bytecode2.")
    assert "newer than this program" in str(refuses("BI-3", later))
    for kind, words in (
        ("application/vnd.dev.sigstore.bundle.v0.3+json", "a Sigstore bundle"),
        ("application/vnd.cyclonedx+json", "a bill of materials"),
        ("application/spdx+json", "a bill of materials"),
        ("application/vnd.in-toto+json", "an attestation"),
    ):
        artifact = Artifact([(kind, b"{}", {TITLE: "x"})], config=(EMPTY_TYPE, b"{}"), artifact_type=kind)
        assert words in str(refuses("BI-3", artifact))


def test_bi_16_bi_24_bi_25_bi_30_hold_for_artifacts() -> None:
    with pytest.raises(BytecodeError):
        ours(data=b"text", object={"name": "a.o", "digest": _digest(b"text")}).fetch()
    big = ours(data=BIG_ENDIAN, object={"name": "a.o", "digest": _digest(BIG_ENDIAN)}, architecture="s390x")
    assert big.fetch(S390X).bytecode == BIG_ENDIAN
    refuses("BI-25", big)
    refuses("BI-25", ours(), platform=S390X)
    refuses("BI-24", ours(architecture="bpfel"))
    lie = ours()
    top = lie.listed(replace(lie.descriptor, platform=Platform("linux", "arm64")))
    with pytest.raises(ImageError, match="BI-30"):
        BytecodeImage.fetch(lie.memory, top, Platform("linux", "arm64"))


def test_bi_15_bi_21_bi_27_hold_for_artifacts() -> None:
    refuses("BI-15", ours(), object_name="other.o")
    takes(ours(), object_name="xdp_pass.bpf.o")
    refuses("BI-21", ours(annotations={**LABELS, "io.ebpf.maps": "[]"}))
    assert takes(ours(annotations={})).labels.generation == "incomplete"
    refuses("BI-27", ours(), limits=Limits(object=len(OBJECT) - 1))
    refuses("BI-27", ours(padding="a" * 4096), limits=Limits(config=4096))


@pytest.mark.parametrize("empty", [False, True])
def test_what_was_written_is_read_as_it_was(empty: bool) -> None:
    made = build.image(OBJECT, file_name="a.o", platform=AMD64, annotations={"a": "b"}, variant="artifact")
    packed = made.pack(empty_config=empty)
    artifact = ours()
    for descriptor, content in packed.blobs:
        artifact.memory.push(descriptor, content)
    artifact.memory.push(packed.manifest.descriptor, packed.manifest.raw)
    found = BytecodeImage.fetch(artifact.memory, packed.manifest.descriptor, AMD64)
    assert found == replace(made, descriptor=packed.manifest.descriptor)
    assert found.pack(empty_config=empty).manifest.raw == packed.manifest.raw
    assert found.check() == ()
    ordinary = replace(found, variant="image")
    assert json_labels(ordinary)["dev.bpfimg.schema"] == "1"
    assert json_labels(ordinary) == {**json_labels(replace(made, variant="image"))}


def json_labels(image: BytecodeImage) -> dict[str, str]:
    labels: dict[str, str] = json.loads(image.pack().blobs[0][1])["config"]["Labels"]
    return labels
