from __future__ import annotations

import struct

import pytest

from bpfimg.bytecode import check_header
from bpfimg.errors import BytecodeError
from tests.support.objects import example, overwritten


@pytest.mark.parametrize(("target", "order"), [("bpfel", "little"), ("bpfeb", "big")])
def test_byte_order_of_a_compiled_object(target: str, order: str) -> None:
    assert check_header(example("xdp_pass", target=target)) == order


def test_only_the_header_is_read() -> None:
    assert check_header(example("xdp_pass", target="bpfel")[:64]) == "little"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not an ELF file: it is empty"),
        (b"\x1f\x8b\x08\x00" * 20, "not an ELF file: it begins with 1f8b0800"),
        (b"\x7fELF", "cut off after 4 bytes"),
    ],
)
def test_not_an_elf_file(data: bytes, words: str) -> None:
    with pytest.raises(BytecodeError, match=words):
        check_header(data)


@pytest.mark.parametrize(
    ("at", "new", "words"),
    [
        (4, b"\1", "class is 1, expected 2"),
        (5, b"\0", "byte order is 0"),
        (5, b"\3", "byte order is 3"),
        (16, struct.pack("<H", 2), "type is 2, expected 1"),
        (18, struct.pack("<H", 62), "machine is 62, expected 247"),
    ],
)
def test_elf_but_not_an_ebpf_object(at: int, new: bytes, words: str) -> None:
    with pytest.raises(BytecodeError, match=words):
        check_header(overwritten(example("xdp_pass", target="bpfel"), at, new))


def test_every_truncation_of_the_header_is_an_error() -> None:
    data = example("xdp_pass")
    for size in range(64):
        with pytest.raises(BytecodeError):
            check_header(data[:size])
