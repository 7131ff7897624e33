"""libxdp's record: the bytes that its tools write, and what comes of bytes that nobody should have written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfimg.dispatcher._record import SIZES, Record, decode, encode
from bpfimg.errors import DamagedRecord

WORDS = st.integers(0, 2**32 - 1)

#: as xdp-loader 1.3.1 writes it for three programs of priorities 5, 10 and 20
SEEN = bytes.fromhex("ec020300 04000080 06000080 0c000080".replace(" ", "")) + bytes(28)
SEEN += bytes.fromhex("050000000a00000014000000") + bytes(28) + bytes(40)


def test_a_record_of_libxdp_is_read_and_written_byte_for_byte() -> None:
    found = decode(SEEN)
    assert found == Record(2, (0x80000004, 0x80000006, 0x8000000C), (5, 10, 20), (0, 0, 0), frags=False)
    assert encode(found) == SEEN


@st.composite
def records(draw: st.DrawFn) -> Record:
    count = draw(st.integers(0, 10))
    rows = [tuple(draw(st.lists(WORDS, min_size=count, max_size=count))) for _ in range(3)]
    version = draw(st.sampled_from((2, 3)))
    return Record(version, *rows, frags=draw(st.booleans()), devbound=version == 3 and draw(st.booleans()))


@given(records())
def test_what_is_written_is_read(record: Record) -> None:
    written = encode(record)
    assert len(written) == SIZES[record.version]
    assert decode(written) == decode(written, record.version) == record


@given(st.integers(0, 10), st.lists(WORDS, min_size=20, max_size=20))
def test_the_first_version_has_masks_and_priorities_only(count: int, words: list[int]) -> None:
    value = bytes([count, 0, 0, 0]) + b"".join(word.to_bytes(4, "little") for word in words)
    found = decode(value, 1)
    assert (found.version, found.frags, found.flags) == (1, False, (0,) * count)
    assert (found.masks, found.priorities) == (tuple(words[:count]), tuple(words[10 : 10 + count]))


@given(st.one_of(st.binary(max_size=140), st.binary(max_size=127).map(lambda rest: b"\xec\x02" + rest)))
def test_any_other_bytes_are_damage_and_nothing_worse(value: bytes) -> None:
    for version in (None, 1, 2, 3):
        try:
            found = decode(value, version)
        except DamagedRecord:
            continue
        assert len(found.masks) == len(found.priorities) == len(found.flags) <= 10


@pytest.mark.parametrize(
    ("value", "version", "says"),
    [
        (SEEN[:-1], None, "123 bytes, expected 124 in version 2"),
        (SEEN, 3, "of version 2, expected 3"),
        (b"\xec\x04" + SEEN[2:], None, "of version 4, expected 2 or 3"),
        (b"\xec\x02\x0b" + SEEN[3:], None, "11 slots, expected at most 10"),
        (b"\x0b" + bytes(83), 1, "11 slots, expected at most 10"),
        (b"\x01" + SEEN[1:], None, "without libxdp's magic number 236"),
        (b"", None, "0 bytes without"),
        (b"", 1, "0 bytes, expected 84"),
    ],
)
def test_damage_is_named(value: bytes, version: int | None, says: str) -> None:
    with pytest.raises(DamagedRecord, match=says):
        decode(value, version)


def test_versions_that_are_only_read_are_not_written() -> None:
    for record in (Record(1, (), (), (), frags=False), Record(2, (0,) * 11, (0,) * 11, (0,) * 11, frags=False)):
        with pytest.raises(ValueError, match="expected 2 or 3, and 10"):
            encode(record)
