"""CO-RE relocations: whether the object adapts itself to the kernel it is loaded into (section .BTF.ext)."""

from __future__ import annotations

import struct

from bpfimg.bytecode._header import prefix
from bpfimg.errors import BytecodeError

_MAGIC = 0xEB9F
_HEADER_SIZE = 24
_WITH_CORE = 32
_RECORD_SIZE = 16


def has_core_relocations(ext: bytes, byte_order: str) -> bool:
    """Whether section .BTF.ext (empty: there is none) holds a CO-RE relocation; `BytecodeError` if it is not sound."""
    if not ext:
        return False
    order = prefix(byte_order)
    if len(ext) < _HEADER_SIZE:
        raise BytecodeError(f"section .BTF.ext is cut off after {len(ext)} bytes, expected at least {_HEADER_SIZE}")
    magic, version, _flags, header = struct.unpack_from(order + "HBBI", ext)
    if magic != _MAGIC or version != 1:
        raise BytecodeError(
            f"section .BTF.ext begins with 0x{magic:04x} version {version}, expected 0x{_MAGIC:04x} version 1"
        )
    if not _HEADER_SIZE <= header <= len(ext):
        raise BytecodeError(f"the header of section .BTF.ext is said to have {header} bytes, but there are {len(ext)}")
    if header < _WITH_CORE:
        return False  # written before LLVM 10
    offset, size = struct.unpack_from(order + "II", ext, 24)
    start, end = header + offset, header + offset + size
    if end > len(ext):
        raise BytecodeError(
            f"the CO-RE relocations in section .BTF.ext are said to end at byte {end}, "
            f"but the section ends at {len(ext)}"
        )
    return _count(ext[start:end], order) > 0


def _count(part: bytes, order: str) -> int:
    """How many records there are: the record's size, then for each program section its name, a count, the records."""
    if not part:
        return 0
    if len(part) < 4:
        raise BytecodeError("the CO-RE relocations in section .BTF.ext are cut off")
    (record,) = struct.unpack_from(order + "I", part)
    if record < _RECORD_SIZE:
        raise BytecodeError(f"a CO-RE relocation is said to have {record} bytes, expected at least {_RECORD_SIZE}")
    position, total = 4, 0
    while position < len(part):
        if position + 8 > len(part):
            raise BytecodeError("the CO-RE relocations in section .BTF.ext are cut off")
        _name, count = struct.unpack_from(order + "II", part, position)
        position += 8 + count * record
        total += count
    if position > len(part):
        raise BytecodeError("the CO-RE relocations in section .BTF.ext are cut off")
    return total
