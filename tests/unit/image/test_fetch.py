"""From a descriptor to a `BytecodeImage`, or to a sentence with a rule number."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from bpfimg._value import replace
from bpfimg.errors import BytecodeError, DigestMismatch, ImageError, NotFound
from bpfimg.image import BytecodeImage, Labels, Limits
from bpfimg.oci import Layout, Platform, copy
from tests.support.strangers import AMD64, BIG_ENDIAN, HOST_ELF, LABELS, OBJECT, SMALL, Stranger, repository
from tests.support.tars import archive, entry, gzipped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

DOCKER = {
    "media_type": "application/vnd.docker.distribution.manifest.v2+json",
    "config_type": "application/vnd.docker.container.image.v1+json",
    "layer_type": "application/vnd.docker.image.rootfs.diff.tar.gzip",
}
TAR = archive(entry("xdp_pass.bpf.o", OBJECT))


def refused(stranger: Stranger, rule: str, sentence: str, **options: Any) -> ImageError:
    with pytest.raises(ImageError, match=sentence) as caught:
        stranger.fetch(**options)
    assert caught.value.rules == (rule,)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600
    return caught.value


def test_an_image_is_read_with_all_that_it_says() -> None:
    stranger = Stranger(
        labels={**LABELS, "org.opencontainers.image.licenses": "GPL-2.0"},
        config={"architecture": "arm64", "variant": "v8", "history": [{"empty_layer": True}]},
        manifest={"annotations": {"org.opencontainers.image.source": "https://example.org"}},
    )
    assert stranger.fetch() == BytecodeImage(
        bytecode=OBJECT,
        labels=Labels({"pass": "xdp"}, {}),
        platform=Platform("linux", "arm64", "v8"),
        file_name="xdp_pass.bpf.o",
        created="2024-02-03T04:05:06Z",
        extra_labels={"org.opencontainers.image.licenses": "GPL-2.0"},
        annotations={"org.opencontainers.image.source": "https://example.org"},
        descriptor=stranger.descriptor,
    )


def test_a_lone_image_is_read_whichever_machine_it_is_for() -> None:
    for config, data in (({"architecture": "arm64"}, OBJECT), ({"architecture": "s390x"}, BIG_ENDIAN)):
        stranger = Stranger(archive(entry("prog.o", data)), config=config)
        found = BytecodeImage.fetch(stranger.memory, stranger.descriptor, None)
        assert (found.bytecode, found.platform.architecture) == (data, config["architecture"])
        assert BytecodeImage.platforms(stranger.memory, stranger.descriptor) == ()


def test_the_platforms_of_an_index_are_those_that_it_names() -> None:
    stranger = Stranger()
    named = [replace(stranger.descriptor, platform=Platform("linux", word)) for word in ("s390x", "amd64", "s390x")]
    attestation = replace(stranger.descriptor, platform=Platform("unknown", "unknown"))
    index = stranger.listed(*named, attestation, stranger.descriptor)
    assert BytecodeImage.platforms(stranger.memory, index) == (Platform("linux", "s390x"), Platform("linux", "amd64"))
    with pytest.raises(ImageError, match="no platform of it is chosen") as caught:
        BytecodeImage.fetch(stranger.memory, index, None)
    assert caught.value.rules == ("BI-30",)


@pytest.mark.parametrize(
    "options",
    [
        DOCKER,
        {"layer_type": "application/vnd.oci.image.layer.v1.tar", "layer": TAR},
        {"layer_type": "application/vnd.docker.image.rootfs.diff.tar", "layer": TAR},
        {"layer": gzipped(TAR[:700]) + gzipped(TAR[700:])},
        {"manifest": {"mediaType": None}},
        {"config": {"created": "2024-02-03T04:05:06.123456789+02:00", "future": {"field": [1]}}},
    ],
)
def test_older_and_other_shapes_are_read(options: dict[str, Any]) -> None:
    assert Stranger(**options).fetch().bytecode == OBJECT


@pytest.mark.parametrize("created", [None, "", "yesterday", 7, "2024-02-03", "2024-02-03T04:05:06Z\n"])
def test_a_time_that_is_none_is_left_out(created: object) -> None:
    assert Stranger(config={"created": created}).fetch().created == ""


@pytest.mark.parametrize("layers", [0, 2, 3])
def test_one_layer(layers: int) -> None:
    refused(Stranger(layers=layers), "BI-2", f"has {layers} layers, expected exactly 1")


@pytest.mark.parametrize(
    ("kind", "artifact", "word"),
    [
        ("application/vnd.wasm.config.v1+json", None, "WebAssembly"),
        ("application/vnd.oci.empty.v1+json", "application/vnd.example.thing", "an artifact that is no image"),
        ("application/vnd.oci.empty.v1+json", "application/vnd.dev.sigstore.bundle.v0.3+json", "Sigstore"),
        ("application/vnd.example.thing", None, "'application/vnd.example.thing'"),
    ],
)
def test_what_is_no_image_is_named(kind: str, artifact: str | None, word: str) -> None:
    more = {"artifactType": artifact} if artifact else {}
    refused(Stranger(config_type=kind, manifest=more), "BI-3", word)


def test_layer_types() -> None:
    refused(Stranger(layer_type="application/vnd.oci.image.layer.v1.tar+lz4"), "BI-4", "lz4")
    refused(Stranger(layer_type="application/octet-stream"), "BI-4", "octet-stream")
    refused(Stranger(layer_type="application/vnd.oci.image.layer.v1.tar"), "BI-8", "unpacks to")
    refused(Stranger(layer=TAR), "BI-10", "is not gzip")


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"os": None}, "platform"),
        ({"os": ""}, "platform"),
        ({"architecture": 7}, "platform"),
        ({"architecture": "a" * 65}, "platform"),
        ({"architecture": "\x1b[2J"}, "platform"),
        ({"rootfs": None}, "diff_ids"),
        ({"rootfs": {}}, "diff_ids"),
        ({"rootfs": {"diff_ids": []}}, "diff_ids"),
        ({"rootfs": {"diff_ids": ["sha256:" + "0" * 64] * 2}}, "diff_ids"),
        ({"rootfs": {"diff_ids": ["sha256:" + "0" * 64 + "\n"]}}, "diff_ids"),
        ({"rootfs": {"diff_ids": ["../../etc"]}}, "diff_ids"),
        ({"rootfs": {"diff_ids": [None]}}, "diff_ids"),
    ],
)
def test_configs_that_lack_what_is_needed(config: dict[str, Any], sentence: str) -> None:
    refused(Stranger(config=config), "BI-7", sentence)


def test_the_layer_must_be_the_one_that_the_config_means() -> None:
    refused(Stranger(config={"rootfs": {"diff_ids": ["sha256:" + "0" * 64]}}), "BI-8", "diff_ids say")


@pytest.mark.parametrize(
    ("tar", "name"),
    [
        (archive(entry("LICENSE", b"GPL"), entry("a.o", OBJECT)), "a.o"),
        (archive(entry("no-suffix", OBJECT)), "no-suffix"),
        (archive(entry("loader", HOST_ELF), entry("deep/er/a.o", OBJECT)), "a.o"),
        (archive(entry("text.o", b"text"), entry("a.o", OBJECT)), "a.o"),
    ],
)
def test_the_object_is_found_by_what_it_is(tar: bytes, name: str) -> None:
    image = Stranger(tar).fetch()
    assert (image.bytecode, image.file_name) == (OBJECT, name)


def test_several_objects_are_an_error_that_lists_them() -> None:
    two = Stranger(archive(entry("b.o", OBJECT), entry("x/a.o", OBJECT + b"\0")))
    refused(two, "BI-15", r"2 eBPF objects \('b.o', 'x/a.o'\)")
    assert two.fetch(object_name="b.o").bytecode == OBJECT
    assert two.fetch(object_name="x/a.o").bytecode == OBJECT + b"\0"
    refused(two, "BI-15", "an object named 'c.o'", object_name="c.o")
    refused(Stranger(archive(*(entry(f"{n}.o", OBJECT) for n in range(9)))), "BI-15", "and 4 more")


@pytest.mark.parametrize(
    ("tar", "sentence"),
    [
        (archive(), "holds no files"),
        (archive(entry("x/", kind=b"5")), "holds no files"),
        (archive(entry("a.o", b"")), "holds 'a.o', expected an eBPF object"),
        (archive(entry("README", b"hello"), entry("a.o", b"\x7fEL")), "holds 'README', 'a.o'"),
        (archive(entry("sh", HOST_ELF), entry("ls", HOST_ELF)), "holds 'sh', 'ls'"),
    ],
)
def test_a_layer_without_an_object(tar: bytes, sentence: str) -> None:
    refused(Stranger(tar), "BI-15", sentence)


@pytest.mark.parametrize(
    "broken", [HOST_ELF, OBJECT[:40], OBJECT[:16] + b"\2" + OBJECT[17:], OBJECT[:4] + b"\1" + OBJECT[5:]]
)
def test_an_object_that_is_none(broken: bytes) -> None:
    with pytest.raises(BytecodeError):
        Stranger(archive(entry("a.o", broken))).fetch()


def test_byte_order_is_that_of_the_machine() -> None:
    refused(Stranger(), "BI-25", "little-endian, linux/s390x is big-endian", platform=Platform("linux", "s390x"))
    big = Stranger(archive(entry("a.o", BIG_ENDIAN)), config={"architecture": "s390x"})
    assert big.fetch(Platform("linux", "s390x")).bytecode == BIG_ENDIAN
    refused(big, "BI-25", "big-endian, linux/amd64 is little-endian")
    lie = Stranger(archive(entry("a.o", BIG_ENDIAN)))
    refused(lie, "BI-25", "linux/amd64 is little-endian", platform=Platform("linux", "s390x"))
    refused(Stranger(config={"architecture": "bpfel"}), "BI-24", "linux/bpfel")
    refused(Stranger(config={"os": "windows"}), "BI-24", "windows/amd64")


class TestIndexes:
    def test_the_child_for_the_platform_is_read(self) -> None:
        stranger = Stranger()
        unknown = replace(stranger.descriptor, platform=Platform("unknown", "unknown"))
        mine = replace(stranger.descriptor, platform=AMD64)
        image = BytecodeImage.fetch(stranger.memory, stranger.listed(unknown, mine), AMD64)
        assert image.descriptor == stranger.descriptor

    def test_no_child_for_the_platform(self) -> None:
        stranger = Stranger()
        mine = replace(stranger.descriptor, platform=AMD64)
        with pytest.raises(ImageError, match="no image for linux/arm64, only for") as caught:
            BytecodeImage.fetch(stranger.memory, stranger.listed(mine), Platform("linux", "arm64"))
        assert caught.value.rules == ("BI-30",)

    def test_a_child_that_is_for_something_else(self) -> None:
        stranger = Stranger()
        lie = replace(stranger.descriptor, platform=Platform("linux", "arm64"))
        with pytest.raises(ImageError, match="calls this image linux/arm64, its config says linux/amd64") as caught:
            BytecodeImage.fetch(stranger.memory, stranger.listed(lie), Platform("linux", "arm64"))
        assert caught.value.rules == ("BI-30",)

    def test_an_index_in_an_index(self) -> None:
        stranger = Stranger()
        inner = stranger.listed(replace(stranger.descriptor, platform=AMD64))
        outer = stranger.listed(replace(inner, platform=AMD64))
        with pytest.raises(ImageError, match="is an index again") as caught:
            BytecodeImage.fetch(stranger.memory, outer, AMD64)
        assert caught.value.rules == ("BI-30",)


def test_bounds() -> None:
    assert Stranger().fetch(limits=SMALL).bytecode == OBJECT
    refused(Stranger(manifest={"annotations": {"a": "a" * 4096}}), "BI-27", "the manifest has", limits=SMALL)
    refused(Stranger(config={"a": "a" * 4096}), "BI-27", "the image config has", limits=SMALL)
    refused(Stranger(labels={"io.ebpf.programs": "{" + " " * 256 + "}"}), "BI-27", "label", limits=SMALL)
    refused(Stranger(archive(entry("a.o", OBJECT + bytes(3000)))), "BI-27", "object 'a.o' has", limits=SMALL)
    refused(Stranger(archive(entry("a", bytes(16384)), entry("a.o", OBJECT))), "BI-27", "over 16384", limits=SMALL)


def test_a_layer_without_compression_is_bounded_as_what_it_is() -> None:
    tar = archive(entry("a", bytes(16384)), entry("a.o", OBJECT))
    plain = Stranger(tar, layer=tar, layer_type="application/vnd.oci.image.layer.v1.tar")
    assert plain.fetch(limits=Limits(unpacked=len(tar))).bytecode == OBJECT
    refused(plain, "BI-27", f"the layer has {len(tar)} bytes", limits=Limits(unpacked=len(tar) - 1))


def test_what_is_not_there_or_was_altered_is_said_by_the_source() -> None:
    stranger = Stranger()
    wrong = replace(stranger.descriptor, size=stranger.descriptor.size + 1)
    with pytest.raises(DigestMismatch):
        BytecodeImage.fetch(stranger.memory, wrong, AMD64)
    with pytest.raises(NotFound):
        BytecodeImage.fetch(Stranger(labels={}).memory, stranger.descriptor, AMD64)


def test_a_cached_run_needs_no_heavy_modules(tmp_path: Path) -> None:
    """Start-up: reading an image from the store, in a fresh process, brings in nothing that `list` must not have."""
    layout = Layout(str(tmp_path), repository())
    stranger = Stranger()
    copy(stranger.memory, stranger.descriptor.digest, layout, "v1")
    program = f"""
import argparse, ctypes, dataclasses, json, sys
before = set(sys.modules)
from bpfimg.image import BytecodeImage
from bpfimg.oci import Layout, Platform, Repository
layout = Layout({str(tmp_path)!r}, Repository("registry.example", "bytecode/xdp_pass"))
image = BytecodeImage.fetch(layout, layout.resolve("v1"), Platform("linux", "amd64"))
assert image.labels.programs == {{"pass": "xdp"}}
print(*sorted(sys.modules.keys() - before))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    loaded = set(done.stdout.split())
    assert "bpfimg.image._fetch" in loaded
    standard = {"typing", "enum", "pathlib", "logging", "subprocess", "tempfile", "datetime", "inspect", "urllib"}
    heavy = {"tarfile", "gzip", "elftools", "urllib3", "cryptography", "bpfimg.bytecode._parse", "bpfimg.image._pack"}
    heavy |= {f"bpfimg.image.{name}" for name in ("_artifact", "_check", "_compare", "_describe", "_document")}
    assert (standard | heavy) & loaded == set()
