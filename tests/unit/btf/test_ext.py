"""Functions, source lines and CO-RE relocations beside the BTF of an object."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from bpfimg.btf import Btf, Ext, Limits, read_ext
from bpfimg.bytecode import dissect
from bpfimg.errors import BytecodeError
from tests.support.objects import PRELUDE, compile_source

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = """
struct task_struct { int pid; struct { int inner; } deep[4]; } __attribute__((preserve_access_index));
SEC("kprobe") int first(struct task_struct *t)
{
    return t->pid;
}
SEC("kprobe") int second(struct task_struct *t) { return t->deep[2].inner; }
"""
LIMITS = Limits()


def sections(target: str) -> tuple[bytes, Btf, str]:
    found = dissect(compile_source(SOURCE, target=target))
    assert found.types is not None
    return found.elf.content(".BTF.ext"), found.types, found.elf.byte_order


@pytest.mark.parametrize("target", ["bpfel", "bpfeb"])
def test_three_tables(target: str, tmp_path: Path) -> None:
    source = tmp_path / "three.c"  # text from standard input has no lines for clang to copy
    source.write_text(PRELUDE + SOURCE)
    found = dissect(compile_source(source, target=target))
    assert found.types is not None
    data, types, byte_order = found.elf.content(".BTF.ext"), found.types, found.elf.byte_order
    ext = read_ext(data, byte_order, types, LIMITS)
    assert list(ext.functions) == ["kprobe"]
    assert [types.name(type_id) for _, type_id in ext.functions["kprobe"]] == ["first", "second"]
    assert ext.functions["kprobe"][0][0] == 0
    relocations = ext.core["kprobe"]
    assert [(types.name(r.type_id), r.access, r.kind) for r in relocations] == [
        ("task_struct", "0:0", 0),
        ("task_struct", "0:1:2:0", 0),
    ]
    assert ext.core_offsets("kprobe") == tuple(r.offset for r in relocations)
    texts = [line.text.strip() for line in ext.lines["kprobe"]]
    assert "return t->pid;" in texts
    line = next(line for line in ext.lines["kprobe"] if line.text.strip() == "return t->pid;")
    assert line.line > 0
    assert line.column > 0
    assert ext.count() == (2, len(texts), 2)
    for number, known in enumerate(ext.lines["kprobe"]):
        following = ext.lines["kprobe"][number + 1 :]
        if not following or following[0].offset > known.offset:
            assert ext.line_at("kprobe", known.offset) == known
            assert ext.line_at("kprobe", following[0].offset - 8 if following else 1 << 20) == known
    assert ext.files() == {str(source)}


def test_a_section_without_lines_has_no_line() -> None:
    data, types, byte_order = sections("bpf")
    assert read_ext(data, byte_order, types, LIMITS).line_at("xdp", 0) is None


def test_a_section_that_is_not_there_has_nothing() -> None:
    data, types, byte_order = sections("bpfel")
    assert read_ext(data, byte_order, types, LIMITS).core_offsets("xdp") == ()


def test_records_of_a_newer_compiler_may_be_longer() -> None:
    """Eight more bytes in each record of the functions' table, which is the first."""
    data, types, byte_order = sections("bpfel")
    header, functions, size = struct.unpack_from("<I", data, 4)[0], *struct.unpack_from("<II", data, 8)
    old = data[header + functions : header + functions + size]
    name, number = struct.unpack_from("<II", old, 4)
    records = b"".join(old[12 + 8 * n : 20 + 8 * n] + b"\xff" * 8 for n in range(number))
    table = struct.pack("<III", 16, name, number) + records
    changed = struct.pack("<HBBIIIIIII", 0xEB9F, 1, 0, 32, 0, len(table), len(table), 0, len(table), 0) + table
    ext = read_ext(changed, byte_order, types, LIMITS)
    assert [types.name(type_id) for _, type_id in ext.functions["kprobe"]] == ["first", "second"]
    assert ext.count() == (2, 0, 0)


@pytest.mark.parametrize(
    ("at", "value", "words"),
    [
        (0, 0x1234, "begins with 0x1234"),
        (4, 0xFFFF, "header of section .BTF.ext"),
        (12, 0xFFFFFF, "function records in section .BTF.ext are said to end"),
        (20, 0xFFFFFF, "line records in section .BTF.ext are said to end"),
        (28, 0xFFFFFF, "CO-RE relocations in section .BTF.ext are said to end"),
    ],
)
def test_headers_that_lie(at: int, value: int, words: str) -> None:
    data, types, byte_order = sections("bpfel")
    changed = bytearray(data)
    struct.pack_into("<H" if at == 0 else "<I", changed, at, value)
    with pytest.raises(BytecodeError, match=words):
        read_ext(bytes(changed), byte_order, types, LIMITS)


def test_a_section_named_twice_and_strings_that_are_not_there() -> None:
    _, types, byte_order = sections("bpfel")

    def ext(table: bytes) -> Ext:
        header = struct.pack("<HBBIIIIIII", 0xEB9F, 1, 0, 32, 0, len(table), len(table), 0, len(table), 0)
        return read_ext(header + table, byte_order, types, LIMITS)

    with pytest.raises(BytecodeError, match="twice"):
        ext(struct.pack("<IIIII", 8, 0, 0, 0, 0))
    with pytest.raises(BytecodeError, match="no string at byte"):
        ext(struct.pack("<III", 8, 0xFFFFFFF, 0))
    with pytest.raises(BytecodeError, match="cut off"):
        ext(struct.pack("<III", 8, 0, 1 << 30))


def test_more_than_the_limit() -> None:
    data, types, byte_order = sections("bpfel")
    with pytest.raises(BytecodeError, match="expected at most 10"):
        read_ext(data, byte_order, types, Limits(ext_bytes=10))
