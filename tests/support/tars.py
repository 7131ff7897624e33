"""Archives and gzip streams of every kind that a stranger may send, made byte by byte."""

from __future__ import annotations

import zlib

BLOCK = 512
END = bytes(2 * BLOCK)
USTAR = b"ustar\x0000"
GNU = b"ustar  \0"
V7 = bytes(8)


def entry(
    name: str | bytes,
    content: bytes = b"",
    *,
    kind: bytes = b"0",
    size: bytes | int | None = None,
    magic: bytes = USTAR,
    prefix: bytes = b"",
    link: bytes = b"",
    checksum: bytes | None = None,
) -> bytes:
    """One header and its content, padded; every field can be a lie."""
    raw = name.encode() if isinstance(name, str) else name
    stated = len(content) if size is None else size
    header = b"".join(
        (
            raw.ljust(100, b"\0")[:100],
            b"0000644\0",
            b"0001750\0",
            b"0001750\0",
            stated if isinstance(stated, bytes) else b"%011o\0" % stated,
            b"00000000000\0",
            b" " * 8,
            kind,
            link.ljust(100, b"\0"),
            magic,
            bytes(32 + 32 + 8 + 8),
            prefix.ljust(155, b"\0"),
            bytes(12),
        )
    )
    total = b"%06o\0 " % sum(header) if checksum is None else checksum
    return header[:148] + total + header[156:] + content + bytes(-len(content) % BLOCK)


def pax(kind: bytes = b"x", **records: str) -> bytes:
    """A pax extension header: `pax(path="long")`."""
    return entry("PaxHeaders/x", b"".join(record(key, value) for key, value in records.items()), kind=kind)


def record(key: str, value: str) -> bytes:
    """One pax record, its length counting itself."""
    body = f" {key}={value}\n".encode()
    length = len(body) + 1
    while len(str(length)) + len(body) != length:
        length = len(str(length)) + len(body)
    return str(length).encode() + body


def archive(*entries: bytes, end: bytes = END) -> bytes:
    """Entries and an end marker."""
    return b"".join(entries) + end


def gzipped(content: bytes, level: int = 6) -> bytes:
    """One gzip member."""
    engine = zlib.compressobj(level, zlib.DEFLATED, 31)
    return engine.compress(content) + engine.flush()


def bomb(megabytes: int) -> bytes:
    """A gzip member of that many megabytes of zeros, about a thousandth of that in size."""
    engine = zlib.compressobj(9, zlib.DEFLATED, 31)
    piece = bytes(1 << 20)
    return b"".join([engine.compress(piece) for _ in range(megabytes)] + [engine.flush()])


def zstd_frame(blocks: bytes, header: bytes = b"\0\0") -> bytes:
    """A zstd frame put together by hand; `header` is what follows the magic number: here a window of 1 KiB."""
    return b"\x28\xb5\x2f\xfd" + header + blocks


def skippable(content: bytes) -> bytes:
    """A zstd frame that readers pass over."""
    return b"\x50\x2a\x4d\x18" + len(content).to_bytes(4, "little") + content


def zstd_bomb(blocks: int) -> bytes:
    """A zstd frame of so many blocks, four bytes each, that hold 128 KiB of zeros each."""
    run = (128 << 10 << 3 | 1 << 1).to_bytes(3, "little") + b"\0"
    last = (128 << 10 << 3 | 1 << 1 | 1).to_bytes(3, "little") + b"\0"
    return zstd_frame(run * (blocks - 1) + last, header=b"\0\x58")  # a window of 2 MiB
