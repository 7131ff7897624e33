"""zstd frames (RFC 8878) from a stranger, unpacked a few blocks at a time.

The standard library unpacks zstd since Python 3.14, before that the package `zstandard` does where it is installed. One
byte of input can be a block of 128 KiB, and the package takes no bound on what it gives at once: so the blocks, whose
headers are plain, are counted here, and the library gets only as many of them as hold a mebibyte. Each room adds its
own bounds on what comes out, its own words and its own error class.
"""

from __future__ import annotations

from bpfimg._value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Protocol

    class Decoder(Protocol):
        """What the two libraries have in common: an object for one frame."""

        eof: bool

        def decompress(self, data: memoryview, /) -> bytes:
            """Returns what the next bytes of the frame hold."""


__all__ = ["Bounds", "NoZstd", "NotZstd", "TooMuch", "unzstd"]

MAGIC = 0xFD2FB528
SKIPPABLE = range(0x184D2A50, 0x184D2A60)
BLOCK = 128 << 10
PIECE = 1 << 20
RAW, RUN, COMPRESSED = 0, 1, 2
DICTIONARY_BYTES = (0, 1, 2, 4)
CONTENT_SIZE_BYTES = (0, 2, 4, 8)


class NotZstd(ValueError):  # noqa: N818  # it never leaves a room: there it is news, not an error
    """The bytes are no whole zstd frames; `str()` goes on after a subject: "is cut: ..."."""


class TooMuch(ValueError):  # noqa: N818
    """A frame is beyond the bounds; `str()` goes on after a subject: "wants a window of ..."."""


class NoZstd(Exception):  # noqa: N818
    """There is nothing here that unpacks zstd."""


@value(frozen=True, slots=True)
class Bounds:
    """How much of a stream is looked at. With `rest`, what follows the first frame is somebody else's."""

    window_log: int = 25
    """Base-2 logarithm of the memory that a frame may ask for: 32 MiB, as of `zstd --ultra -20`."""
    frames: int = 1024
    blocks: int = 65_536
    """A full one holds 128 KiB."""
    rest: bool = False


def unzstd(data: bytes | memoryview, bounds: Bounds) -> Iterator[tuple[bytes, int]]:
    """Yields (content, bytes of `data` read so far), at most 1 MiB of content at once; skippable frames hold nothing.

    Raises `NotZstd`, `TooMuch` and, before it looks at anything, `NoZstd`.
    """
    opened, failure = _library(bounds.window_log)
    view = memoryview(data)
    at = frames = blocks = 0
    while at < len(view) or not frames:
        frames += 1
        if frames > bounds.frames:
            raise TooMuch(f"has over {bounds.frames} zstd frames")
        magic = int.from_bytes(view[at : at + 4], "little")
        if magic in SKIPPABLE:
            at = _end(view, at + 8, _number(view, at + 4, 4))
            continue
        if magic != MAGIC:
            what = f"has {len(view) - at} bytes after its last zstd frame" if at else "is not zstd"
            raise NotZstd(f"{what}, expected zstd frames and nothing else")
        decoder = opened()
        for start, end, count in _groups(view, at, bounds):
            blocks += count
            if blocks > bounds.blocks:
                raise TooMuch(f"has over {bounds.blocks} zstd blocks")
            try:
                content = decoder.decompress(view[start:end])
            except failure as error:
                raise NotZstd(f"is damaged before byte {end}: {error}") from error
            at = end
            yield content, at
        if not decoder.eof:
            raise NotZstd(f"is damaged before byte {at}: a frame does not end with its last block")
        if bounds.rest:
            return


def _groups(view: memoryview, start: int, bounds: Bounds) -> Iterator[tuple[int, int, int]]:
    """Yields (start, end, number of blocks) of pieces of the frame at `start` that hold at most 1 MiB each."""
    at, has_checksum = _header(view, start, bounds)
    held = count = 0
    last = False
    while not last:
        word = _number(view, at, 3)
        last, kind, size = bool(word & 1), word >> 1 & 3, word >> 3
        if kind > COMPRESSED or size > BLOCK:
            raise NotZstd(f"is damaged near byte {at}: no block begins like that")
        holds = BLOCK if kind == COMPRESSED else size
        if held + holds > PIECE or count > bounds.blocks:
            yield start, at, count
            start, held, count = at, 0, 0
        held += holds
        count += 1
        at = _end(view, at + 3, 1 if kind == RUN else size)
    yield start, _end(view, at, 4 if has_checksum else 0), count


def _header(view: memoryview, at: int, bounds: Bounds) -> tuple[int, bool]:
    """Where the first block of the frame at `at` begins, and whether a checksum follows the last (RFC 8878 3.1.1.1)."""
    flags = _number(view, at + 4, 1)
    single, has_checksum = bool(flags & 0x20), bool(flags & 4)
    if flags & 8:
        raise NotZstd(f"is damaged near byte {at}: a reserved bit is set")
    at += 5
    window = 0
    if not single:
        byte = _number(view, at, 1)
        base = 1 << (10 + (byte >> 3))
        window = base + base // 8 * (byte & 7)
        at += 1
    named = DICTIONARY_BYTES[flags & 3]
    if _number(view, at, named):
        raise NotZstd("wants a dictionary, expected frames that stand alone")
    sized = CONTENT_SIZE_BYTES[flags >> 6] or single
    if single:
        window = _number(view, at + named, sized)
    if window > 1 << bounds.window_log:
        raise TooMuch(f"wants a zstd window of {window} bytes, expected at most {1 << bounds.window_log}")
    return _end(view, at + named, sized), has_checksum


def _number(view: memoryview, at: int, size: int) -> int:
    return int.from_bytes(view[at : _end(view, at, size)], "little")


def _end(view: memoryview, at: int, size: int) -> int:
    if at + size > len(view):
        raise NotZstd(f"is cut: it ends at byte {len(view)}, inside a zstd frame")
    return at + size


def _library(window_log: int) -> tuple[Callable[[], Decoder], type[Exception]]:
    """How to begin a frame, and what is raised about a damaged one."""
    import importlib

    try:
        zstd = importlib.import_module("compression.zstd")
    except ImportError:
        pass
    else:
        options = {zstd.DecompressionParameter.window_log_max: window_log}
        return (lambda: zstd.ZstdDecompressor(options=options)), zstd.ZstdError
    try:
        zstd = importlib.import_module("zstandard")
    except ImportError as error:
        raise NoZstd from error
    return (lambda: zstd.ZstdDecompressor(max_window_size=1 << window_log).decompressobj()), zstd.ZstdError
