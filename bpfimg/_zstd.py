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
    from collections.abc import Callable, Iterable, Iterator
    from typing import Protocol

    class Decoder(Protocol):
        """What the two libraries have in common: an object for one frame."""

        eof: bool

        def decompress(self, data: bytes, /) -> bytes:
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


def unzstd(pieces: Iterable[bytes], bounds: Bounds) -> Iterator[tuple[bytes, int]]:
    """Yields (content, bytes of `pieces` read so far), at most 1 MiB of content at once; skippable frames hold nothing.

    Raises `NotZstd`, `TooMuch` and, before it looks at anything, `NoZstd`.
    """
    opened, failure = _library(bounds.window_log)
    given = _Given(iter(pieces))
    frames = blocks = 0
    while (word := given.up_to(4)) or not frames:
        frames += 1
        if frames > bounds.frames:
            raise TooMuch(f"has over {bounds.frames} zstd frames")
        magic = int.from_bytes(word, "little")
        if magic in SKIPPABLE:
            given.skip(int.from_bytes(given.take(4), "little"))
            continue
        if magic != MAGIC:
            what = f"goes on after its last zstd frame, at byte {given.at - len(word)}" if frames > 1 else "is not zstd"
            raise NotZstd(f"{what}, expected zstd frames and nothing else")
        decoder = opened()
        for group, count in _groups(given, word, bounds):
            blocks += count
            if blocks > bounds.blocks:
                raise TooMuch(f"has over {bounds.blocks} zstd blocks")
            try:
                content = decoder.decompress(group)
            except failure as error:
                raise NotZstd(f"is damaged before byte {given.at}: {error}") from error
            yield content, given.at
        if not decoder.eof:
            raise NotZstd(f"is damaged before byte {given.at}: a frame does not end with its last block")
        if bounds.rest:
            return


class _Given:
    """The bytes that are not yet looked at; `at` counts those that are."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._view = memoryview(b"")
        self.at = 0

    def take(self, size: int) -> bytes:
        """Returns the next `size` bytes."""
        found = self.up_to(size)
        if len(found) < size:
            raise NotZstd(f"is cut: it ends at byte {self.at}, inside a zstd frame")
        return found

    def skip(self, size: int) -> None:
        """Passes over the next `size` bytes without keeping them."""
        while size:
            size -= len(self.take(min(size, BLOCK)))

    def up_to(self, size: int) -> bytes:
        """Returns the next `size` bytes, fewer at the end."""
        found = bytes(self._view[:size])
        self._view = self._view[size:]
        while len(found) < size:
            piece = next(self._pieces, None)
            if piece is None:
                break
            lacking = size - len(found)
            found += piece[:lacking]
            self._view = memoryview(piece)[lacking:]
        self.at += len(found)
        return found


def _groups(given: _Given, magic: bytes, bounds: Bounds) -> Iterator[tuple[bytes, int]]:
    """Yields pieces of a frame that hold at most 1 MiB each, and of how many blocks they are."""
    header, has_checksum = _header(given, bounds)
    group = [magic, header]
    held = count = 0
    last = False
    while not last:
        begin = given.take(3)
        word = int.from_bytes(begin, "little")
        last, kind, size = bool(word & 1), word >> 1 & 3, word >> 3
        if kind > COMPRESSED or size > BLOCK:
            raise NotZstd(f"is damaged before byte {given.at}: no block begins like that")
        holds = BLOCK if kind == COMPRESSED else size
        if held + holds > PIECE or count > bounds.blocks:
            yield b"".join(group), count
            group, held, count = [], 0, 0
        held += holds
        count += 1
        group += [begin, given.take(1 if kind == RUN else size)]
    group.append(given.take(4 if has_checksum else 0))
    yield b"".join(group), count


def _header(given: _Given, bounds: Bounds) -> tuple[bytes, bool]:
    """What stands between the magic number and the first block, and whether a checksum follows the last one.

    RFC 8878 3.1.1.1.
    """
    header = given.take(1)
    flags = header[0]
    single, has_checksum = bool(flags & 0x20), bool(flags & 4)
    if flags & 8:
        raise NotZstd(f"is damaged before byte {given.at}: a reserved bit is set")
    window = 0
    if not single:
        header += given.take(1)
        base = 1 << (10 + (header[1] >> 3))
        window = base + base // 8 * (header[1] & 7)
    dictionary = given.take(DICTIONARY_BYTES[flags & 3])
    if any(dictionary):
        raise NotZstd("wants a dictionary, expected frames that stand alone")
    size = given.take(CONTENT_SIZE_BYTES[flags >> 6] or single)
    if single:
        window = int.from_bytes(size, "little")
    if window > 1 << bounds.window_log:
        raise TooMuch(f"wants a zstd window of {window} bytes, expected at most {1 << bounds.window_log}")
    return header + dictionary + size, has_checksum


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
