from __future__ import annotations

import re
import shutil
import struct
import subprocess
from typing import TYPE_CHECKING

import pytest

from bpfimg.btf import Btf, Limits, spelled
from bpfimg.errors import BytecodeError
from tests.support import btf as w
from tests.support.btf import BtfWriter
from tests.support.objects import compile_source, headers

if TYPE_CHECKING:
    from pathlib import Path

LIMITS = Limits()


def read(writer: BtfWriter, byte_order: str = "little", limits: Limits = LIMITS) -> Btf:
    return Btf(writer.data(), byte_order, limits)


@pytest.mark.parametrize("byte_order", ["little", "big"])
def test_names_sizes_and_enumerators(byte_order: str) -> None:
    writer = BtfWriter(byte_order)
    number = writer.integer("unsigned int", 4, encoding=0)
    u32 = writer.add(w.TYPEDEF, "__u32", number)
    table = writer.array(writer.array(u32, 3), 2)
    colour = writer.add(w.ENUM, "colour", 4, writer.string("RED"), 0xFFFFFFFF, vlen=1, flag=True)
    large = writer.add(w.ENUM64, "large", 8, writer.string("HUGE"), 7, 1, vlen=1)
    pair = writer.add(w.STRUCT, "pair", 8, writer.string("a"), u32, 0, writer.string("b"), colour, 32, vlen=2)
    btf = read(writer, byte_order)
    assert len(btf) == 8
    assert (btf.name(u32), btf.bare(u32), btf.size(u32)) == ("__u32", number, 4)
    assert btf.size(table) == 24
    assert [(btf.string(name), value) for name, value in btf.enumerators(colour)] == [("RED", -1)]
    assert [(btf.string(name), value) for name, value in btf.enumerators(large)] == [("HUGE", 1 << 32 | 7)]
    assert [(btf.string(name), kind) for name, kind in btf.members(pair)] == [("a", u32), ("b", colour)]
    assert btf.size(writer.add(w.PTR, "", pair) - 1) == 8


def test_c_spellings() -> None:
    writer = BtfWriter()
    char = writer.integer("char", 1)
    const = writer.add(w.CONST, "", char)
    text = writer.add(w.PTR, "", const)
    texts = writer.add(w.PTR, "", writer.add(w.CONST, "", text))
    function = writer.add(w.FUNC_PROTO, "", text)
    cases = {
        char: "char",
        writer.add(w.VOLATILE, "", const): "char",
        text: "const char *",
        texts: "const char *const *",
        writer.add(w.PTR, "", 0): "void *",
        writer.add(w.PTR, "", function): "const char *(*)()",
        writer.array(const, 16): "char[16]",
        writer.array(writer.array(text, 3), 2): "const char *[2][3]",
        writer.add(w.PTR, "", writer.array(char, 4)): "char (*)[4]",
        writer.add(w.STRUCT, "pair", 0): "struct pair",
        writer.add(w.UNION, "", 0): "union {...}",
        writer.add(w.PTR, "", writer.add(w.FWD, "later", 0)): "struct later *",
        writer.add(w.FWD, "either", 0, flag=True): "union either",
        writer.add(w.ENUM64, "large", 8): "enum large",
        writer.add(w.TYPEDEF, "__u32", char): "__u32",
        writer.add(w.PTR, "", writer.add(w.TYPE_TAG, "rcu", writer.add(w.TYPEDEF, "gone_t", char))): "gone_t *",
    }
    btf = read(writer)
    for type_id, text_of in cases.items():
        assert spelled(btf, type_id) == text_of


