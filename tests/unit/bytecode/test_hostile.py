"""Files that nobody vouches for: whatever is done to an object, it is read or it is one `BytecodeError`."""

from __future__ import annotations

import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpfimg.bytecode import Limits, parse, variables
from bpfimg.errors import BytecodeError
from tests.support import btf as w
from tests.support.btf import BtfWriter
from tests.support.objects import compile_source, example, headers

RICH = compile_source(
    """
    struct pair { __u32 a; __u64 b; };
    enum mode { SLOW, FAST = 5 };
    struct {
        __uint(type, 1); __uint(max_entries, 8); __type(key, struct pair); __type(value, __u64[4]);
    } table SEC(".maps");
    const volatile enum mode mode = FAST;
    int grid[2][3] = { { 1, 2, 3 }, { 4, 5, 6 } };
    static volatile __u16 hidden;
    extern int LINUX_KERNEL_VERSION __attribute__((section(".kconfig")));
    struct task_struct { int pid; } __attribute__((preserve_access_index));
    static void *(*lookup)(void *map, const void *key) = (void *)1;
    SEC("xdp") int program(struct task_struct *c)
    {
        hidden += mode + grid[1][1] + LINUX_KERNEL_VERSION + c->pid;
        return !!lookup(&table, c);
    }
    char LICENSE[] SEC("license") = "GPL";
    """,
    target="bpfel",
)
OBJECTS = (RICH, example("tracepoint_counter", target="bpfeb"), example("xdp_counter", target="bpfel"))
BTF = RICH[headers(RICH)[".BTF"].offset :][: headers(RICH)[".BTF"].size]
SMALL = Limits(zero_bytes=1 << 20)  # a fuzzed .bss may have any size: do not spend the test's memory on it

fuzz = settings(max_examples=400, suppress_health_check=list(HealthCheck))
interesting = st.sampled_from([0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 63, (1 << 64) - 1])


def survives(data: bytes) -> bool:
    """Whether the object could be read; any exception but `BytecodeError` fails the test."""
    try:
        found = parse(data, limits=SMALL)
    except BytecodeError as error:
        message = str(error)
    else:
        message = ""
    if message:
        assert message.isprintable()
        assert len(message) < 500
        return False
    assert all(len(spec.initial) == spec.size for spec in found.globals)
    return True


def test_truncation_at_every_byte() -> None:
    for data in OBJECTS:
        assert survives(data)
        assert not any(survives(data[:size]) for size in range(len(data) - 1))


@fuzz
@given(
    data=st.sampled_from(OBJECTS), flips=st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(1, 255)), max_size=8)
)
def test_flipped_bytes(data: bytes, flips: list[tuple[int, int]]) -> None:
    changed = bytearray(data)
    for at, mask in flips:
        changed[at % len(changed)] ^= mask
    survives(bytes(changed))


@fuzz
@given(
    data=st.sampled_from(OBJECTS),
    field=st.sampled_from([(0, "I"), (4, "I"), (8, "Q"), (24, "Q"), (32, "Q"), (40, "I"), (44, "I"), (56, "Q")]),
    row=st.integers(0, 40),
    value=interesting | st.integers(0, (1 << 64) - 1) | st.integers(0, 5000),
)
def test_section_headers_of_any_kind(data: bytes, field: tuple[int, str], row: int, value: int) -> None:
    order = "<" if data[5] == 1 else ">"
    (table,) = struct.unpack_from(order + "Q", data, 40)
    (count,) = struct.unpack_from(order + "H", data, 60)
    at, code = field
    changed = bytearray(data)
    bits = 32 if code == "I" else 64
    struct.pack_into(order + code, changed, table + 64 * (row % count) + at, value % (1 << bits))
    survives(bytes(changed))


@fuzz
@given(
    data=st.sampled_from(OBJECTS),
    words=st.lists(st.tuples(st.integers(0, 1 << 14), interesting), min_size=1, max_size=4),
)
def test_words_of_btf_symbols_and_headers(data: bytes, words: list[tuple[int, int]]) -> None:
    changed = bytearray(data)
    for at, value in words:
        struct.pack_into("<I", changed, at * 4 % (len(changed) - 4), value & 0xFFFFFFFF)
    survives(bytes(changed))


@fuzz
@given(
    first=st.sampled_from(OBJECTS),
    second=st.sampled_from(OBJECTS),
    at=st.integers(0, 1 << 13),
    start=st.integers(0, 1 << 13),
    size=st.integers(0, 1 << 11),
)
def test_splices(first: bytes, second: bytes, at: int, start: int, size: int) -> None:
    piece = second[start % len(second) :][:size]
    at %= len(first)
    survives(first[:at] + piece + first[at:])
    survives(first[:at] + piece + first[at + len(piece) :])


@fuzz
@given(st.binary(max_size=300))
def test_anything_behind_a_good_header(rest: bytes) -> None:
    survives(RICH[:64] + rest)
    survives(rest)


@fuzz
@given(
    data=st.just(BTF),
    words=st.lists(st.tuples(st.integers(0, 1 << 14), interesting | st.integers(0, 80)), min_size=1, max_size=6),
    cut=st.integers(0, 1 << 14),
)
def test_raw_btf(data: bytes, words: list[tuple[int, int]], cut: int) -> None:
    changed = bytearray(data)
    for at, value in words:
        struct.pack_into("<I", changed, at * 4 % (len(changed) - 4), value & 0xFFFFFFFF)
    for candidate in (bytes(changed), bytes(changed[: cut % len(changed)])):
        try:
            variables(candidate, byte_order="little", limits=SMALL)
        except BytecodeError:
            continue


def test_one_enum_with_many_values_in_many_variables() -> None:
    """Each is small in the file; multiplied they would fill the memory."""
    writer = BtfWriter()
    name = writer.string("E" * 1000)
    enum = writer.add(w.ENUM, "many", 4, *[name, 1] * 0xFFFF, vlen=0xFFFF)
    other = writer.add(w.ENUM, "more", 4, *[name, 1] * 0xFFFF, vlen=0xFFFF)
    places = [(writer.variable(f"v{i}", enum if i % 2 else other), 4 * i, 4) for i in range(2000)]
    writer.section(".data", *places)
    with pytest.raises(BytecodeError, match="more than 65536 values"):
        variables(writer.data(), byte_order="little")


def test_a_section_full_of_sections() -> None:
    """4096 section headers that all claim the whole file: refused before anything is copied."""
    data = bytearray(RICH.ljust(1 << 20, b"\0"))
    (table,) = struct.unpack_from("<Q", data, 40)
    rows = data[table : table + 64 * struct.unpack_from("<H", data, 60)[0]]
    row = struct.pack("<IIQQQQIIQQ", 1, 1, 0, 0, 0, 1 << 20, 0, 0, 0, 0)
    count = 4096
    struct.pack_into("<Q", data, 40, len(data))
    struct.pack_into("<H", data, 60, count)
    hostile = bytes(data) + bytes(rows) + row * (count - len(rows) // 64)
    assert not survives(hostile)
