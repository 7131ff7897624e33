"""A dump of filters, as bytes: what the kernel writes, and what it never does."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from bpfimg.kernel._netlink_dump import read
from bpfimg.kernel._netlink_tc import Filter, _filter


def attribute(kind: int, data: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def message(kind: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, 2, 1, 0) + body + bytes(-len(body) % 4)


def filter_of(options: bytes, kind: bytes = b"bpf\0", handle: int = 7) -> bytes:
    head = struct.pack("=BxxxiIII", 0, 3, handle, 0xFFFFFFF2, 50 << 16 | 0x300)
    return message(44, head + attribute(1, kind) + attribute(0x8000 | 2, options))


def filters(data: bytes) -> tuple[list[Filter], bool]:
    bodies, done = read(data, 20)
    return [found for body in bodies for found in _filter(body, 3, "ingress")], done


def test_filters_and_the_end() -> None:
    number = attribute(7, b"name\0") + attribute(11, struct.pack("=I", 99))
    data = filter_of(number) + filter_of(b"") + filter_of(number, kind=b"u32\0") + filter_of(number, handle=8)
    both = [Filter(3, "ingress", 99, handle, 50, name="name") for handle in (7, 8)]
    assert filters(data) == (both, False)
    assert filters(data + message(3, bytes(4)) + data) == (both, True)
    assert filters(message(2, bytes(20))) == ([], True)


@given(st.binary(max_size=200), st.integers(0, 120))
def test_no_bytes_make_it_fail_or_go_on_for_ever(junk: bytes, cut: int) -> None:
    whole = filter_of(attribute(11, struct.pack("=I", 99)))
    filters(junk)
    filters(whole[:cut] + junk)
    filters(whole[:36] + junk + whole[36:])
