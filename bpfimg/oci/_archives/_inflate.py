"""Compressed content from a stranger, unpacked piece by piece within bounds."""

from __future__ import annotations

import zlib

from bpfimg.errors import ImageError, NotSupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bzip2", b"\xfd7zXZ\0": "xz"}
HEAD = 6
"""How many bytes `compression` looks at."""
_FEED = 64 << 10  # zlib copies what it has not used yet on every call, so it gets little at a time
_PIECE = 1 << 20
_RATIO, _RATIO_FROM = 200, 1 << 20
_MEMBERS = 65_536
_WINDOW = 31  # window bits: 15, and 16 for "a gzip header, not zlib's"


def compression(head: bytes) -> str:
    """Returns "gzip", "zstd", "bzip2" or "xz" for content that begins with `head`, "" for anything else."""
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), "")


def inflated(pieces: Iterable[bytes], kind: str, what: str, most: int) -> Iterator[bytes]:
    """Yields what `pieces` unpack to, at most 1 MiB at once; "" as kind: the pieces themselves.

    ImageError, beginning with `what`, when they are damaged, cut, have something after their end, hold more than
    `most` bytes or over 200 times their size; NotSupported when nothing here unpacks that kind.
    """
    if kind not in _READ:
        raise NotSupported(f"{what} is compressed with {kind}, expected gzip, zstd or none", feature=kind)
    held = 0
    for content, packed in _READ[kind](pieces, what):
        held += len(content)
        if held > most:
            raise ImageError(f"{what} unpacks to over {most} bytes, the limit")
        if kind and held > _RATIO_FROM and held > _RATIO * packed:
            raise ImageError(f"{what} unpacks to over {_RATIO} times its size, the limit: {packed} bytes so far")
        if content:
            yield content


def _plain(pieces: Iterable[bytes], what: str) -> Iterator[tuple[bytes, int]]:
    for piece in pieces:
        yield piece, len(piece)


def _gunzip(pieces: Iterable[bytes], what: str) -> Iterator[tuple[bytes, int]]:
    stream = None
    members = packed = 0
    for piece in pieces:
        for at in range(0, len(piece), _FEED):
            given = piece[at : at + _FEED]
            packed += len(given)
            while given:
                if stream is None:
                    members += 1
                    stream = zlib.decompressobj(_WINDOW)
                    if members > _MEMBERS:
                        raise ImageError(f"{what} has over {_MEMBERS} gzip members")
                try:
                    content = stream.decompress(given, _PIECE)
                except zlib.error as error:
                    place = "after its last gzip member" if members > 1 else "as gzip"
                    raise ImageError(f"{what} is damaged {place} near byte {packed}: {error}") from error
                yield content, packed
                given = stream.unconsumed_tail
                if stream.eof:
                    given, stream = stream.unused_data, None
    if stream is not None or not members:
        raise ImageError(f"{what} is cut: its gzip stream ends at byte {packed}, inside a member")


def _unzstd(pieces: Iterable[bytes], what: str) -> Iterator[tuple[bytes, int]]:
    from bpfimg._zstd import Bounds, NotZstd, NoZstd, TooMuch, unzstd

    try:
        yield from unzstd(pieces, Bounds())
    except (NotZstd, TooMuch) as error:
        raise ImageError(f"{what} {error}") from error
    except NoZstd as error:
        raise NotSupported(
            f"{what} is compressed with zstd, which Python unpacks since 3.14 or with the package zstandard",
            feature="zstd",
            hint="pip install 'bpfimg[zstd]', or make it with gzip",
        ) from error


_READ = {"": _plain, "gzip": _gunzip, "zstd": _unzstd}
