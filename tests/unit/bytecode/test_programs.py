from __future__ import annotations

import struct

import pytest

from bpfimg.bytecode import ProgramSpec, parse
from bpfimg.errors import BytecodeError
from tests.support.libbpf import opened
from tests.support.objects import compile_source, example, headers, overwritten, patched

SOURCE = """
__attribute__((noinline)) int shared(int x) { return x * 3; }
static __attribute__((noinline)) int inner(int x) { return x * 5; }
SEC("xdp") int second(void *c) { return shared(2) + inner(3); }
SEC("?kprobe/do_unlinkat") int optional(void *c) { return 0; }
SEC("xdp") int first(void *c) { return 2; }
SEC("fentry.s/vfs_read") int sleeping(void *c) { return 0; }
SEC("xdp.frags") int frags(void *c) { return 2; }
SEC("tracepoint/syscalls/sys_enter_openat") int traced(void *c) { return 0; }
SEC("something/else") int unknown(void *c) { return 0; }
SEC("tc") __attribute__((weak)) int weak(void *c) { return 0; }
char LICENSE[] SEC("license") = "GPL";
"""


def programs(data: bytes) -> dict[str, ProgramSpec]:
    return {program.name: program for program in parse(data).programs}


@pytest.mark.parametrize("target", ["bpfel", "bpfeb"])
def test_programs_of_an_object(target: str) -> None:
    found = programs(compile_source(SOURCE, target=target))
    assert list(found) == ["second", "first", "optional", "sleeping", "frags", "traced", "unknown", "weak"]
    assert found["second"].section == found["first"].section == "xdp"
    assert found["first"].instructions == 2
    assert found["second"].instructions > found["first"].instructions
    assert (found["optional"].section, found["optional"].autoload) == ("kprobe/do_unlinkat", False)
    assert found["optional"].target == "do_unlinkat"
    assert (found["sleeping"].sleepable, found["sleeping"].label, found["sleeping"].target) == (
        True,
        "fentry",
        "vfs_read",
    )
    assert (found["frags"].frags, found["frags"].target) == (True, None)
    assert (found["traced"].type, found["traced"].type_id) == ("tracepoint", 5)
    assert found["traced"].target == "syscalls/sys_enter_openat"
    assert found["traced"].attach_type is None


def test_an_unknown_section_is_a_program_of_no_known_type() -> None:
    unknown = programs(compile_source(SOURCE))["unknown"]
    assert (unknown.type, unknown.type_id, unknown.label, unknown.target) == ("unspec", 0, "unspec", None)


def test_functions_in_text_are_not_programs() -> None:
    assert {"shared", "inner"}.isdisjoint(programs(compile_source(SOURCE)))


def test_static_functions_in_a_program_section_are_not_programs() -> None:
    source = """
    static __attribute__((noinline, section("xdp"))) int inner(int x) { return x * 5; }
    SEC("xdp") int outer(void *c) { return inner(*(volatile int *)c); }
    """
    assert list(programs(compile_source(source))) == ["outer"]


@pytest.mark.parametrize("name", ["xdp_pass", "xdp_counter", "tc_counter", "tracepoint_counter"])
def test_examples_have_the_programs_that_libbpf_sees(name: str) -> None:
    assert ours(example(name)) == theirs(example(name))


def test_programs_are_those_of_libbpf() -> None:
    """All but the attach type of `xdp.frags` and friends is known to every libbpf since 1.0."""
    data = compile_source(SOURCE)
    assert ours(data) == theirs(data)


def ours(data: bytes) -> set[tuple[str, str, int, int, int, bool]]:
    return {(p.name, p.section, p.type_id, p.attach_type_id, p.instructions, p.autoload) for p in parse(data).programs}


def theirs(data: bytes) -> set[tuple[str, str, int, int, int, bool]]:
    witness = opened(data)
    assert witness is not None
    return witness.programs


def test_program_by_name() -> None:
    found = parse(compile_source(SOURCE))
    assert found.program("first").name == "first"
    with pytest.raises(BytecodeError, match="no program 'third'") as caught:
        found.program("third")
    assert "second, first" in caught.value.hint


def symbol(data: bytes, name: str) -> int:
    """Where the symbol of that name is in the file."""
    table, strings = headers(data)[".symtab"], headers(data)[".strtab"]
    wanted = data.index(b"\0" + name.encode() + b"\0", strings.offset) + 1 - strings.offset
    for at in range(table.offset, table.offset + table.size, 24):
        if struct.unpack_from("<I", data, at) == (wanted,):
            return at
    raise AssertionError(name)


@pytest.mark.parametrize(
    ("at", "code", "value", "words"),
    [
        (8, "Q", 8, "'only' is said to reach from byte 8 to 24 of section 'xdp', which has 16"),
        (8, "Q", 1 << 63, "'only' is said to reach"),
        (16, "Q", 1 << 40, "'only' is said to reach"),
        (16, "Q", 12, "expected whole instructions"),
        (16, "Q", 0, "expected whole instructions"),
        (0, "I", 1 << 31, "symbol's name is said to be at byte 2147483648"),
    ],
)
def test_symbols_that_are_not_sound(at: int, code: str, value: int, words: str) -> None:
    data = compile_source('SEC("xdp") int only(void *c) { return 2; }', target="bpfel")
    with pytest.raises(BytecodeError, match=words):
        parse(overwritten(data, symbol(data, "only") + at, struct.pack("<" + code, value)))


def test_two_programs_of_one_name() -> None:
    source = 'SEC("xdp") int one(void *c) { return 2; } SEC("tc") int two(void *c) { return 0; }'
    data = compile_source(source, target="bpfel")
    name = struct.unpack_from("<I", data, symbol(data, "one"))[0]
    with pytest.raises(BytecodeError, match="two programs named 'one'"):
        parse(overwritten(data, symbol(data, "two"), struct.pack("<I", name)))


@pytest.mark.parametrize("name", [b"\x1b[2Jab", b"ab\ncdef", b"ab\xffcdef", b"ab\xe2\x80\xaeef"[:7]])
def test_names_that_would_deceive_a_terminal(name: bytes) -> None:
    data = compile_source('SEC("xdp") int program(void *c) { return 2; }', target="bpfel")
    with pytest.raises(BytecodeError, match="expected printable UTF-8") as caught:
        parse(data.replace(b"\0program\0", b"\0" + name.ljust(7, b"x") + b"\0"))
    assert str(caught.value).isascii()


def test_sections_that_are_too_small() -> None:
    data = compile_source('SEC("xdp") int only(void *c) { return 2; }', target="bpfel")
    with pytest.raises(BytecodeError, match="section 'xdp', which has 8"):
        parse(patched(data, "xdp", "size", 8))
