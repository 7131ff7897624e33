"""A gzip stream from a stranger to bytes, within limits."""

from __future__ import annotations

import zlib

from bpfimg.image._limits import DEFAULT, MIB, broken, check_unpacked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.image._limits import Limits

__all__ = ["gunzip"]

FEED = 64 * 1024  # zlib copies what it has not used yet on every call, so it gets little at a time
PIECE = MIB
GZIP = 31  # window bits: 15, and 16 for "a gzip header, not zlib's"


def gunzip(data: bytes, *, limits: Limits = DEFAULT) -> bytearray:
    """Everything that the members of `data` hold, in order.

    Raises ImageError: BI-10 when it is no gzip stream, is cut, damaged, or has something after its last member;
    BI-27 when it holds more than `limits` allow, which is noticed within 1 MiB of output.
    """
    # gzip.decompress has no limit, and zlib.decompress stops after the first member without a word.
    out = bytearray()
    position = members = 0
    view = memoryview(data)
    while position < len(data) or not members:
        members += 1
        if members > limits.members:
            raise broken("BI-27", f"the layer has over {limits.members} gzip members")
        if bytes(view[position : position + 2]) != b"\x1f\x8b":
            what = f"has {len(data) - position} bytes after its last gzip member" if position else "is not gzip"
            raise broken("BI-10", f"the layer {what}, expected gzip members and nothing else")
        position = _member(view, position, out, limits)
    return out


def _member(data: memoryview, start: int, out: bytearray, limits: Limits) -> int:
    """Appends one member's content to `out`; returns the position after it."""
    stream = zlib.decompressobj(GZIP)
    fed = start
    while not stream.eof:
        given: bytes | memoryview = stream.unconsumed_tail
        if not given:
            given = data[fed : fed + FEED]
            fed += len(given)
        try:
            piece = stream.decompress(given, min(PIECE, limits.unpacked - len(out) + 1))
        except zlib.error as error:
            raise broken("BI-10", f"the layer's gzip stream is damaged near byte {fed}: {error}") from error
        if not piece and not given and not stream.eof:
            raise broken("BI-10", f"the layer's gzip stream is cut: it ends at byte {len(data)}, inside a member")
        out += piece
        check_unpacked(len(out), fed - len(stream.unconsumed_tail) - len(stream.unused_data), limits)
    return fed - len(stream.unused_data)
