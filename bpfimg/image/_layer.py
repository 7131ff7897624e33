"""The layer that we write: a tar archive with one file, in gzip with stored blocks (BI-9, BI-13).

Every byte is fixed by the spec and none is left to a library, so the same object gives the same layer digest on every
machine and with every version of zlib; docs/adr/0006 has the reasons and the cost.
"""

from __future__ import annotations

import re
import zlib

from bpfimg._tar import BLOCK, END, header
from bpfimg.errors import UsageError, quoted

__all__ = ["check_file_name", "gzip_stored", "tar_of"]

STORED = 0xFFFF  # a stored block's length is 16 bits
FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,95}\.o")


def check_file_name(name: str) -> str:
    """`name` when an image may have an object of that name (BI-14); UsageError otherwise."""
    if not FILE_NAME.fullmatch(name):
        what = "expected at most 98 of A-Z a-z 0-9 _ . -, the first no dot or dash, ending in .o"
        raise UsageError(f"{quoted(name)} cannot name the object in an image (BI-14), {what}")
    return name


def tar_of(name: str, content: bytes, *, modified: int) -> bytes:
    """A ustar archive that holds the one file and nothing else; `modified` in seconds since 1970."""
    check_file_name(name)
    if not 0 <= modified < 8**11:
        raise UsageError(f"the time {modified} does not fit into a tar header, expected 0 to {8**11 - 1} seconds")
    return header(name, len(content), modified=modified) + content + bytes(-len(content) % BLOCK) + END


def gzip_stored(content: bytes) -> bytes:
    """A gzip member that holds `content` as it is: no time, no name, "unknown" operating system."""
    parts = [b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"]
    for start in range(0, max(len(content), 1), STORED):
        piece = content[start : start + STORED]
        last = start + STORED >= len(content)
        length = len(piece)
        parts += [
            b"\1" if last else b"\0",
            length.to_bytes(2, "little"),
            (length ^ 0xFFFF).to_bytes(2, "little"),
            piece,
        ]
    parts += [zlib.crc32(content).to_bytes(4, "little"), (len(content) & 0xFFFFFFFF).to_bytes(4, "little")]
    return b"".join(parts)
