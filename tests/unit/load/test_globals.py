"""Words to bytes, by the type of the global."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfimg.bytecode import GlobalSpec
from bpfimg.errors import UsageError
from bpfimg.load._globals import encode_global, encode_globals, find_global


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
        enumerators=(("OFF", 0), ("ON", 7)) if kind == "enum" else (),
    )


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


@pytest.mark.parametrize("type_", ["struct s[2]", "void *[2]", "foo_t[2]", "__u8[2][2]", "float[2]", "enum e[2]"])
def test_arrays_of_anything_else_take_raw_bytes_only(type_: str) -> None:
    with pytest.raises(UsageError, match="raw bytes only") as caught:
        encode_global(spec("array", 16, type=type_), "[1,2]", "little")
    assert "hex:" in caught.value.hint


@pytest.mark.parametrize("kind", ["struct", "union", "pointer", "other"])
def test_other_kinds_take_raw_bytes_only(kind: str) -> None:
    with pytest.raises(UsageError, match="raw bytes only"):
        encode_global(spec(kind, 8), "1", "little")


def test_floats() -> None:
    assert encode_global(spec("float", 8), "1.5", "big") == struct.pack(">d", 1.5)
    assert encode_global(spec("float", 4), "-2", "little") == struct.pack("<f", -2)
    for size, text in ((4, "1e60"), (8, "x"), (16, "1")):
        with pytest.raises(UsageError, match="number that fits"):
            encode_global(spec("float", size), text, "little")


def test_an_unknown_name_lists_those_that_exist() -> None:
    specs = [spec(name="rate", type="__u32"), spec(name="debug", kind="bool", size=1, type="_Bool")]
    with pytest.raises(UsageError, match="no global 'rat'") as caught:
        find_global(specs, "rat")
    assert caught.value.hint == "it has: debug (_Bool), rate (__u32)"
    with pytest.raises(UsageError) as caught:
        find_global([], "rat")
    assert "BTF" in caught.value.hint


def test_what_the_kernel_fills_in_is_not_ours_to_set() -> None:
    kconfig = GlobalSpec("CONFIG_HZ", ".kconfig", "int", "int", 0, 4, True, b"", True, ())
    with pytest.raises(UsageError, match="0 globals"):
        find_global([kconfig], "CONFIG_HZ")


def test_several_at_once() -> None:
    specs = [spec(name="a", size=1), spec(name="b", size=2)]
    done = encode_globals(specs, {"b": "2", "a": "1"}, "big")
    assert [(one.name, value) for one, value in done] == [("b", b"\0\2"), ("a", b"\1")]


def test_the_hint_for_a_hexadecimal_number_is_no_longer_than_one() -> None:
    with pytest.raises(UsageError) as caught:
        encode_global(spec(), "9" * 100_000, "little")
    assert len(caught.value.hint) < 200
