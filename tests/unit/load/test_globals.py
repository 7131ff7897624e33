"""Words to bytes, by the type of the global."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfimg.btf import Btf, Limits
from bpfimg.bytecode import GlobalSpec, variables
from bpfimg.errors import UsageError
from bpfimg.load import _globals
from bpfimg.load._globals import encode_globals, find_global
from tests.support import btf as kinds
from tests.support.btf import BtfWriter

if TYPE_CHECKING:
    from collections.abc import Callable

ENUMERATORS = (("OFF", 0), ("ON", 7))


def spec(kind: str = "int", size: int = 4, *, signed: bool = False, type: str = "", name: str = "x") -> GlobalSpec:
    return GlobalSpec(
        name=name,
        section=".rodata",
        type=type or f"{kind}{8 * size}",
        kind=kind,
        offset=0,
        size=size,
        signed=signed,
        initial=b"",
        read_only=True,
        enumerators=ENUMERATORS if kind == "enum" else (),
    )


def type_of(writer: BtfWriter, one: GlobalSpec) -> int:
    """Writes the type that a spec describes."""
    if one.kind == "array":
        match = re.fullmatch(r"(.+?)((?:\[\d+\])+)", one.type)
        assert match is not None
        counts = [int(count) for count in re.findall(r"\d+", match[2])]
        size = one.size
        for count in counts:
            size //= count
        signed = match[1] in ("int", "char")
        type_id = writer.integer(match[1], size, int(signed))
        for count in reversed(counts):
            type_id = writer.array(type_id, count)
        return type_id
    if one.kind == "enum":
        words = [word for name, number in ENUMERATORS for word in (writer.string(name), number)]
        return writer.add(kinds.ENUM, one.type, one.size, *words, vlen=2)
    if one.kind == "float":
        return writer.add(kinds.FLOAT, one.type, one.size)
    if one.kind == "pointer":
        return writer.add(kinds.PTR, "", 0)
    if one.kind in ("struct", "union"):
        return writer.add(kinds.STRUCT if one.kind == "struct" else kinds.UNION, one.type, one.size)
    name = "char" if one.kind == "char" else one.type
    return writer.integer(name, one.size, int(one.signed) | (4 if one.kind == "bool" else 0))


def encode_global(one: GlobalSpec, text: str, order: str) -> bytes:
    writer = BtfWriter(order)
    type_id = type_of(writer, one)
    return _globals.encode_global(Btf(writer.data(), order, Limits()), type_id, one, text, bytes(one.size))


@given(st.sampled_from([1, 2, 4, 8, 16]), st.booleans(), st.sampled_from(["little", "big"]), st.data())
def test_every_number_in_range_round_trips(size: int, signed: bool, order: str, data: st.DataObject) -> None:
    low, high = (-(1 << 8 * size - 1), (1 << 8 * size - 1) - 1) if signed else (0, (1 << 8 * size) - 1)
    number = data.draw(st.integers(low, high))
    encoded = encode_global(spec(size=size, signed=signed), str(number), order)
    assert int.from_bytes(encoded, order, signed=signed) == number  # type: ignore[arg-type]
    assert len(encoded) == size


@given(st.sampled_from([1, 2, 4, 8]), st.booleans(), st.integers(0, 1000))
def test_the_first_number_out_of_range_is_refused(size: int, signed: bool, more: int) -> None:
    low, high = (-(1 << 8 * size - 1), (1 << 8 * size - 1) - 1) if signed else (0, (1 << 8 * size) - 1)
    for number in (low - 1 - more, high + 1 + more):
        with pytest.raises(UsageError, match=f"takes {low} to {high}, not {number}"):
            encode_global(spec(size=size, signed=signed), str(number), "little")


@pytest.mark.parametrize(
    ("text", "value"),
    [("01", 1), ("010", 10), ("0x10", 16), ("0X1f", 31), ("0o17", 15), ("0b101", 5), ("+7", 7), (" 7 ", 7), ("000", 0)],
)
def test_how_numbers_may_be_written(text: str, value: int) -> None:
    assert encode_global(spec(), text, "little") == value.to_bytes(4, "little")


@pytest.mark.parametrize("text", ["", "-", "0x", "1_000", "1.5", "ten", "0b2", "٣", "1" * 81, "1 2", "--1"])
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(UsageError, match="takes a number"):
        encode_global(spec(), text, "little")


def test_hex_digits_without_0x_are_guessed_at_in_the_hint_only() -> None:
    with pytest.raises(UsageError) as caught:
        encode_global(spec(size=1), "ff", "little")
    assert "0xff" in caught.value.hint


@pytest.mark.parametrize(("text", "value"), [("true", 1), ("FALSE", 0), ("1", 1), ("00", 0), ("on", 1), ("0x1", 1)])
def test_bool(text: str, value: int) -> None:
    assert encode_global(spec("bool", 1), text, "little") == bytes([value])


@pytest.mark.parametrize("text", ["2", "maybe", "", "-1"])
def test_what_is_no_bool(text: str) -> None:
    with pytest.raises(UsageError, match="true or false"):
        encode_global(spec("bool", 1), text, "little")


def test_enums_by_name_and_by_number() -> None:
    assert encode_global(spec("enum"), "ON", "little") == b"\x07\0\0\0"
    assert encode_global(spec("enum"), "-1", "big") == b"\xff" * 4
    assert encode_global(spec("enum"), "4294967295", "big") == b"\xff" * 4
    with pytest.raises(UsageError) as caught:
        encode_global(spec("enum"), "ONN", "little")
    assert "OFF, ON" in caught.value.hint


def test_one_char_is_a_letter_or_a_number() -> None:
    assert encode_global(spec("char", 1, signed=True), "a", "little") == b"a"
    assert encode_global(spec("char", 1, signed=True), "1", "little") == b"\x01"


def test_text_fills_a_char_array_up_to_its_nul() -> None:
    name = spec("array", 8, type="char[8]")
    assert encode_global(name, "eth0", "little") == b"eth0\0\0\0\0"
    assert encode_global(name, '"eth0"', "little") == b"eth0\0\0\0\0"
    assert encode_global(name, "", "little") == bytes(8)
    assert encode_global(name, "1234567", "little") == b"1234567\0"
    with pytest.raises(UsageError, match="at most 7 bytes of text, not 8"):
        encode_global(name, "12345678", "little")
    with pytest.raises(UsageError, match="without NUL"):
        encode_global(name, "a\0b", "little")


def test_raw_bytes_fit_exactly_or_begin_an_array() -> None:
    assert encode_global(spec(size=2), "hex:01ff", "big") == b"\x01\xff"
    assert encode_global(spec("struct", 3), "hex:010203", "little") == b"\x01\x02\x03"
    assert encode_global(spec("array", 4, type="__u8[4]"), "hex:01ff", "little") == b"\x01\xff\0\0"
    for text in ("hex:01", "hex:010203", "hex:1", "hex:zz"):
        with pytest.raises(UsageError):
            encode_global(spec(size=2), text, "little")


@pytest.mark.parametrize(
    ("type_", "size", "text", "expected"),
    [
        ("__u16[3]", 6, "[1,2]", b"\x01\0\x02\0\0\0"),
        ("int[2]", 8, "[-1, 0x10]", b"\xff\xff\xff\xff\x10\0\0\0"),
        ("unsigned char[3]", 3, "[255,0,1]", b"\xff\0\x01"),
        ("char[3]", 3, "[97,98,99]", b"abc"),
        ("__u8[2]", 2, "[]", b"\0\0"),
        ("unsigned long long[1]", 8, "[18446744073709551615]", b"\xff" * 8),
    ],
)
def test_arrays_of_numbers(type_: str, size: int, text: str, expected: bytes) -> None:
    assert encode_global(spec("array", size, type=type_), text, "little") == expected


@pytest.mark.parametrize("text", ["[1,2,3]", "[256]", "[-1]", "[a]", "1,2", "[1,]"])
def test_arrays_are_checked_number_by_number(text: str) -> None:
    with pytest.raises(UsageError, match=r"__u8\[2\]"):
        encode_global(spec("array", 2, type="__u8[2]"), text, "little")


def test_arrays_of_any_dimension() -> None:
    grid = spec("array", 6, type="unsigned char[2][3]")
    assert encode_global(grid, "[[1,2,3],[4]]", "little") == b"\1\2\3\4\0\0"
    with pytest.raises(UsageError, match=r"\[1\]\[0\] \(unsigned char\) takes 0 to 255, not 256"):
        encode_global(grid, "[[1],[256]]", "little")


def test_network_byte_order_is_asked_for() -> None:
    assert encode_global(spec(size=2), "be:80", "little") == b"\0\x50"
    assert encode_global(spec(), "be:10.0.0.1", "little") == b"\x0a\0\0\1"
    assert encode_global(spec("array", 4, type="unsigned short[2]"), "be:[1,2]", "little") == b"\0\1\0\2"
    assert encode_global(spec("array", 8, type="char[8]"), "be:80", "little") == b"be:80\0\0\0"


def test_addresses_where_the_type_says_enough() -> None:
    assert encode_global(spec("array", 4, type="unsigned char[4]"), "10.0.0.1", "little") == b"\x0a\0\0\1"
    assert encode_global(spec("array", 6, type="unsigned char[6]"), "02:bf:00:00:00:01", "big")[:2] == b"\x02\xbf"
    with pytest.raises(UsageError, match="in which byte order") as caught:
        encode_global(spec(), "10.0.0.1", "little")
    assert "--global-be" in caught.value.hint


def test_pointers_are_nobodys_to_set() -> None:
    with pytest.raises(UsageError, match="is a pointer and cannot be set"):
        encode_global(spec("pointer", 8), "1", "little")


@pytest.mark.parametrize("kind", ["struct", "union"])
def test_structs_and_unions_take_objects(kind: str) -> None:
    for text in ("1", "[1]"):
        with pytest.raises(UsageError, match=f"is a {kind} and takes an object like") as caught:
            encode_global(spec(kind, 8), text, "little")
        assert "hex:" in caught.value.hint


def test_floats() -> None:
    assert encode_global(spec("float", 8), "1.5", "big") == struct.pack(">d", 1.5)
    assert encode_global(spec("float", 4), "-2", "little") == struct.pack("<f", -2)
    for size, text in ((4, "1e60"), (8, "x"), (16, "1")):
        with pytest.raises(UsageError, match="number that fits"):
            encode_global(spec("float", size), text, "little")


def test_an_unknown_name_lists_those_that_exist_the_nearest_first() -> None:
    specs = [spec(name="rate", type="__u32"), spec(name="debug", kind="bool", size=1, type="_Bool")]
    with pytest.raises(UsageError, match="no global 'rat'") as caught:
        find_global(specs, "rat")
    assert caught.value.hint == "it has: rate (__u32), debug (_Bool)"
    with pytest.raises(UsageError) as caught:
        find_global(specs, "zzz")
    assert caught.value.hint == "it has: debug (_Bool), rate (__u32)"
    with pytest.raises(UsageError) as caught:
        find_global([], "rat")
    assert "BTF" in caught.value.hint


def test_what_the_kernel_fills_in_is_not_ours_to_set() -> None:
    kconfig = GlobalSpec("CONFIG_HZ", ".kconfig", "int", "int", 0, 4, True, b"", True, ())
    with pytest.raises(UsageError, match="nor any other"):
        find_global([kconfig], "CONFIG_HZ")


def laid_out(make: Callable[[BtfWriter], list[tuple[str, list[tuple[str, int, int]]]]], order: str = "little") -> Btf:
    """BTF of sections with (name, type, size) of each of their variables."""
    writer = BtfWriter(order)
    for section, variables_in in make(writer):
        at, rows = 0, []
        for name, type_id, size in variables_in:
            rows.append((writer.variable(name, type_id), at, size))
            at += size
        writer.section(section, *rows)
    return Btf(writer.data(), order, Limits())


def all_of(types: Btf) -> tuple[GlobalSpec, ...]:
    writer = types.raw_types(), types.raw_strings()
    head = struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(writer[0][0]), len(writer[0][0]), len(writer[1]))
    return variables(head + writer[0][0] + writer[1], byte_order="little")


def test_several_at_once() -> None:
    def make(w: BtfWriter) -> list[tuple[str, list[tuple[str, int, int]]]]:
        return [(".data", [("a", w.integer("u8", 1, 0), 1), ("b", w.integer("u16", 2, 0), 2)])]

    types = laid_out(make)
    done = encode_globals(types, all_of(types), {"b": "2", "a": "1"}, lambda each: bytes(each.size))
    assert [(one.name, value) for one, value in done] == [("b", b"\2\0"), ("a", b"\1")]


def test_a_struct_keeps_what_is_not_given() -> None:
    def make(w: BtfWriter) -> list[tuple[str, list[tuple[str, int, int]]]]:
        u8 = w.integer("u8", 1, 0)
        words = [word for name, at in (("a", 0), ("b", 8)) for word in (w.string(name), u8, at)]
        return [(".data", [("cfg", w.add(kinds.STRUCT, "cfg", 2, *words, vlen=2), 2)])]

    types = laid_out(make)
    ((one, value),) = encode_globals(types, all_of(types), {"cfg": '{"b": 9}'}, lambda _: b"\x07\x08")
    assert (one.type, value) == ("struct cfg", b"\x07\x09")
    with pytest.raises(UsageError, match=r"global 'cfg' \(struct cfg\): b \(u8\) takes 0 to 255, not 256"):
        encode_globals(types, all_of(types), {"cfg": "{b: 256}"}, lambda _: b"\x07\x08")


def test_statics_of_one_name_are_told_apart_by_section() -> None:
    def make(w: BtfWriter) -> list[tuple[str, list[tuple[str, int, int]]]]:
        u8 = w.integer("u8", 1, 0)
        return [(".data", [("limit", u8, 1), ("twice", u8, 1), ("twice", u8, 1)]), (".bss", [("limit", u8, 1)])]

    types = laid_out(make)
    specs = all_of(types)
    with pytest.raises(UsageError, match="2 globals called 'limit'") as caught:
        find_global(specs, "limit")
    assert caught.value.hint == "say which: .bss:limit, .data:limit"
    assert find_global(specs, ".bss:limit").section == ".bss"
    with pytest.raises(UsageError, match="2 globals called") as caught:
        find_global(specs, "twice")
    assert "statics of several sources" in caught.value.hint


def test_the_hint_for_a_hexadecimal_number_is_no_longer_than_one() -> None:
    with pytest.raises(UsageError) as caught:
        encode_global(spec(), "9" * 100_000, "little")
    assert len(caught.value.hint) < 200
