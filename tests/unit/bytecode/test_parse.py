from __future__ import annotations

import struct
import sys

import pytest

from bpfimg.bytecode import Limits, parse
from bpfimg.errors import BytecodeError
from tests.support.objects import compile_source, example, headers, overwritten, patched, with_section

PROGRAM = 'SEC("xdp") int p(void *c) { return 2; }'
CORE = """
struct task_struct { int pid; } __attribute__((preserve_access_index));
SEC("xdp") int p(struct task_struct *task) { return task->pid; }
"""


@pytest.mark.parametrize(("target", "order"), [("bpfel", "little"), ("bpfeb", "big")])
def test_a_whole_object(target: str, order: str) -> None:
    data = example("xdp_counter", target=target)
    found = parse(data)
    assert (found.license, found.byte_order, found.size) == ("Dual BSD/GPL", order, len(data))
    assert (found.has_btf, found.has_core_relocations) == (True, False)
    assert [(p.name, p.section) for p in found.programs] == [("xdp_count", "xdp")]
    assert [m.name for m in found.maps] == ["counters", ".rodata"]
    assert [g.name for g in found.globals] == ["sample"]


@pytest.mark.parametrize("flags", [("-g", "-O2"), ("-g", "-O2", "-gz")], ids=["DWARF", "compressed DWARF"])
def test_an_object_that_was_not_stripped(flags: tuple[str, ...]) -> None:
    assert parse(compile_source(PROGRAM, flags=flags, strip=False)).has_btf


@pytest.mark.parametrize("target", ["bpfel", "bpfeb"])
def test_core_relocations(target: str) -> None:
    assert parse(compile_source(CORE, target=target)).has_core_relocations
    assert not parse(compile_source(PROGRAM, target=target)).has_core_relocations


@pytest.mark.parametrize(
    ("at", "value", "words"),
    [
        (0, 0, "begins with"),
        (4, 1 << 31, "header of section .BTF.ext is said to have 2147483648"),
        (24, 1 << 31, "CO-RE relocations in section .BTF.ext are said to end at"),
        (28, 2, "cut off"),
        (28, 9, "cut off"),
    ],
)
def test_core_relocations_that_are_not_sound(at: int, value: int, words: str) -> None:
    data = compile_source(CORE, target="bpfel")
    with pytest.raises(BytecodeError, match=words):
        parse(overwritten(data, headers(data)[".BTF.ext"].offset + at, struct.pack("<I", value)))


def test_core_relocations_with_absurd_counts() -> None:
    data = compile_source(CORE, target="bpfel")
    ext = headers(data)[".BTF.ext"].offset
    header, core = struct.unpack_from("<I", data, ext + 4)[0], struct.unpack_from("<I", data, ext + 24)[0]
    for at, value, words in ((0, 4, "4 bytes, expected at least 16"), (8, 0xFFFFFFFF, "cut off")):
        with pytest.raises(BytecodeError, match=words):
            parse(overwritten(data, ext + header + core + at, struct.pack("<I", value)))


def test_licenses() -> None:
    assert parse(compile_source(PROGRAM)).license == ""
    data = compile_source(PROGRAM + 'char L[] SEC("license") = "GPL v2\\0rest";', target="bpfel")
    assert parse(data).license == "GPL v2"
    assert parse(with_section(data, "license", b"GPL")).license == "GPL"
    assert parse(with_section(data, "license", b"x" * 1000)).license == "x" * 128
    for text in (b"GPL\x1b[2J\0", b"GPL\xff\0"):
        with pytest.raises(BytecodeError, match="section 'license' holds"):
            parse(with_section(data, "license", text))


def changed_header(data: bytes, at: int, code: str, value: int) -> bytes:
    return overwritten(data, at, struct.pack("<" + code, value))


@pytest.mark.parametrize(
    ("at", "code", "value", "words"),
    [
        (40, "Q", 0, "section headers are said to reach"),
        (40, "Q", 1 << 63, "section headers are said to reach"),
        (58, "H", 0, "section header is said to have 0 bytes"),
        (58, "H", 65, "section header is said to have 65 bytes"),
        (60, "H", 0, "has 0 sections"),
        (60, "H", 0xFFFF, "has 65535 sections, expected 1 to 4096"),
        (60, "H", 4000, "section headers are said to reach"),
        (62, "H", 0xFFFF, "section 65535 should hold the section names"),
        (62, "H", 0, "section 0 should be a string table"),
    ],
)
def test_absurd_elf_headers(at: int, code: str, value: int, words: str) -> None:
    with pytest.raises(BytecodeError, match=words):
        parse(changed_header(example("xdp_counter", target="bpfel"), at, code, value))


