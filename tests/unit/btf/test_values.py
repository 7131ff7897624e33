"""Bytes to plain values by their type, and back."""

from __future__ import annotations

import math
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bpfimg.btf import Btf, Limits, values
from bpfimg.errors import BytecodeError, UsageError
from tests.support import btf as kinds
from tests.support.btf import BtfWriter

if TYPE_CHECKING:
    from collections.abc import Callable

SIGNED, CHAR, BOOL = 1, 2, 4
ORDERS = ("little", "big")


def built(make: Callable[[BtfWriter], int], order: str = "little") -> tuple[Btf, int]:
    writer = BtfWriter(order)
    type_id = make(writer)
    return Btf(writer.data(), order, Limits()), type_id


def struct_of(writer: BtfWriter, name: str, size: int, *members: tuple[str, int, int], union: bool = False) -> int:
    words = [word for member, type_id, bits in members for word in (writer.string(member), type_id, bits)]
    return writer.add(kinds.UNION if union else kinds.STRUCT, name, size, *words, vlen=len(members))


def bit_fields(writer: BtfWriter, name: str, size: int, *members: tuple[str, int, int, int]) -> int:
    words = [w for member, type_id, at, width in members for w in (writer.string(member), type_id, width << 24 | at)]
    return writer.add(kinds.STRUCT, name, size, *words, vlen=len(members), flag=True)


def round_trip(btf: Btf, type_id: int, value: Any) -> Any:
    return values.decode(btf, type_id, values.encode(btf, type_id, value))


@pytest.mark.parametrize("order", ORDERS)
@given(st.sampled_from([1, 2, 4, 8, 16]), st.booleans(), st.data())
def test_integers_of_all_widths_round_trip(order: str, size: int, signed: bool, data: st.DataObject) -> None:
    btf, number = built(lambda w: w.integer("n", size, SIGNED if signed else 0), order)
    low, high = (-(1 << 8 * size - 1), (1 << 8 * size - 1) - 1) if signed else (0, (1 << 8 * size) - 1)
    value = data.draw(st.integers(low, high))
    encoded = values.encode(btf, number, value)
    assert int.from_bytes(encoded, order, signed=signed) == value  # type: ignore[arg-type]
    assert values.decode(btf, number, encoded) == value
    assert values.encode(btf, number, str(value)) == values.encode(btf, number, hex(value)) == encoded
    for wrong in (low - 1, high + 1):
        with pytest.raises(UsageError, match=f"takes {low} to {high}, not {wrong}"):
            values.encode(btf, number, wrong)


def test_network_order_turns_numbers_around() -> None:
    btf, number = built(lambda w: w.integer("unsigned int", 4, 0))
    assert values.encode(btf, number, 80, network=True) == b"\0\0\0\x50"
    assert values.encode(btf, number, "10.0.0.1", network=True) == b"\x0a\0\0\x01"
    with pytest.raises(UsageError, match="does not say in which byte order") as caught:
        values.encode(btf, number, "10.0.0.1")
    assert "--global-be" in caught.value.hint


@pytest.mark.parametrize("order", ORDERS)
def test_addresses_go_where_the_type_says_network_order(order: str) -> None:
    def make(w: BtfWriter) -> int:
        u32, u8 = w.integer("unsigned int", 4, 0), w.integer("unsigned char", 1, 0)
        be32 = w.add(kinds.TYPEDEF, "__be32", u32)
        v4 = struct_of(w, "in_addr", 4, ("s_addr", be32, 0))
        v6 = struct_of(w, "in6_addr", 16, ("words", w.array(be32, 4), 0))
        members = (("be", be32, 0), ("v4", v4, 32), ("v6", v6, 64), ("mac", w.array(u8, 6), 192))
        return struct_of(w, "hosts", 40, *members, ("four", w.array(u8, 4), 240))

    btf, hosts = built(make, order)
    given = {"be": "10.0.0.1", "v4": "10.0.0.2", "v6": "fe80::1", "mac": "02:bf:00:00:00:01", "four": "10.0.0.3"}
    encoded = values.encode(btf, hosts, given)
    assert encoded[:8] == b"\x0a\0\0\x01\x0a\0\0\x02"
    assert encoded[8:24] == bytes.fromhex("fe80" + "00" * 13 + "01")
    assert encoded[24:30] == bytes.fromhex("02bf00000001")
    assert encoded[30:34] == b"\x0a\0\0\x03"
    # a number stays what the program reads as one
    (number,) = struct.unpack("<I" if order == "little" else ">I", values.encode(btf, hosts, {"be": 1})[:4])
    assert number == 1