def test_what_bpftool_reads(tmp_path: Path) -> None:
    """The same types with the same names and kinds as bpftool finds them in a compiled object."""
    bpftool = shutil.which("bpftool", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if bpftool is None:
        pytest.skip("needs bpftool to compare with")
    source = """
    struct pair { __u32 a; const char *b; int (*c)(long, struct pair *); union { int x; float y; }; };
    enum colour { RED, GREEN = -4 }; typedef enum colour colour_t;
    struct pair globe[3]; volatile const colour_t shade = GREEN;
    SEC("xdp") int program(void *context) { globe[1].a += shade; return 2; }
    """
    data = compile_source(source, target="bpfel")
    path = tmp_path / "object.o"
    path.write_bytes(data)
    command = [bpftool, "btf", "dump", "file", str(path)]
    dump = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    theirs = re.findall(r"^\[\d+\] (\w+) '(.*?)'", dump, re.MULTILINE)
    section = headers(data)[".BTF"]
    btf = Btf(data[section.offset :][: section.size], "little", LIMITS)
    words = "INT PTR ARRAY STRUCT UNION ENUM FWD TYPEDEF VOLATILE CONST RESTRICT FUNC FUNC_PROTO VAR DATASEC FLOAT"
    kinds = words.split()
    ours = [(kinds[btf.kind(i) - 1], btf.name(i) or "(anon)") for i in range(1, len(btf))]
    assert ours == theirs


def test_cycles_end() -> None:
    writer = BtfWriter()
    writer.add(w.CONST, "", 2)
    writer.add(w.VOLATILE, "", 1)
    btf = read(writer)
    for walk in (btf.bare, btf.size, lambda type_id: spelled(btf, type_id)):
        with pytest.raises(BytecodeError, match="cycle"):
            walk(1)


def test_arrays_of_themselves_end() -> None:
    writer = BtfWriter()
    writer.add(w.ARRAY, "", 0, 1, 1, 1)
    btf = read(writer)
    for walk in (btf.size, lambda type_id: spelled(btf, type_id)):
        with pytest.raises(BytecodeError, match="cycle"):
            walk(1)


def test_chains_are_followed_up_to_the_limit() -> None:
    writer = BtfWriter()
    writer.integer()
    for type_id in range(1, 200):
        writer.add(w.TYPEDEF, f"t{type_id}", type_id)
    btf = read(writer)
    assert btf.size(32) == 4
    with pytest.raises(BytecodeError, match="more than 32 types"):
        btf.size(33)


def test_overflowing_array_sizes() -> None:
    writer = BtfWriter()
    element = writer.integer("char", 1)
    for _ in range(10):
        element = writer.array(element, 0xFFFFFFFF)
    btf = read(writer)
    assert btf.size(2) == 0xFFFFFFFF
    for type_id in range(3, 11):
        with pytest.raises(BytecodeError, match="more than 4 GiB"):
            btf.size(type_id)


@pytest.mark.parametrize("kind", [w.FUNC, w.FUNC_PROTO, w.VAR, w.DATASEC, w.FWD, w.DECL_TAG])
def test_types_without_a_size(kind: int) -> None:
    writer = BtfWriter()
    writer.add(kind, "x", 0, *([0] if kind in (w.VAR, w.DECL_TAG) else []))
    btf = read(writer)
    for type_id in (0, 1):
        with pytest.raises(BytecodeError, match="has no size"):
            btf.size(type_id)


def test_ids_and_strings_out_of_range() -> None:
    writer = BtfWriter()
    writer.add(w.PTR, "", 77)
    btf = read(writer)
    with pytest.raises(BytecodeError, match="has no type 77"):
        spelled(btf, 1)
    with pytest.raises(BytecodeError, match="no string at byte 99"):
        btf.string(99)


@pytest.mark.parametrize(
    ("kind", "vlen"), [(w.STRUCT, 0xFFFF), (w.ENUM, 0xFFFF), (w.DATASEC, 2), (w.ENUM64, 1), (w.FUNC_PROTO, 9)]
)
def test_more_members_than_bytes(kind: int, vlen: int) -> None:
    writer = BtfWriter()
    writer.integer()
    writer.add(kind, "x", 4, vlen=vlen)
    with pytest.raises(BytecodeError, match=r"type 2 in section \.BTF is cut off"):
        read(writer)


def test_unknown_kinds() -> None:
    for kind in (0, 20, 31):
        writer = BtfWriter()
        writer.add(kind, "x")
        with pytest.raises(BytecodeError, match=f"kind {kind}"):
            read(writer)


def test_headers_that_are_not_sound() -> None:
    sound = BtfWriter()
    sound.integer()
    for data, words in (
        (b"", "cut off after 0 bytes"),
        (sound.data(magic=0x9FEB), "begins with 0x9feb"),
        (sound.data(version=2), "version 2"),
        (sound.data(header=20), "strings|types"),
        (sound.data()[:-1], "strings in section .BTF are said to end"),
        (struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, 0xFFFFFFFF, 0, 0xFFFFFFFF), "said to end at byte"),
    ):
        with pytest.raises(BytecodeError, match=words):
            Btf(data, "little", LIMITS)
    assert len(Btf(sound.data(header=40), "little", LIMITS)) == 2  # a header may grow


def test_limits() -> None:
    writer = BtfWriter()
    for _ in range(5):
        writer.integer("x" * 20)
    data = writer.data()
    assert len(Btf(data, "little", Limits(types=5, name_bytes=20, bytes=len(data)))) == 6
    with pytest.raises(BytecodeError, match="more than 4 types"):
        Btf(data, "little", Limits(types=4))
    with pytest.raises(BytecodeError, match="expected at most"):
        Btf(data, "little", Limits(bytes=len(data) - 1))
    with pytest.raises(BytecodeError, match="more than 19 bytes"):
        Btf(data, "little", Limits(name_bytes=19)).name(1)


def test_a_section_described_twice() -> None:
    writer = BtfWriter()
    writer.section(".data")
    writer.section(".data")
    with pytest.raises(BytecodeError, match=r"'\.data' twice"):
        read(writer).data_sections()
