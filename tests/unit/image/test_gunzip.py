"""Bounded gunzip: every member, nothing but members, and never more than was agreed."""

from __future__ import annotations

import gzip
import random
import resource
import subprocess
import sys
import zlib

import pytest

from bpfimg.errors import ImageError
from bpfimg.image._gunzip import gunzip
from bpfimg.image._layer import gzip_stored
from bpfimg.image._limits import KIB, MIB, Limits
from tests.support.tars import bomb, gzipped


@pytest.mark.parametrize("size", [0, 1, 511, 0xFFFE, 0xFFFF, 0x10000, 3 * MIB + 7])
@pytest.mark.parametrize("level", [0, 1, 9])
def test_gives_back_what_was_packed(size: int, level: int) -> None:
    content = random.Random(size).randbytes(size // 2) + bytes(size - size // 2)
    assert gunzip(gzipped(content, level)) == content


def test_reads_every_member_and_headers_with_names_and_comments() -> None:
    named = b"\x1f\x8b\x08\x1c\0\0\0\0\0\xff" + b"\x02\0ab" + b"name\0" + b"comment\0"
    raw = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = raw.compress(b"two") + raw.flush()
    middle = named + body + zlib.crc32(b"two").to_bytes(4, "little") + (3).to_bytes(4, "little")
    packed = gzipped(b"one ") + middle + gzipped(b"") + gzip_stored(b" three")
    assert gunzip(packed) == b"one two three" == gzip.decompress(packed)


@pytest.mark.parametrize(
    ("packed", "sentence"),
    [
        (b"", "is not gzip"),
        (b"\x1f", "is not gzip"),
        (b"\x28\xb5\x2f\xfd" + bytes(20), "is not gzip"),
        (gzipped(b"x") + b"\0", "1 bytes after its last gzip member"),
        (gzipped(b"x") + bytes(512), "512 bytes after"),
        (gzipped(b"x" * 100)[:-1], "is cut"),
        (gzipped(b"x" * 100)[:12], "is cut"),
        (gzipped(b"x") + b"\x1f\x8b", "is cut"),
        (gzipped(b"x")[:-5] + b"\xff" + gzipped(b"x")[-4:], "damaged"),
        (gzipped(b"x")[:-1] + b"\xff", "damaged"),
        (b"\x1f\x8b\x08\xe0" + bytes(30), "damaged"),
    ],
)
def test_refuses_what_is_not_members_and_nothing_else(packed: bytes, sentence: str) -> None:
    with pytest.raises(ImageError, match=sentence) as caught:
        gunzip(packed)
    assert caught.value.rules == ("BI-10",)


def test_the_bound_is_on_all_members_together() -> None:
    limits = Limits(unpacked=10 * KIB, ratio=10**9)
    assert len(gunzip(gzipped(bytes(5 * KIB)) * 2, limits=limits)) == 10 * KIB
    with pytest.raises(ImageError, match="over 10240 bytes") as caught:
        gunzip(gzipped(bytes(5 * KIB)) * 2 + gzipped(b"!"), limits=limits)
    assert caught.value.rules == ("BI-27",)


def test_the_ratio_counts_only_past_its_threshold() -> None:
    limits = Limits(ratio=20, ratio_from=64 * KIB)
    assert len(gunzip(gzipped(bytes(64 * KIB)), limits=limits)) == 64 * KIB
    with pytest.raises(ImageError, match="over 20 times"):
        gunzip(gzipped(bytes(65 * KIB)), limits=limits)


def test_counts_members() -> None:
    assert gunzip(gzipped(b"ab") * 3, limits=Limits(members=3)) == b"ababab"
    with pytest.raises(ImageError, match="over 3 gzip members"):
        gunzip(gzipped(b"ab") * 4, limits=Limits(members=3))


def test_a_bomb_is_left_alone_early() -> None:
    """2 MB that hold 2 GiB: noticed at the ratio; without a ratio at the size; in a process that may have 256 MiB."""
    packed = bomb(64)
    with pytest.raises(ImageError, match="200 times"):
        gunzip(packed * 32)
    program = (
        "import sys; from bpfimg.errors import ImageError; from bpfimg.image._gunzip import gunzip\n"
        "from bpfimg.image._limits import Limits\n"
        "try: gunzip(sys.stdin.buffer.read() * 32, limits=Limits(unpacked=64 << 20, ratio=10**9))\n"
        "except ImageError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=packed,
        capture_output=True,
        check=True,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (256 * MIB, 256 * MIB)),
    )
    assert b"over 67108864 bytes" in done.stdout