def test_bools_chars_enums_and_floats() -> None:
    def make(w: BtfWriter) -> int:
        colour = w.add(kinds.ENUM, "colour", 4, w.string("RED"), 1, w.string("MINUS"), 0xFFFFFFFF, vlen=2, flag=True)
        wide = w.add(kinds.ENUM64, "wide", 8, w.string("HUGE"), 0, 1, vlen=1)
        return struct_of(
            w,
            "all",
            40,
            ("flag", w.integer("_Bool", 1, BOOL), 0),
            ("letter", w.integer("char", 1, SIGNED), 8),
            ("colour", colour, 32),
            ("wide", wide, 64),
            ("f", w.add(kinds.FLOAT, "float", 4), 128),
            ("d", w.add(kinds.FLOAT, "double", 8), 192),
        )

    btf, whole = built(make)
    given = {"flag": True, "letter": 65, "colour": "MINUS", "wide": "HUGE", "f": 1.5, "d": -2.25}
    assert round_trip(btf, whole, given) == given
    same = {"flag": "yes", "letter": "A", "colour": -1, "wide": 1 << 32, "f": "1.5", "d": "-2.25"}
    assert values.encode(btf, whole, same) == values.encode(btf, whole, given)
    assert values.decode(btf, whole, values.encode(btf, whole, {"colour": 7}))["colour"] == 7  # type: ignore[index,call-overload]
    with pytest.raises(
        UsageError, match=r"all\): colour \(enum colour\) takes one of its names or a number, not 'REDD'"
    ) as caught:
        values.encode(btf, whole, {"colour": "REDD"})
    assert caught.value.hint == "did you mean RED? it has: RED, MINUS"
    with pytest.raises(UsageError, match=r"flag \(_Bool\) is a bool and takes true or false, not 2"):
        values.encode(btf, whole, {"flag": 2})
    with pytest.raises(UsageError, match=r"takes a number, not True"):
        values.encode(btf, whole, {"letter": True})
    decoded = values.decode(btf, whole, values.encode(btf, whole, {"f": math.inf, "d": math.nan}))
    assert values.shown(decoded)["f"] == "inf"  # type: ignore[index,call-overload]


@pytest.mark.parametrize("order", ORDERS)
@given(st.integers(0, 7), st.integers(-16, 15), st.integers(0, (1 << 31) - 1), st.integers(0, (1 << 33) - 1))
def test_bit_fields_round_trip_and_leave_their_neighbours_alone(order: str, a: int, b: int, c: int, d: int) -> None:
    def make(w: BtfWriter) -> int:
        u32, s32, u64 = w.integer("u32", 4, 0), w.integer("s32", 4, SIGNED), w.integer("u64", 8, 0)
        fields = (("a", u32, 0, 3), ("b", s32, 3, 5), ("c", u32, 32, 31), ("d", u64, 64, 33))
        return bit_fields(w, "bits", 16, *fields)

    btf, bits = built(make, order)
    given = {"a": a, "b": b, "c": c, "d": d}
    encoded = values.encode(btf, bits, given)
    assert values.decode(btf, bits, encoded) == given
    again = values.encode(btf, bits, {"b": -1}, initial=encoded)
    assert values.decode(btf, bits, again) == {**given, "b": -1}
    with pytest.raises(UsageError, match=r"a \(u32\) takes 0 to 7, not 8"):
        values.encode(btf, bits, {"a": 8})


