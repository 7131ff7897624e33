"""Bounded zstd: every frame, nothing but frames, and never more than was agreed, in memory or in work."""

from __future__ import annotations

import random
import resource
import subprocess
import sys
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpfimg._zstd import Bounds, unzstd
from bpfimg.errors import ImageError
from bpfimg.image._limits import KIB, MIB, Limits
from bpfimg.image._unzstd import unpack_zstd
from tests.support.tars import skippable, zstd_bomb, zstd_frame

zstandard = pytest.importorskip("zstandard", reason="needs the package zstandard, or Python 3.14")


def zipped(content: bytes, level: int = 3, **parameters: int | bool) -> bytes:
    chosen = zstandard.ZstdCompressionParameters.from_level(level, **parameters)
    packed: bytes = zstandard.ZstdCompressor(compression_params=chosen).compress(content)
    return packed


def streamed(content: bytes, pieces: int = 7, **parameters: int) -> bytes:
    """A frame whose header does not say how long it is, flushed now and then."""
    chosen = zstandard.ZstdCompressionParameters(**parameters)
    engine = zstandard.ZstdCompressor(compression_params=chosen).compressobj()
    size = -(-len(content) // pieces) or 1
    parts = []
    for at in range(0, len(content), size):
        parts += [engine.compress(content[at : at + size]), engine.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)]
    return b"".join([*parts, engine.flush()])