@pytest.mark.parametrize(
    ("section", "field", "value", "words"),
    [
        ("xdp", "offset", 1 << 62, r"section \d+ \('xdp'\) is said to reach"),
        (".BTF", "size", (1 << 64) - 1, r"section \d+ \('.BTF'\) is said to reach"),
        (".BTF", "flags", 0x800, r"section \d+ \('.BTF'\) is compressed"),
        (".BTF", "name", 1 << 30, "section's name is said to be at byte 1073741824"),
        (".symtab", "entsize", 0, "in entries of 0, expected entries of 24"),
        (".symtab", "entsize", 1, "in entries of 1, expected entries of 24"),
        (".symtab", "size", 25, "has 25 bytes in entries of 24"),
        (".symtab", "link", 0xFFFFFFFF, "section 4294967295 should be a string table"),
        (".symtab", "link", 2, "section 2 should be a string table"),
        (".symtab", "type", 1, "has 0 symbol tables"),
        (".strtab", "size", 3, "string table in section"),
        (".maps", "type", 2, "has 2 symbol tables"),
        (".rodata", "offset", 64, "overlap"),
        ("license", "offset", 0, "overlap"),
    ],
)
def test_absurd_sections(section: str, field: str, value: int, words: str) -> None:
    data = example("xdp_counter", target="bpfel")
    if field == "offset" and value in (0, 64):
        value = headers(data)["xdp"].offset
    with pytest.raises(BytecodeError, match=words):
        parse(patched(data, section, field, value))


def test_sections_that_must_be_there_once() -> None:
    data = example("xdp_counter", target="bpfel")
    name = struct.unpack_from("<I", data, headers(data)[".BTF"].at)[0]
    with pytest.raises(BytecodeError, match=r"2 sections named '\.BTF'"):
        parse(patched(data, ".rodata", "name", name))


def test_a_string_table_without_end() -> None:
    data = example("xdp_counter", target="bpfel")
    with pytest.raises(BytecodeError, match=r"string table in section \d+ is cut off"):
        parse(with_section(data, ".strtab", b"\0" + b"x" * 5000))
    with pytest.raises(BytecodeError, match="name of more than 1024 bytes"):
        parse(with_section(data, ".strtab", b"\0" + b"x" * 5000 + b"\0"))


def test_limits() -> None:
    data = example("xdp_counter", target="bpfel")
    count = struct.unpack_from("<H", data, 60)[0]
    symbols = headers(data)[".symtab"].size // 24
    parse(data, limits=Limits(object_bytes=len(data), sections=count, symbols=symbols))
    for limits, words in (
        (Limits(object_bytes=len(data) - 1), "bytes, expected at most"),
        (Limits(sections=count - 1), "sections, expected 1 to"),
        (Limits(symbols=symbols - 1), "symbols, expected at most"),
        (Limits(name_bytes=5), "name of more than 5 bytes"),
        (Limits(variables=1), "more than 1 variables"),
    ):
        with pytest.raises(BytecodeError, match=words):
            parse(data, limits=limits)


def test_zeros_that_the_file_does_not_hold_are_bounded() -> None:
    source = "char huge[1 << 20];" + 'SEC("xdp") int p(int *c) { return huge[*c]; }'
    data = compile_source(source, target="bpfel")
    assert parse(data).globals[0].size == 1 << 20
    with pytest.raises(BytecodeError, match=r"\.bss sections have 1048576 bytes"):
        parse(data, limits=Limits(zero_bytes=1 << 19))
    with pytest.raises(BytecodeError, match=r"\.bss sections have 18446744073709551615 bytes"):
        parse(patched(data, ".bss", "size", (1 << 64) - 1))


def test_what_is_imported_for_what() -> None:
    """Asking one question about a section, a header or raw BTF does not pay for the ELF library."""
    import subprocess

    script = (
        "import sys; from bpfimg.bytecode import check_header, section_rule, variables; section_rule('xdp');"
        "print(sorted(m for m in sys.modules if m.partition('.')[0] in ('elftools', 'typing', 'pathlib', 'enum')))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "elftools" not in done.stdout