def test_a_bit_field_lies_where_compilers_put_it() -> None:
    btf, bits = built(lambda w: bit_fields(w, "b", 4, ("a", w.integer("u32", 4, 0), 0, 3)), "big")
    assert values.encode(btf, bits, {"a": 5}) == bytes([5 << 5, 0, 0, 0])
    btf, bits = built(lambda w: bit_fields(w, "b", 4, ("a", w.integer("u32", 4, 0), 0, 3)))
    assert values.encode(btf, bits, {"a": 5}) == bytes([5, 0, 0, 0])


def nested(w: BtfWriter) -> int:
    """struct outer { char name[8]; struct { u16 x; union { u32 whole; u8 parts[4]; }; }; struct in[2][2]; void *p; }"""
    char, u8, u16, u32 = (
        w.integer("char", 1, SIGNED),
        w.integer("unsigned char", 1, 0),
        w.integer("unsigned short", 2, 0),
        w.integer("unsigned int", 4, 0),
    )
    union = struct_of(w, "", 4, ("whole", u32, 0), ("parts", w.array(u8, 4), 0), union=True)
    unnamed = struct_of(w, "", 8, ("x", u16, 0), ("", union, 32))
    inner = struct_of(w, "inner", 4, ("a", u16, 0), ("b", u16, 16))
    grid = w.array(w.array(inner, 2), 2)
    return struct_of(
        w,
        "outer",
        40,
        ("name", w.array(char, 8), 0),
        ("", unnamed, 64),
        ("grid", grid, 128),
        ("p", w.add(kinds.PTR, "", 0), 256),
    )


@pytest.mark.parametrize("order", ORDERS)
def test_structs_are_objects_and_what_is_not_named_stays(order: str) -> None:
    btf, outer = built(nested, order)
    initial = bytes(range(1, 41))
    before: Any = values.decode(btf, outer, initial)
    assert before["name"] == [1, 2, 3, 4, 5, 6, 7, 8]  # no NUL: not text
    assert before["x"] == int.from_bytes(b"\x09\x0a", order)  # type: ignore[arg-type]
    assert before["parts"] == [13, 14, 15, 16]
    assert before["p"] == hex(int.from_bytes(bytes(range(33, 41)), order))  # type: ignore[arg-type]
    encoded = values.encode(btf, outer, {"name": "eth0", "x": 7, "grid": [[{"b": 9}]]}, initial=initial)
    after: Any = values.decode(btf, outer, encoded)
    assert (after["name"], after["x"], after["whole"]) == ("eth0", 7, before["whole"])
    assert after["grid"] == [[{"a": before["grid"][0][0]["a"], "b": 9}, {"a": 0, "b": 0}], [{"a": 0, "b": 0}] * 2]
    # what was read can be written as a whole: pointers and members that share bytes say the same
    assert values.encode(btf, outer, before, initial=initial) == initial


def test_places_in_messages() -> None:
    btf, outer = built(nested)
    for value, sentence in (
        (
            {"grid": [[], [{}, {"a": 65536}]]},
            r"outer\): grid\[1\]\[1\].a \(unsigned short\) takes 0 to 65535, not 65536",
        ),
        ({"grid": [[], [], []]}, r"grid \(struct inner\[2\]\[2\]\) takes 2 values, not 3"),
        ({"name": "12345678"}, r"name \(char\[8\]\) takes at most 7 bytes of text, not 8"),
        ({"p": "0x1"}, r"p \(void \*\) is a pointer and cannot be set"),
        ({"whole": 1, "parts": [2]}, r"is given members that share bytes and differ \(whole, parts\)"),
        ({"nmae": 1}, "has no member 'nmae'"),
        ({"x": [1]}, r"x \(unsigned short\) takes a number, not \[1\]"),
        (5, "is a struct and takes an object like"),
        ({"name": 5}, r"name \(char\[8\]\) takes a list"),
    ):
        with pytest.raises(UsageError, match=sentence):
            values.encode(btf, outer, value)  # type: ignore[arg-type]
    with pytest.raises(UsageError) as caught:
        values.encode(btf, outer, {"nmae": 1})
    assert caught.value.hint == "did you mean name? it has: name, x, whole, parts, grid, p"


