"""Specifications of static probes, in the layout of the program's own types: libbpf's of 2022 and its later one."""

from __future__ import annotations

import struct

import pytest

from bpfimg.bytecode import executable
from bpfimg.errors import AttachError, BytecodeError
from bpfimg.load._families import _usdt_spec
from tests.support.objects import compile_source, example, headers

Argument = executable.Argument

#: with an index register and bit fields, as libbpf has it since 1.7
LATER = """
enum __bpf_usdt_arg_type { A };
struct __bpf_usdt_arg_spec {
	__u64 val_off;
	enum __bpf_usdt_arg_type arg_type: 8;
	__u8 __reserved: 8;
	__u16 idx_reg_off: 12;
	__u16 scale_bitshift: 4;
	short reg_off;
	_Bool arg_signed;
	char arg_bitshift;
};
struct __bpf_usdt_spec { struct __bpf_usdt_arg_spec args[12]; __u64 usdt_cookie; short arg_cnt; };
struct { __uint(type, 2); __uint(max_entries, 4); __type(key, int); __type(value, struct __bpf_usdt_spec); }
	__bpf_usdt_specs SEC(".maps");
SEC("usdt") int f(void *ctx) { return !&__bpf_usdt_specs; }
char LICENSE[] SEC("license") = "GPL";
"""


def types(data: bytes) -> bytes:
    section = headers(data)[".BTF"]
    return data[section.offset : section.offset + section.size]


def test_the_layout_of_this_machines_header_is_the_classic_one() -> None:
    assert _usdt_spec.layout(types(example("usdt_counter"))) == _usdt_spec.CLASSIC


def test_a_specification_as_libbpf_writes_it() -> None:
    found = _usdt_spec.CLASSIC.encode(
        [
            Argument("memory", 4, True, -16, 32),
            Argument("constant", 8, False, 5),
            Argument("register", 1, False, 0, 80),
        ],
        cookie=7,
    )
    rows = [struct.unpack_from("<qIhBB", found, 16 * index) for index in range(3)]
    assert rows == [(-16, 2, 32, 1, 32), (5, 0, 0, 0, 0), (0, 1, 80, 0, 56)]
    assert struct.unpack_from("<Qh", found, 192) == (7, 3)
    assert len(found) == 208


def test_one_without_arguments_is_no_free_place() -> None:
    assert any(_usdt_spec.CLASSIC.encode([]))
    assert not any(_usdt_spec.CLASSIC.encode([])[192:])


def test_two_registers_need_the_later_layout() -> None:
    indexed = Argument("indexed", 8, False, 8, 80, 40, 4)
    with pytest.raises(AttachError, match="sum of two registers"):
        _usdt_spec.CLASSIC.encode([indexed])
    later = _usdt_spec.layout(types(compile_source(LATER)))
    assert later.indexed
    assert later.size == 208
    found = later.encode([indexed, Argument("register", 4, True, 0, 112)])
    value, kind, reserved, index_and_scale, register, signed, shift = struct.unpack_from("<qBBHhBB", found)
    assert (value, kind, register, signed, shift, reserved) == (8, 3, 80, 0, 0, 0)
    assert (index_and_scale & 0xFFF, index_and_scale >> 12) == (40, 2)
    assert struct.unpack_from("<qBBHhBB", found, 16) == (0, 1, 0, 0, 112, 1, 32)


def test_types_without_it_or_too_many_arguments() -> None:
    with pytest.raises(BytecodeError, match="no struct __bpf_usdt_spec"):
        _usdt_spec.layout(types(example("uprobe_counter")))
    with pytest.raises(AttachError, match="13 arguments, expected at most 12"):
        _usdt_spec.CLASSIC.encode([Argument("constant", 8, False, 1)] * 13)
