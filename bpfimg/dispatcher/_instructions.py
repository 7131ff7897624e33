"""Instructions as bytes, for the little code that dispatchers have of their own.

https://docs.kernel.org/bpf/standardization/instruction-set.html; in the order of this machine's bytes.
"""

from __future__ import annotations

import struct
import sys

_LITTLE = sys.byteorder == "little"
(
    _LOAD_DW,
    _STORE_DW,
    _MOVE_64,
    _MOVE_32,
    _CONSTANT_32,
    _ADD_32,
    _SHIFT_32,
    _JUMP,
    _CALL,
    _EXIT,
) = 0x79, 0x7B, 0xBF, 0xBC, 0xB4, 0x04, 0x6C, 0x05, 0x85, 0x95
_EQUAL_32, _NOT_EQUAL_32, _ABOVE_32, _BITS_32 = 0x16, 0x56, 0x26, 0x46
_PSEUDO_CALL = 1
FRAME = 10


def instruction(code: int, to: int = 0, source: int = 0, offset: int = 0, immediate: int = 0) -> bytes:
    """Eight bytes; `immediate` may be any 32 bits, signed or not."""
    registers = source << 4 | to if _LITTLE else to << 4 | source
    return struct.pack("=BBhI", code, registers, offset, immediate & 0xFFFF_FFFF)


def load(to: int, address: int, offset: int) -> bytes:
    """r`to` = *(u64 *)(r`address` + offset)."""
    return instruction(_LOAD_DW, to, address, offset)


def store(address: int, offset: int, source: int) -> bytes:
    """*(u64 *)(r`address` + offset) = r`source`."""
    return instruction(_STORE_DW, address, source, offset)


def move(to: int, source: int) -> bytes:
    """r`to` = r`source`."""
    return instruction(_MOVE_64, to, source)


def move_32(to: int, source: int) -> bytes:
    """w`to` = w`source`."""
    return instruction(_MOVE_32, to, source)


def constant(to: int, number: int) -> bytes:
    """w`to` = number."""
    return instruction(_CONSTANT_32, to, immediate=number)


def add(to: int, number: int) -> bytes:
    """w`to` += number."""
    return instruction(_ADD_32, to, immediate=number)


def shift(to: int, by: int) -> bytes:
    """w`to` <<= w`by`."""
    return instruction(_SHIFT_32, to, by)


def jump(offset: int) -> bytes:
    """Over so many instructions."""
    return instruction(_JUMP, offset=offset)


def if_equal(register: int, number: int, offset: int) -> bytes:
    """Jumps when w`register` == number."""
    return instruction(_EQUAL_32, register, offset=offset, immediate=number)


def if_not_equal(register: int, number: int, offset: int) -> bytes:
    """Jumps when w`register` != number."""
    return instruction(_NOT_EQUAL_32, register, offset=offset, immediate=number)


def if_above(register: int, number: int, offset: int) -> bytes:
    """Jumps when w`register` > number, both without sign."""
    return instruction(_ABOVE_32, register, offset=offset, immediate=number)


def if_bits(register: int, mask: int, offset: int) -> bytes:
    """Jumps when w`register` has one of the mask's bits."""
    return instruction(_BITS_32, register, offset=offset, immediate=mask)


def call(offset: int) -> bytes:
    """Calls the function of this program that begins so many instructions behind the next."""
    return instruction(_CALL, 0, _PSEUDO_CALL, immediate=offset)


def call_kernel(number: int) -> bytes:
    """Calls the kernel's function of that number."""
    return instruction(_CALL, immediate=number)


def leave() -> bytes:
    """Returns r0."""
    return instruction(_EXIT)