@pytest.mark.parametrize("size", [0, 1, 255, 256, 0xFFFF, 128 * KIB, 128 * KIB + 1, 5 * MIB + 7])
@pytest.mark.parametrize("level", [-5, 1, 3, 19])
def test_gives_back_what_was_packed(size: int, level: int) -> None:
    content = random.Random(size).randbytes(size // 2) + bytes(size - size // 2)
    assert unpack_zstd(zipped(content, level, write_checksum=True)) == content
    assert unpack_zstd(zipped(content, level, write_content_size=False)) == content
    assert unpack_zstd(streamed(content)) == content


@pytest.mark.parametrize("step", [1, 3, 1000, 1 << 20])
def test_the_bytes_may_come_in_any_pieces(step: int) -> None:
    content = random.Random(7).randbytes(3 * KIB) + bytes(3 * MIB)
    packed = skippable(b"about") + zipped(content, write_checksum=True) + streamed(content) + skippable(b"")
    found = list(unzstd((packed[at : at + step] for at in range(0, len(packed), step)), Bounds()))
    assert b"".join(piece for piece, _ in found) == content * 2
    assert max(len(piece) for piece, _ in found) <= MIB
    assert found[-1][1] == len(packed) - 8


def test_reads_every_frame_and_skips_what_is_to_be_skipped() -> None:
    packed = skippable(b"") + zipped(b"one ") + skippable(b"about") + streamed(b"two") + zipped(b"") + zipped(b" three")
    assert unpack_zstd(packed + skippable(b"seekable")) == b"one two three"
    assert unpack_zstd(skippable(b"nothing")) == b""


SUMMED = zipped(b"x" * 1000 + bytes(range(256)), write_checksum=True)


@pytest.mark.parametrize(
    ("packed", "sentence"),
    [
        (b"", "is not zstd"),
        (b"\x28", "is not zstd"),
        (b"\x1f\x8b\x08" + bytes(20), "is not zstd"),
        (b"\x28\xb5\x2f\xfd", "is cut"),
        (b"\x28\xb5\x2f\xfd\x24", "is cut"),
        (SUMMED + b"\0", "goes on after its last zstd frame, at byte"),
        (SUMMED + b"\x1f\x8b", f"at byte {len(SUMMED)}"),
        (SUMMED + b"\x28\xb5\x2f\xfd", "is cut"),
        (SUMMED[:-1], "is cut"),
        (SUMMED[:-4], "is cut"),
        (SUMMED[:12], "is cut"),
        (skippable(b"about")[:-1], "is cut"),
        (skippable(b"about")[:6], "is cut"),
        (SUMMED[:-1] + bytes([SUMMED[-1] ^ 1]), "damaged"),
        (SUMMED[:30] + b"\xff\xff" + SUMMED[32:], "damaged"),
        (SUMMED[:4] + bytes([SUMMED[4] | 8]) + SUMMED[5:], "reserved bit"),
        (zstd_frame(b"\x07\0\0"), "no block begins like that"),
        (zstd_frame((128 * KIB + 1 << 3).to_bytes(3, "little") + bytes(128 * KIB + 1)), "no block begins like that"),
        (zstd_frame(b"\x01\0\0", header=b"\x21\x07\x01"), "wants a dictionary"),
        (zstd_frame(b"\x01\0\0", header=b"\x20\x05"), "damaged"),
    ],
)
def test_refuses_what_is_not_frames_and_nothing_else(packed: bytes, sentence: str) -> None:
    with pytest.raises(ImageError, match=sentence) as caught:
        unpack_zstd(packed)
    assert caught.value.rules == ("BI-10",)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damage_anywhere_is_an_error_or_the_same_bytes(data: st.DataObject) -> None:
    packed = bytearray(SUMMED)
    for _ in range(data.draw(st.integers(1, 3))):
        packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    # a skippable magic number makes anything nothing, and a frame need not have a checksum: the diff_id decides
    with suppress(ImageError):
        assert len(unpack_zstd(bytes(packed[: data.draw(st.integers(len(packed) - 40, len(packed)))]))) <= MIB


def test_the_bound_is_on_all_frames_together() -> None:
    limits = Limits(unpacked=10 * KIB, ratio=10**9)
    assert len(unpack_zstd(zipped(bytes(5 * KIB)) * 2, limits=limits)) == 10 * KIB
    with pytest.raises(ImageError, match="over 10240 bytes") as caught:
        unpack_zstd(zipped(bytes(5 * KIB)) * 2 + zipped(b"!"), limits=limits)
    assert caught.value.rules == ("BI-27",)


def test_the_ratio_counts_only_past_its_threshold() -> None:
    limits = Limits(ratio=20, ratio_from=64 * KIB)
    assert len(unpack_zstd(zipped(bytes(64 * KIB)), limits=limits)) == 64 * KIB
    with pytest.raises(ImageError, match="over 20 times"):
        unpack_zstd(zipped(bytes(65 * KIB)), limits=limits)


def test_counts_frames_those_that_are_skipped_too() -> None:
    assert unpack_zstd(zipped(b"ab") * 3, limits=Limits(members=3)) == b"ababab"
    for packed in (zipped(b"ab") * 4, skippable(b"") * 4):
        with pytest.raises(ImageError, match="over 3 zstd frames") as caught:
            unpack_zstd(packed, limits=Limits(members=3))
        assert caught.value.rules == ("BI-27",)


def test_counts_blocks_those_that_hold_nothing_too() -> None:
    limits = Limits(zstd_blocks=10)
    assert unpack_zstd(zstd_frame(bytes(3) * 9 + b"\x01\0\0"), limits=limits) == b""
    for packed in (zstd_frame(bytes(3) * 10 + b"\x01\0\0"), zstd_frame(bytes(3) * 5 + b"\x01\0\0") * 2):
        with pytest.raises(ImageError, match="over 10 zstd blocks") as caught:
            unpack_zstd(packed, limits=limits)
        assert caught.value.rules == ("BI-27",)


def test_a_window_that_is_too_large_is_refused_before_there_is_one() -> None:
    content = random.Random(1).randbytes(40 * KIB)
    assert unpack_zstd(streamed(content, window_log=25)) == content
    for log in (26, 27):
        with pytest.raises(ImageError, match=f"a zstd window of {1 << log} bytes, expected at most 33554432") as caught:
            unpack_zstd(streamed(content, window_log=log))
        assert caught.value.rules == ("BI-27",)
    with pytest.raises(ImageError, match=f"window of {15 << 38} bytes"):
        unpack_zstd(zstd_frame(b"\x01\0\0", header=b"\0\xff"))  # 3.75 TiB
    with pytest.raises(ImageError, match=f"window of {1 << 60} bytes"):
        unpack_zstd(zstd_frame(b"\x01\0\0", header=b"\xe0" + (1 << 60).to_bytes(8, "little")))
    assert unpack_zstd(streamed(content, window_log=27), limits=Limits(zstd_window_log=27)) == content


def test_a_bomb_is_left_alone_early() -> None:
    """1 MB that holds 32 GiB: noticed at the ratio; without a ratio at the size; in a process that may have 256 MiB."""
    packed = zstd_bomb(262_144)
    with pytest.raises(ImageError, match="200 times"):
        unpack_zstd(packed)
    program = (
        "import sys; from bpfimg.errors import ImageError; from bpfimg.image._unzstd import unpack_zstd\n"
        "from bpfimg.image._limits import Limits\n"
        "try: unpack_zstd(sys.stdin.buffer.read(), limits=Limits(unpacked=64 << 20, ratio=10**9, zstd_blocks=10**9))\n"
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


def test_without_a_library_it_is_said_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("compression", "compression.zstd", "zstandard"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImageError, match=r"compressed with zstd, which Python unpacks since 3\.14") as caught:
        unpack_zstd(SUMMED)
    assert caught.value.rules == ("BI-4",)
    assert caught.value.hint.startswith("pip install 'bpfimg[zstd]'")