def test_members_of_a_union_may_agree() -> None:
    btf, outer = built(nested)
    assert values.encode(btf, outer, {"whole": 1, "parts": [1, 0, 0, 0]})[12:16] == b"\1\0\0\0"


def test_text_that_reads_as_raw_bytes_is_shown_as_numbers() -> None:
    btf, text = built(lambda w: w.array(w.integer("char", 1, SIGNED), 8))
    assert values.decode(btf, text, b"hex:00\0\0") == list(b"hex:00\0\0")


def test_raw_bytes_anywhere() -> None:
    btf, outer = built(nested)
    assert values.encode(btf, outer, {"x": "hex:0102", "parts": "hex:07"})[8:16] == b"\1\2\0\0\7\0\0\0"
    with pytest.raises(UsageError, match=r"x \(unsigned short\) is 2 bytes large, but hex: gives 1"):
        values.encode(btf, outer, {"x": "hex:01"})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[1, 0x10, -3]", [1, 16, -3]),
        ('{"a": 1, "b": [true, "x y"]}', {"a": 1, "b": [True, "x y"]}),
        ("{a: RED, b: 10.0.0.1, c: 1.5}", {"a": "RED", "b": "10.0.0.1", "c": "1.5"}),
        ("{mac: 02:bf:00:00:00:01, v6: fe80::1}", {"mac": "02:bf:00:00:00:01", "v6": "fe80::1"}),
        ("[]", []),
        ("{}", {}),
        ("007", 7),
        ('"a\\"b"', 'a"b'),
    ],
)
def test_what_people_write(text: str, value: Any) -> None:
    assert values.parse(text) == value


@pytest.mark.parametrize("text", ["[1,]", "[1", "{", "{a}", "{a:}", "{a:1,a:2}", "1]", "", "[,]", '"x', "[" * 99])
def test_what_is_no_value(text: str) -> None:
    with pytest.raises(UsageError):
        values.parse(text)


@given(st.text(max_size=40))
@settings(max_examples=300)
def test_no_text_makes_the_parser_stumble(text: str) -> None:
    with suppress(UsageError):
        values.parse(text)


def plain(draw: Callable[[Any], Any], w: BtfWriter, level: int) -> tuple[int, int, st.SearchStrategy[Any]]:
    """A random type: its id, its size, and values that it takes."""
    shape = draw(st.sampled_from(["int", "text", "enum", "float", "array", "struct"] if level < 3 else ["int", "enum"]))
    if shape == "int":
        size, signed = draw(st.sampled_from([1, 2, 4, 8, 16])), draw(st.booleans())
        low, high = (-(1 << 8 * size - 1), (1 << 8 * size - 1) - 1) if signed else (0, (1 << 8 * size) - 1)
        return w.integer("n", size, SIGNED if signed else 0), size, st.integers(low, high)
    if shape == "enum":
        return w.add(kinds.ENUM, "e", 4, w.string("A"), 0, w.string("B"), 9, vlen=2), 4, st.sampled_from(["A", "B", 3])
    if shape == "float":
        return w.add(kinds.FLOAT, "double", 8), 8, st.floats(allow_nan=False)
    if shape == "text":
        size = draw(st.integers(1, 9))
        letters = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=size - 1)
        texts = letters.filter(lambda text: not text.startswith("hex:"))
        return w.array(w.integer("char", 1, SIGNED), size), size, texts
    if shape == "array":
        inner, size, taken = plain(draw, w, level + 1)
        count = draw(st.integers(1, 3))
        return w.array(inner, count), size * count, st.lists(taken, min_size=count, max_size=count)
    members, fields, at = [], {}, 0
    for index in range(draw(st.integers(1, 4))):
        inner, size, taken = plain(draw, w, level + 1)
        inner = w.add(draw(st.sampled_from([kinds.TYPEDEF, kinds.CONST, kinds.VOLATILE])), "", inner)
        members.append((f"m{index}", inner, 8 * at))
        fields[f"m{index}"] = taken
        at += size
    return struct_of(w, "s", at, *members), at, st.fixed_dictionaries(fields)


