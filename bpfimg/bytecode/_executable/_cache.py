"""The dynamic linker's list of libraries, /etc/ld.so.cache, in glibc's format of 1998 and since."""

from __future__ import annotations

import struct
import sys

from bpfimg.bytecode._executable._limits import Limits
from bpfimg.errors import BytecodeError

_OLD, _NEW = b"ld.so-1.7.0\0", b"glibc-ld.so.cache1.1"
_PATH_BYTES = 4096


def libraries(data: bytes, limits: Limits | None = None) -> tuple[tuple[str, str], ...]:
    """(soname, path) of each entry, the one that the linker prefers first; `BytecodeError` when it is no such file."""
    limits = limits or Limits()
    if len(data) > limits.cache_bytes:
        raise BytecodeError(f"the cache has {len(data)} bytes, expected at most {limits.cache_bytes}")
    start = 0
    order = "<" if sys.byteorder == "little" else ">"  # it is written by this machine
    if data.startswith(_OLD) and len(data) >= 16:
        (count,) = struct.unpack_from(order + "I", data, 12)
        start = 16 + 12 * count + 7 & ~7
    if data[start : start + len(_NEW)] != _NEW or len(data) < start + 48:
        raise BytecodeError("the cache does not begin as glibc's does")
    (count,) = struct.unpack_from(order + "I", data, start + 20)
    table = data[start + 48 : start + 48 + 24 * count]
    if len(table) != 24 * count:
        raise BytecodeError(f"the cache should have {count} entries, but it ends after {len(data)} bytes")
    found, left = [], limits.cache_bytes
    for _, key, path, _, hardware in struct.iter_unpack(order + "iIIIQ", table):
        words = _text(data, start + key), _text(data, start + path)
        left -= len(words[0]) + len(words[1])
        if left < 0:
            raise BytecodeError(f"the names in the cache overlap, expected at most {limits.cache_bytes} bytes of them")
        if all(words) and not hardware:
            found.append((words[0], words[1]))
    return tuple(found)


def _text(data: bytes, at: int) -> str:
    end = data.find(b"\0", at, at + _PATH_BYTES)
    return data[at:end].decode("utf-8", "surrogateescape") if end > at else ""
