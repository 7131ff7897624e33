"""What is written beside an image and done for its user, by sections 14 and 15 of the spec: a test for each rule."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bpfimg import build, sign
from bpfimg._value import replace
from bpfimg.build._referrer import CYCLONEDX, IN_TOTO, SPDX, Document, attach
from bpfimg.oci import Index, Memory, Platform, Registry, Repository
from tests.support.fake_registry import fake_registry
from tests.support.objects import EXAMPLES, compile_source, example
from tests.support.strangers import AMD64, OBJECT, repository

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from bpfimg.image import BytecodeImage
    from bpfimg.oci import Descriptor

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
ARM64 = Platform("linux", "arm64")


def image(data: bytes = OBJECT, platform: Platform = AMD64) -> BytecodeImage:
    return build.image(data, file_name="xdp_pass.bpf.o", platform=platform)


def document(kind: str) -> Document:
    return Document(kind, "sbom.json", b"{}", "1970-01-01T00:00:00Z")


def new_key() -> sign.PrivateKey:
    private, _ = sign.signers.generate_key(b"")
    return sign.PrivateKey.load(private, b"")


def check_referrer(raw: bytes, subject: Descriptor, kind: str) -> None:
    manifest: dict[str, Any] = json.loads(raw)
    assert manifest["subject"] == {
        "mediaType": subject.media_type, "digest": str(subject.digest), "size": subject.size,
    }  # fmt: skip
    assert manifest["artifactType"] == kind
    assert manifest["config"]["mediaType"] == "application/vnd.oci.empty.v1+json"
    assert [layer["mediaType"] for layer in manifest["layers"]] == [kind]


@pytest.mark.parametrize("variant", ["image", "artifact"])
@pytest.mark.parametrize("kind", [CYCLONEDX, SPDX, IN_TOTO])
def test_bi_57_documents_are_referrers(kind: str, variant: str) -> None:
    assert kind in {"application/vnd.cyclonedx+json", "application/spdx+json", "application/vnd.in-toto+json"}
    memory = Memory(repository())
    made = build.image(OBJECT, file_name="a.o", platform=AMD64, variant=variant)
    top = build.store([made], memory, "v1")
    referrer = attach(memory, top, document(kind))
    check_referrer(memory.fetch(referrer), top, kind)
    statement = replace(document(kind), predicate="https://slsa.dev/provenance/v1")
    other = Memory(repository())
    raw = json.loads(other.fetch(attach(other, build.store([made], other), statement)))
    assert raw["annotations"]["in-toto.io/predicate-type"] == "https://slsa.dev/provenance/v1"
    assert memory.resolve("v1") == top
    assert [each.digest for each in memory.referrers(top.digest)] == [referrer.digest]


def test_bi_57_bundles_are_referrers_too() -> None:
    memory = Memory(repository())
    top = build.store([image()], memory, "v1")
    sign.image(memory, top, new_key(), formats=("bundle",))
    (referrer,) = memory.referrers(top.digest)
    check_referrer(memory.fetch(referrer), top, BUNDLE)
    assert memory.resolve("v1") == top


@pytest.mark.parametrize("knows", [True, False])
def test_bi_57_a_list_for_registries_that_keep_none(knows: bool) -> None:
    with fake_registry() as fake:
        fake.referrers_api = knows
        with Registry(Repository.parse(f"{fake.host}/bytecode/xdp_pass")) as registry:
            top = build.store([image()], registry, "v1")
            referrer = attach(registry, top, document(SPDX))
            assert [each.digest for each in registry.referrers(top.digest)] == [referrer.digest]
        tag = f"sha256-{top.digest.hex}"
        listed = fake.manifests.get(("bytecode/xdp_pass", tag))
        assert (listed is None) == knows
        if listed:
            (entry,) = Index.parse(listed[1]).manifests
            assert (entry.digest, entry.artifact_type) == (referrer.digest, SPDX)


def test_bi_59_differences_between_platforms_are_told() -> None:
    xdp, tc = example("xdp_counter"), example("tc_counter")
    assert build.compare.differences([image(xdp), image(xdp, ARM64)]) == ()
    told = [str(each) for each in build.compare.differences([image(xdp), image(tc, ARM64)])]
    assert any("xdp_count" in sentence and "linux/arm64" in sentence for sentence in told)
    probe = compile_source('SEC("kprobe/f") int p(void *c) { return 0; } char LICENSE[] SEC("license") = "GPL";')
    assert build.compare.shared([image(xdp), image(xdp, ARM64)]) == ()
    (sentence,) = build.compare.shared([image(probe), image(probe, ARM64)])
    assert "linux/amd64" in sentence
    assert "linux/arm64" in sentence


def test_bi_60_dwarf_is_taken_off(tmp_path: Path) -> None:
    data = compile_source(EXAMPLES / "xdp_counter.bpf.c", strip=False)
    (tmp_path / "xdp_counter.bpf.o").write_bytes(data)
    path = str(tmp_path / "xdp_counter.bpf.o")
    (made,) = build.images(build.Recipe(build.slots([path], asked=["linux/amd64"])))
    (kept,) = build.images(build.Recipe(build.slots([path], asked=["linux/amd64"]), strip=False))
    assert b".debug_info" in data
    assert b".debug_" not in made.image.bytecode
    assert str(tmp_path).encode() not in made.image.bytecode
    assert kept.image.bytecode == data
    assert made.image.description == kept.image.description
    assert made.stripped == len(data) - len(made.image.bytecode)
