"""Files whose parts lie over each other, so that little of a file means very much work or memory: refused early."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from bpfimg.bytecode import executable
from bpfimg.errors import BytecodeError

if TYPE_CHECKING:
    from collections.abc import Sequence

_NOTES, _SYMBOLS, _STRINGS = 4, 2, 3


@dataclass
class Counted:
    """A file that counts what is read of it."""

    data: bytes
    bytes: int = field(default=0)

    def read(self, at: int, size: int) -> bytes:
        found = self.data[at : at + size]
        self.bytes += len(found)
        return found


def elf(segments: Sequence[tuple[int, int, int]] = ((1, 0, 1 << 20),), sections: Sequence[bytes] = ()) -> bytes:
    """An ELF header with (type, offset, size) for each segment, and section headers behind them."""
    after = 64 + 56 * len(segments)
    head = b"\x7fELF\2\1\1" + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, after, 0, 64, 56, len(segments), 64, len(sections), 0)
    rows = b"".join(struct.pack("<IIQQQQQQ", kind, 5, at, 0, 0, size, size, 4) for kind, at, size in segments)
    return head + rows + b"".join(sections)


def section(kind: int, at: int, size: int, link: int = 0) -> bytes:
    return struct.pack("<IIQQQQIIQQ", 0, kind, 0, 0, at, size, link, 0, 8, 24)


def with_symbols(starts: Sequence[int], strings: bytes) -> bytes:
    """A file with a symbol for each place in the table of strings."""
    at = 64 + 56 + 3 * 64
    table = b"".join(struct.pack("<IBBHQQ", start, 0x12, 0, 1, n, 1) for n, start in enumerate(starts))
    headers = (
        section(0, 0, 0),
        section(_SYMBOLS, at, len(table), 2),
        section(_STRINGS, at + len(table), len(strings)),
    )
    return elf(sections=headers) + table + strings


def opened(data: bytes, **limits: int) -> executable.Executable:
    return executable.read(lambda at, size: data[at : at + size], len(data), executable.Limits(**limits))


def test_notes_that_thousands_of_headers_name_are_searched_twice_at_most() -> None:
    data = elf([(_NOTES, 0, 4096)] * 500) + bytes(4096)
    file = Counted(data)
    assert executable.build_id(executable.read(file.read, len(data), executable.Limits(note_bytes=4096))) is None
    assert file.bytes < 64 + 500 * 56 + 3 * 4096


def test_symbols_may_not_have_more_names_than_their_table() -> None:
    strings = b"\0" + bytes(range(33, 127)) * 10 + b"\0"
    assert len(list(executable.functions(opened(with_symbols([1], strings), string_bytes=len(strings))))) == 1
    with pytest.raises(BytecodeError, match="overlap"):
        list(executable.functions(opened(with_symbols(range(1, 500), strings), string_bytes=len(strings))))


def test_a_name_that_is_everywhere_in_the_table_is_found_without_a_list_of_its_places() -> None:
    strings = b"\0" + b"a\0" * (1 << 17)
    (found,) = executable.named(opened(with_symbols([(1 << 17) + 1], strings)), "a")
    assert found.name == "a"
    assert executable.named(opened(with_symbols([(1 << 17) + 1], strings)), "b") == ()


def test_many_functions_of_one_name_are_too_many() -> None:
    data = with_symbols([1] * 100, b"\0again\0")
    assert len(executable.named(opened(data), "again")) == 100
    with pytest.raises(BytecodeError, match="more than 99 symbols of one name"):
        executable.named(opened(data, same_name=99), "again")


def test_entries_of_the_cache_may_not_share_long_names() -> None:
    text = b"/" + b"a" * 4000 + b"\0"

    def cache(entries: int) -> bytes:
        at = 48 + 24 * entries
        head = b"glibc-ld.so.cache1.1" + struct.pack("=II", entries, len(text)) + bytes(20)
        return head + struct.pack("=iIIIQ", 0, at, at, 0, 0) * entries + text

    limits = executable.Limits(cache_bytes=100_000)
    assert len(executable.libraries(cache(10), limits)) == 10
    with pytest.raises(BytecodeError, match="overlap"):
        executable.libraries(cache(1000), limits)


def test_what_has_no_size_is_not_read() -> None:
    """Files of proc: a read of some waits, or takes something away from others."""
    file = Counted(elf())
    with pytest.raises(BytecodeError, match="not an ELF file"):
        executable.read(file.read, 0)
    assert file.bytes == 0
