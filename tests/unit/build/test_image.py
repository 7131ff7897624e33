"""`build.image`: the labels of the object itself, and nothing that would not be read again."""

from __future__ import annotations

import pytest

from bpfimg import build
from bpfimg.errors import BytecodeError, ImageError, UsageError
from bpfimg.image import Labels, Limits
from bpfimg.oci import Platform
from tests.support.objects import compile_source
from tests.support.strangers import AMD64, HOST_ELF, OBJECT

SOURCE = 'SEC("tc") int cls(void *c) { return 0; } char LICENSE[] SEC("license") = "GPL";'


def test_an_image_of_an_object() -> None:
    image = build.image(OBJECT, file_name="a.o", platform=AMD64, created=60, labels={"a": "b"}, annotations={"c": "d"})
    assert image.labels == Labels({"pass": "xdp"}, {})
    assert (image.created, image.platform, image.descriptor) == ("1970-01-01T00:01:00Z", AMD64, None)
    assert (image.extra_labels, image.annotations) == ({"a": "b"}, {"c": "d"})
    assert image.check() == ()


def test_the_platform_is_this_machines_when_none_is_given() -> None:
    assert build.image(compile_source(SOURCE), file_name="a.o").platform == Platform.host()


def test_byte_order() -> None:
    big = compile_source(SOURCE, target="bpfeb")
    assert build.image(big, file_name="a.o", platform=Platform("linux", "s390x")).labels.programs == {"cls": "tc"}
    with pytest.raises(ImageError, match="the object is big-endian, linux/arm64 is little-endian"):
        build.image(big, file_name="a.o", platform=Platform("linux", "arm64"))


@pytest.mark.parametrize("data", [b"", b"int main() {}", HOST_ELF, OBJECT[:100]])
def test_what_is_no_object(data: bytes) -> None:
    with pytest.raises(BytecodeError):
        build.image(data, file_name="a.o", platform=AMD64)


def test_bounds_and_names() -> None:
    with pytest.raises(ImageError, match="expected at most 100"):
        build.image(OBJECT, file_name="a.o", platform=AMD64, limits=Limits(object=100))
    with pytest.raises(UsageError, match="BI-14"):
        build.image(OBJECT, file_name="a b.o", platform=AMD64)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("xdp_pass.bpf.c", "xdp_pass.bpf.o"),
        ("/home/somebody/src/x.o", "x.o"),
        ("./my prog (1).c", "my_prog__1_.o"),
        (".hidden.o", "_.hidden.o"),
        ("-a.o", "_-a.o"),
        ("größe.bpf.o", "gr__e.bpf.o"),
        ("noext", "noext.o"),
        ("l" * 200 + ".c", "l" * 96 + ".o"),
        ("-" + "l" * 200 + ".c", "_-" + "l" * 94 + ".o"),
    ],
)
def test_a_name_for_an_input_file(path: str, name: str) -> None:
    assert build.object_name(path) == name
