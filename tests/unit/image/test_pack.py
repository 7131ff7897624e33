"""Packing: bytes that depend on the value and on nothing else, and what comes back is what went in."""

from __future__ import annotations

import gzip
import json

import pytest

from bpfimg._value import replace
from bpfimg.errors import BytecodeError, ImageError, UsageError
from bpfimg.image import BytecodeImage, Labels, Packed, check_file_name, rfc3339
from bpfimg.image._layer import gzip_stored, tar_of
from bpfimg.image._pack import seconds
from bpfimg.oci import Memory, Platform
from tests.support.strangers import AMD64, BIG_ENDIAN, OBJECT, repository

IMAGE = BytecodeImage(OBJECT, Labels({"pass": "xdp"}, {}), AMD64, "xdp_pass.bpf.o")


def stored(packed: Packed) -> Memory:
    memory = Memory(repository())
    for descriptor, content in (*packed.blobs, (packed.manifest.descriptor, packed.manifest.raw)):
        memory.push(descriptor, content)
    return memory


@pytest.mark.parametrize(
    "image",
    [
        IMAGE,
        replace(IMAGE, platform=Platform("linux", "arm", "v7"), created="2024-02-29T23:59:59Z"),
        replace(
            IMAGE,
            labels=Labels({}, {"m": "hash"}),
            extra_labels={"org.opencontainers.image.title": "größer"},
            annotations={"b": "\x7f", "a": "ü"},
        ),
        BytecodeImage(BIG_ENDIAN, Labels(), Platform("linux", "s390x"), "a.o"),
    ],
)
def test_what_was_packed_is_fetched(image: BytecodeImage) -> None:
    packed = image.pack()
    descriptor = packed.manifest.descriptor
    fetched = BytecodeImage.fetch(stored(packed), descriptor, image.platform)
    assert fetched == replace(image, descriptor=descriptor)
    assert fetched.pack().manifest.descriptor == descriptor


def test_the_order_in_which_things_are_given_does_not_matter() -> None:
    one = replace(
        IMAGE,
        labels=Labels({"a": "xdp", "b": "tc"}),
        extra_labels={"x": "1", "y": "2"},
        annotations={"p": "1", "q": "2"},
    )
    other = replace(
        IMAGE,
        labels=Labels({"b": "tc", "a": "xdp"}),
        extra_labels={"y": "2", "x": "1"},
        annotations={"q": "2", "p": "1"},
    )
    assert one.pack() == other.pack()


@pytest.mark.parametrize("size", [0, 1, 511, 512, 0xFFFF, 0x10000, 200_001])
def test_stored_blocks_are_gzip(size: int) -> None:
    content = bytes(range(256)) * (size // 256 + 1)
    assert gzip.decompress(gzip_stored(content[:size])) == content[:size]


def test_a_label_of_ours_cannot_be_given() -> None:
    for name in ("io.ebpf.programs", "io.ebpf.maps", "io.ebpf.program_type"):
        with pytest.raises(UsageError, match="BI-20"):
            replace(IMAGE, extra_labels={name: "{}"}).pack()


def test_an_image_is_valid_from_birth() -> None:
    with pytest.raises(ImageError, match="big-endian, linux/amd64 is little-endian"):
        replace(IMAGE, bytecode=BIG_ENDIAN)
    with pytest.raises(ImageError, match="BI-24"):
        replace(IMAGE, platform=Platform("linux", "bpf"))
    with pytest.raises(BytecodeError, match="not an ELF file"):
        replace(IMAGE, bytecode=b"text")


@pytest.mark.parametrize("name", ["a.o", "xdp_pass.bpf.o", "0-.o", "A" * 96 + ".o", "..o".replace(".", "_", 1)])
def test_file_names_that_are_taken(name: str) -> None:
    assert check_file_name(name) == name
    assert len(tar_of(name, b"", modified=0)) == 1536


@pytest.mark.parametrize(
    "name", ["", ".o", "..o", "-a.o", "a", "a.c", "a b.o", "x/a.o", "a.o\n", "ä.o", "A" * 97 + ".o", "a\0.o", "a.O"]
)
def test_file_names_that_are_not(name: str) -> None:
    with pytest.raises(UsageError, match="BI-14"):
        check_file_name(name)
    with pytest.raises(UsageError, match="BI-14"):
        replace(IMAGE, file_name=name).pack()


def test_times() -> None:
    assert rfc3339(0) == "1970-01-01T00:00:00Z"
    assert rfc3339(1_709_251_199) == "2024-02-29T23:59:59Z"
    assert seconds(rfc3339(1_709_251_199)) == 1_709_251_199
    assert seconds("2024-02-29T23:59:59.9+01:00") == 1_709_251_199 - 3600
    for wrong in (10**18, -(10**18)):
        with pytest.raises(UsageError, match="out of range"):
            rfc3339(wrong)
    with pytest.raises(UsageError, match="not a time"):
        replace(IMAGE, created="").pack()
    with pytest.raises(UsageError, match="tar header"):
        replace(IMAGE, created=rfc3339(-1)).pack()


def test_what_no_reader_would_take_is_not_written() -> None:
    many = Labels({f"program_{n:07}": "xdp" for n in range(12_000)})
    with pytest.raises(ImageError, match="programs would have") as caught:
        replace(IMAGE, labels=many).pack()
    assert caught.value.rules == ("BI-27",)
    with pytest.raises(ImageError, match="the layer would have"):
        replace(IMAGE, bytecode=OBJECT + bytes(64 << 20)).pack()
    with pytest.raises(ImageError, match="the image config would have"):
        replace(IMAGE, extra_labels={"a": "a" * (4 << 20)}).pack()


def test_the_config_names_nobody() -> None:
    config = json.loads(IMAGE.pack().blobs[0][1])
    assert config["history"] == [{"created": "1970-01-01T00:00:00Z", "created_by": "bpfimg build"}]
    assert set(config) == {"created", "architecture", "os", "config", "rootfs", "history"}
