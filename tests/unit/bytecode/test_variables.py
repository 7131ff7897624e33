from __future__ import annotations

import struct

import pytest

from bpfimg.bytecode import GlobalSpec, Limits, parse, variables
from bpfimg.errors import BytecodeError
from tests.support import btf as w
from tests.support.btf import BtfWriter
from tests.support.libbpf import opened
from tests.support.objects import compile_source, example, headers, patched, with_section

SOURCE = """
struct pair { __u32 a; __u64 b; };
enum mode { SLOW, FAST = 5 };
const volatile __u8 level = 7;
const volatile __s64 least = -9;
const volatile _Bool on = 1;
const volatile char text[16] = "hello";
const volatile char letter = 'x';
const volatile enum mode mode = FAST;
__u32 magic = 0xdeadbeef;
struct pair pair = { 1, 2 };
int grid[2][3] = { { 1, 2, 3 }, { 4, 5, 6 } };
static volatile __u16 hidden = 0x1122;
__u64 total;
const char *where;
float ratio;
__u32 own SEC(".data.own") = 3;
const volatile __u32 second SEC(".rodata.second") = 4;
extern int LINUX_KERNEL_VERSION __attribute__((section(".kconfig")));
extern _Bool CONFIG_BPF __attribute__((section(".kconfig"), weak));
extern char CONFIG_NAME[5] __attribute__((section(".kconfig"), weak));
extern __u64 CONFIG_HZ __attribute__((section(".kconfig"), weak));
SEC("xdp") int program(void *context)
{
    hidden++; total++; pair.a++; grid[1][1]++; own++; where = 0; ratio = 0;
    return level + least + on + text[1] + letter + mode + magic + second
        + LINUX_KERNEL_VERSION + CONFIG_BPF + CONFIG_NAME[0] + CONFIG_HZ;
}
char LICENSE[] SEC("license") = "GPL";
"""


def by_name(found: tuple[GlobalSpec, ...]) -> dict[str, GlobalSpec]:
    return {spec.name: spec for spec in found}


@pytest.mark.parametrize(("target", "order"), [("bpfel", "little"), ("bpfeb", "big")])
def test_types_and_initial_values(target: str, order: str) -> None:
    found = by_name(parse(compile_source(SOURCE, target=target)).globals)
    for name, section, spelled, kind, size, signed in (
        ("level", ".rodata", "__u8", "int", 1, False),
        ("least", ".rodata", "__s64", "int", 8, True),
        ("on", ".rodata", "_Bool", "bool", 1, False),
        ("text", ".rodata", "char[16]", "array", 16, False),
        ("letter", ".rodata", "char", "char", 1, True),
        ("mode", ".rodata", "enum mode", "enum", 4, False),
        ("magic", ".data", "__u32", "int", 4, False),
        ("pair", ".data", "struct pair", "struct", 16, False),
        ("grid", ".data", "int[2][3]", "array", 24, False),
        ("hidden", ".data", "__u16", "int", 2, False),
        ("total", ".bss", "__u64", "int", 8, False),
        ("where", ".bss", "const char *", "pointer", 8, False),
        ("ratio", ".bss", "float", "float", 4, True),
        ("own", ".data.own", "__u32", "int", 4, False),
        ("second", ".rodata.second", "__u32", "int", 4, False),
        ("LINUX_KERNEL_VERSION", ".kconfig", "int", "int", 4, True),
    ):
        spec = found[name]
        assert (spec.section, spec.type, spec.kind, spec.size, spec.signed) == (section, spelled, kind, size, signed)
        assert spec.read_only == section.startswith((".rodata", ".kconfig"))
        assert len(spec.initial) == size
    assert int.from_bytes(found["least"].initial, order, signed=True) == -9  # type: ignore[arg-type]
    assert int.from_bytes(found["magic"].initial, order) == 0xDEADBEEF  # type: ignore[arg-type]
    assert int.from_bytes(found["hidden"].initial, order) == 0x1122  # type: ignore[arg-type]
    assert found["text"].initial == b"hello".ljust(16, b"\0")
    assert found["total"].initial == bytes(8)
    assert found["mode"].enumerators == (("SLOW", 0), ("FAST", 5))


