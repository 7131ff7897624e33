"""The ELF header, read without any library: is this an eBPF object, and of which byte order?"""

from __future__ import annotations

import struct

from bpfimg.errors import BytecodeError

HEADER_SIZE = 64  # of an ELF64 file; e_ident is the first 16 bytes
_MAGIC = b"\x7fELF"
_ELFCLASS64 = 2
_BYTE_ORDERS = {1: "little", 2: "big"}
_ET_REL = 1
_EM_BPF = 247


def check_header(data: bytes) -> str:
    """The byte order of an eBPF object, "little" or "big"; only the first 64 bytes are looked at.

    Raises `BytecodeError` unless `data` begins like a 64-bit, relocatable ELF file for the machine BPF.
    """
    if not data.startswith(_MAGIC):
        raise BytecodeError(
            f"not an ELF file: it {f'begins with {data[:4].hex()}' if data else 'is empty'}, expected 7f454c46",
            hint="give the .o file that clang -target bpf wrote",
        )
    if len(data) < HEADER_SIZE:
        raise BytecodeError(f"the ELF header is cut off after {len(data)} bytes, expected {HEADER_SIZE}")
    if data[4] != _ELFCLASS64:
        raise BytecodeError(f"the ELF class is {data[4]}, expected 2 (64-bit), as every eBPF object has")
    byte_order = _BYTE_ORDERS.get(data[5])
    if byte_order is None:
        raise BytecodeError(f"the ELF byte order is {data[5]}, expected 1 (little) or 2 (big)")
    kind, machine = struct.unpack_from(prefix(byte_order) + "HH", data, 16)
    if machine != _EM_BPF:
        raise BytecodeError(
            f"the ELF machine is {machine}, expected {_EM_BPF} (BPF)",
            hint="the file is for another kind of processor: compile with clang -target bpf",
        )
    if kind != _ET_REL:
        raise BytecodeError(f"the ELF type is {kind}, expected {_ET_REL} (relocatable, an object file)")
    return byte_order


def prefix(byte_order: str) -> str:
    """The byte order character of `struct` for "little" or "big"."""
    return "<" if byte_order == "little" else ">"
