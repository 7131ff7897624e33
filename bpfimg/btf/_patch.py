"""Whether an instruction can take the value of a CO-RE relocation (libbpf: bpf_core_patch_insn)."""

from __future__ import annotations

import struct

from bpfimg._value import value
from bpfimg.errors import BytecodeError

_LD, _LDX, _ST, _STX, _ALU, _ALU64 = 0, 1, 2, 3, 4, 7
_LOAD_IMM64 = 0x18
_REGISTER = 8  # the operand is a register, not a number
_SIZES = {0x00: 4, 0x08: 2, 0x10: 1, 0x18: 8}
_U64 = 0xFFFF_FFFF_FFFF_FFFF
_S16_MAX = 0x7FFF


@value(frozen=True, slots=True)
class Value:
    """`number` is unsigned, 64 bits. `size` and `type_id` are those of a field that is loaded or stored. `validate`:
    the compiler's number must be in the instruction. `fits`: a load of the other size would read the same."""

    number: int
    size: int = 0
    type_id: int = 0
    validate: bool = True
    fits: bool = True


def patch(instruction: bytes, byte_order: str, mine: Value, theirs: Value) -> str:
    """ "" where the instruction takes the value, the reason where it is made invalid instead.

    `BytecodeError` where libbpf gives up on the whole object.
    """
    order = "<" if byte_order == "little" else ">"
    if len(instruction) < 8:
        raise BytecodeError("a CO-RE relocation is at no instruction")
    opcode, _registers, offset, immediate = struct.unpack_from(order + "BBhi", instruction)
    kind = opcode & 7
    if kind in (_ALU, _ALU64) and not opcode & _REGISTER:
        _expect(immediate & _U64, mine, theirs)
        return ""
    if kind in (_LDX, _ST, _STX):
        _expect(offset & _U64, mine, theirs)
        return _memory(opcode, mine, theirs)
    if opcode == _LOAD_IMM64:
        _expect(_wide(instruction, order, immediate), mine, theirs)
        return ""
    raise BytecodeError(f"a CO-RE relocation is at an instruction with opcode {opcode:#04x}, which takes no number")


def _memory(opcode: int, mine: Value, theirs: Value) -> str:
    if theirs.number > _S16_MAX:
        raise BytecodeError(f"offset {theirs.number} is too large for a load or store, expected at most {_S16_MAX}")
    if mine.size == theirs.size:
        return ""
    if not theirs.fits:
        return f"the field has {theirs.size} bytes there, {mine.size} in the object, and is not an unsigned number"
    if _SIZES[opcode & 0x18] != mine.size or theirs.size not in _SIZES.values():
        raise BytecodeError(f"the field has {theirs.size} bytes in the kernel, {mine.size} in the object")
    return ""


def _wide(instruction: bytes, order: str, low: int) -> int:
    if len(instruction) < 16 or instruction[8] or instruction[9] or instruction[10] or instruction[11]:
        raise BytecodeError("a CO-RE relocation is at a 64-bit load that has no second half")
    source = instruction[1] >> 4 if order == "<" else instruction[1] & 0xF
    if source or instruction[2] or instruction[3]:
        raise BytecodeError("a CO-RE relocation is at a 64-bit load of something else than a number")
    (high,) = struct.unpack_from(order + "I", instruction, 12)
    return int(high) << 32 | low & 0xFFFF_FFFF


def _expect(there: int, mine: Value, theirs: Value) -> None:
    if mine.validate and there != mine.number:
        raise BytecodeError(
            f"the instruction of a CO-RE relocation holds {there}, expected {mine.number} (to be {theirs.number})"
        )