@given(st.data(), st.sampled_from(ORDERS))
@settings(max_examples=300)
def test_any_value_of_any_type_round_trips(data: st.DataObject, order: str) -> None:
    writer = BtfWriter(order)
    type_id, size, taken = plain(data.draw, writer, 0)
    assume(size <= 4096)
    btf = Btf(writer.data(), order, Limits())
    value = data.draw(taken)
    encoded = values.encode(btf, type_id, value)
    assert len(encoded) == size
    assert values.decode(btf, type_id, encoded) == value
    assert values.encode(btf, type_id, values.shown(value), initial=bytes(size)) == encoded


@given(st.binary(max_size=64))
def test_bytes_too_short_and_types_without_a_value_are_one_error(data: bytes) -> None:
    btf, outer = built(nested)
    if len(data) < 40:
        with pytest.raises(BytecodeError):
            values.decode(btf, outer, data)
    with pytest.raises(BytecodeError):
        values.decode(btf, 0, data)


def test_endless_types_end() -> None:
    def make(w: BtfWriter) -> int:
        return struct_of(w, "self", 8, ("self", 1, 0))

    btf, endless = built(make)
    with pytest.raises(BytecodeError, match="cycle"):
        values.decode(btf, endless, bytes(8))
    value: Any = 1
    for _ in range(40):
        value = {"self": value}
    with pytest.raises(BytecodeError, match="cycle"):
        values.encode(btf, endless, value)

    def huge(w: BtfWriter) -> int:
        return w.array(struct_of(w, "none", 0), 1 << 30)

    btf, endless = built(huge)
    with pytest.raises(BytecodeError, match="parts"):
        values.decode(btf, endless, b"")


def test_the_first_difference_of_two_types() -> None:
    def shape(w: BtfWriter, *, count: int = 2, red: int = 1, width: int = 3, signed: bool = False) -> int:
        u32 = w.integer("u32", 4, SIGNED if signed else 0)
        enum = w.add(kinds.ENUM, "colour", 4, w.string("RED"), red, vlen=1)
        bits = bit_fields(w, "bits", 4, ("low", u32, 0, width))
        members = (("list", w.array(u32, count), 0), ("colour", enum, 64), ("bits", bits, 96))
        return struct_of(w, "shape", 24, *members, ("p", w.add(kinds.PTR, "", u32), 128))

    same, same_id = built(shape)
    for changed, sentence in (
        ({}, ""),
        ({"count": 1}, "member list is u32[1], expected u32[2]"),
        ({"red": 2}, "member colour: enumerator RED is 2, expected 1"),
        ({"width": 4}, "member bits.low is at bit 0 in 4 bits, expected bit 0 in 3 bits"),
        ({"signed": True}, "member list[] is u32 (signed 32 bits), expected u32 (unsigned 32 bits)"),
    ):
        other, other_id = built(lambda w, changed=changed: shape(w, **changed))  # type: ignore[misc]
        assert values.difference(other, other_id, same, same_id) == sentence


def test_totals() -> None:
    one, two = {"n": 1, "list": [1, 2], "name": "a", "on": True}, {"n": 2, "list": [3, 4], "name": "b", "on": True}
    assert values.total([one, two]) == {"n": 3, "list": [4, 6], "name": None, "on": True}
