"""Arguments into buffers, answers out of them."""

from __future__ import annotations

import itertools

import pytest

from bpfimg.kernel import abi
from bpfimg.kernel._bpf_info import LinkInfo
from bpfimg.kernel._bpf_maps import object_name
from bpfimg.kernel._bpffs import _record_btf
from bpfimg.kernel._syscall import ATTR_SIZE, ORDER, fill, take


def test_fields_go_to_their_offsets_and_the_rest_is_zero() -> None:
    buffer = fill(abi.ATTR_MAP_CREATE, {"map_type": 2, "value_size": 0x01020304, "map_name": b"abc"})
    assert len(buffer) == ATTR_SIZE
    assert buffer[0:4] == (2).to_bytes(4, ORDER)
    assert buffer[8:12] == (0x01020304).to_bytes(4, ORDER)
    assert buffer[28:32] == b"abc\0"
    assert sum(1 for byte in buffer if byte) == 8


def test_a_field_beyond_the_answer_is_none_not_zero() -> None:
    info = bytearray(512)
    assert take(info, abi.PROG_INFO, "verified_insns", 232) == 0
    assert take(info, abi.PROG_INFO, "verified_insns", 216) is None
    assert take(info, abi.PROG_INFO, "verified_insns", 219) is None


@pytest.mark.parametrize("name", [name for name in vars(abi) if name.startswith("ATTR_")] + ["PROG_INFO", "MAP_INFO"])
def test_fields_do_not_overlap(name: str) -> None:
    spans = sorted(set(getattr(abi, name).values()))  # names for one place (value, next_key) are one span
    for (start, width), (following, _) in itertools.pairwise(spans):
        assert start + width <= following
    assert all(width == 16 or (width in (4, 8) and start % width == 0) for start, width in spans)


@pytest.mark.parametrize(
    ("given", "name"),
    [("counters", b"counters"), ("a_name_of_many_characters", b"a_name_of_many_"), ("x-y z.é", b"x_y_z._"), ("", b"")],
)
def test_names_as_the_kernel_takes_them(given: str, name: bytes) -> None:
    assert object_name(given) == name


def test_btf_of_a_record_is_one_array_of_characters() -> None:
    data = _record_btf(77)
    assert int.from_bytes(data[0:2], ORDER) == 0xEB9F
    lengths = [int.from_bytes(data[at : at + 4], ORDER) for at in range(4, 24, 4)]
    header, type_start, type_length, names_start, names_length = lengths
    assert (header, type_start, names_start) == (24, 0, type_length)
    assert len(data) == 24 + type_length + names_length
    assert data.endswith(b"\0char\0u32\0")
    assert (77).to_bytes(4, ORDER) in data


def test_values_are_frozen_and_compare() -> None:
    fields = {"id": 1, "type": 6, "prog_id": 2, "ifindex": 3, "attach_type": None, "target": None}
    one, same = LinkInfo(**fields), LinkInfo(**fields)  # type: ignore[arg-type]
    assert one == same
    assert hash(one) == hash(same)
    assert one != LinkInfo(**{**fields, "id": 7})  # type: ignore[arg-type]
    shown = "attach_type=None, target=None, target_program=None, target_type=None"
    assert repr(one) == f"LinkInfo(id=1, type=6, prog_id=2, ifindex=3, {shown})"
    with pytest.raises(AttributeError, match="frozen"):
        one.id = 5  # type: ignore[misc]
    with pytest.raises(TypeError, match="lacks"):
        LinkInfo(id=1)  # type: ignore[call-arg]