@pytest.mark.parametrize("data", [example("xdp_pass"), compile_source(SOURCE)], ids=["xdp_pass", "all kinds"])
def test_places_are_those_of_libbpf(data: bytes) -> None:
    """An object holds no offsets of globals in its BTF; libbpf fills them in, and so do we."""
    witness = opened(data)
    assert witness is not None
    theirs = {(s.name, s.section, s.offset, s.size, s.type) for s in variables(witness.btf, byte_order="little")}
    assert {(s.name, s.section, s.offset, s.size, s.type) for s in parse(data).globals} == theirs
    assert theirs


def test_raw_btf_has_no_initial_values() -> None:
    writer = BtfWriter("big")
    number = writer.integer("unsigned int", 4, encoding=0)
    writer.section(".rodata", (writer.variable("rate", number), 4, 4), (writer.variable("burst", number), 0, 4))
    writer.section(".maps", (writer.variable("table", number), 0, 4))
    found = variables(writer.data(), byte_order="big")
    assert [(s.name, s.offset, s.initial) for s in found] == [("burst", 0, b""), ("rate", 4, b"")]


def section_of(*places: tuple[str, int, int, int]) -> bytes:
    writer = BtfWriter()
    types = {4: writer.integer("int", 4), 8: writer.integer("long", 8)}
    writer.section(".data", *((writer.variable(name, types[kind]), at, size) for name, kind, at, size in places))
    return writer.data()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (section_of(("a", 4, 0, 4), ("b", 4, 3, 4)), "'a' and 'b' of .data overlap"),
        (section_of(("a", 8, 0, 4)), "'a' of .data has 4 bytes, its type 8"),
        (section_of(("", 4, 0, 4)), "has the name ''"),
        (section_of(("a\x1b[2J", 4, 0, 4)), r"has the name 'a\\x1b\[2J'"),
        (section_of(("a\n", 4, 0, 4)), r"has the name 'a\\n'"),
    ],
)
def test_sections_that_are_not_sound(data: bytes, words: str) -> None:
    with pytest.raises(BytecodeError, match=words):
        variables(data, byte_order="little")


def test_a_section_of_something_else() -> None:
    writer = BtfWriter()
    writer.section(".bss", (writer.integer(), 0, 4))
    with pytest.raises(BytecodeError, match=r"should be a variable of '\.bss'"):
        variables(writer.data(), byte_order="little")


def test_limits() -> None:
    data = section_of(*((f"v{i}", 4, 4 * i, 4) for i in range(10)))
    assert len(variables(data, byte_order="little", limits=Limits(variables=10))) == 10
    with pytest.raises(BytecodeError, match="more than 9 variables"):
        variables(data, byte_order="little", limits=Limits(variables=9))
    writer = BtfWriter()
    words = [word for i in range(5) for word in (writer.string(f"E{i}"), i)]
    enum = writer.add(w.ENUM, "many", 4, *words, vlen=5)
    writer.section(".data", *((writer.variable(f"v{i}", enum), 4 * i, 4) for i in range(3)))
    found = variables(writer.data(), byte_order="little", limits=Limits(enumerators=5))
    assert all(len(spec.enumerators) == 5 for spec in found)  # read once, shared by the three
    with pytest.raises(BytecodeError, match="more than 4 values"):
        variables(writer.data(), byte_order="little", limits=Limits(enumerators=4))


def test_a_global_without_a_symbol() -> None:
    data = compile_source('int one = 1, two = 2;SEC("xdp") int p(void *c) { return one + two; }', target="bpfel")
    strings = headers(data)[".strtab"]
    content = data[strings.offset :][: strings.size].replace(b"\0two\0", b"\0tow\0")
    with pytest.raises(BytecodeError, match=r"global 'two' of section \.data has no symbol"):
        parse(with_section(data, ".strtab", content))


def test_a_global_outside_its_section() -> None:
    data = compile_source('long one = 1; SEC("xdp") int p(void *c) { return one; }', target="bpfel")
    with pytest.raises(BytecodeError, match=r"'one' is said to reach from byte 0 to 8 of section \.data"):
        parse(patched(data, ".data", "size", 7))


def test_a_section_that_is_not_there() -> None:
    data = compile_source('long one = 1; SEC("xdp") int p(void *c) { return one; }', target="bpfel")
    at = headers(data)[".data"].at
    (name,) = struct.unpack_from("<I", data, at)
    with pytest.raises(BytecodeError, match=r"describes section '\.data', which the object does not have"):
        parse(patched(data, ".data", "name", name + 1))
