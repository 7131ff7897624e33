"""The few questions of lint that only the instructions can answer; searches of bytes, asked rarely."""

from __future__ import annotations

import struct

from bpfimg.image import bpf2go
from bpfimg.inspect._places import SIZE, code_of, section_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.bytecode import Dissection, ProgramSpec
    from bpfimg.inspect._lint_model import Context

    Place = tuple[str, int]

LOOKED_AT = 4096  # instructions of a program
_CALL, _MOVE, _LOAD_IMM64 = 0x85, 0xBF, 0x18
_LOADS = frozenset((0x61, 0x69, 0x71, 0x79, 0x81, 0x89, 0x91))  # LDX of every width, and sign-extending
_WRITERS = frozenset((0, 1, 4, 7))  # classes that write their destination: LD, LDX, ALU, ALU64


def call_site(dissection: Dissection, program: ProgramSpec, number: int) -> Place | None:
    """Where the program, or else a sub-program of it, first calls the helper function of that number."""
    # op code, registers, offset: a call of a helper function has zeros there
    needle = bytes((_CALL, 0, 0, 0)) + struct.pack(">I" if dissection.object.byte_order == "big" else "<I", number)
    called = [f for f in dissection.object.functions if f.name in program.uses.calls]
    for section, offset, instructions in [_extent(program), *((f.section, f.offset, f.instructions) for f in called)]:
        at = _aligned(code_of(dissection, section, offset, instructions), needle)
        if at is not None:
            return section, offset + at
    return None


def _aligned(code: bytes, needle: bytes) -> int | None:
    """The first place of `needle` that is the beginning of an instruction."""
    at = code.find(needle)
    while at >= 0:
        if at % SIZE == 0:
            return at
        at = code.find(needle, at + 1)
    return None


def context_read(dissection: Dissection, program: ProgramSpec) -> Place | None:
    """Where the program first reads through its argument, followed through plain moves; None where it does not.

    Read from top to bottom, as compilers lay it out, and not further than arguments are read: it is in r1 at first.
    """
    section, offset, instructions = _extent(program)
    instructions = min(instructions, LOOKED_AT)
    little = dissection.object.byte_order == "little"
    held = {1}
    wide = False
    for index, (operation, registers) in enumerate(
        struct.iter_unpack("BB6x", code_of(dissection, section, offset, instructions))
    ):
        if wide:  # the second half of a 64-bit constant
            wide = False
            continue
        target, source = (registers & 0xF, registers >> 4) if little else (registers >> 4, registers & 0xF)
        if operation in _LOADS and source in held:
            return section, offset + index * SIZE
        if operation == _CALL:
            held -= {0, 1, 2, 3, 4, 5}
        elif operation == _MOVE and source in held:
            held.add(target)
        elif operation & 7 in _WRITERS:
            held.discard(target)
        wide = operation == _LOAD_IMM64
        if not held:
            break
    return None


def for_several_cpus(context: Context) -> bool:
    """Whether this very object is meant for more than one kind of CPU."""
    if context.platforms:
        return len({platform.split("/")[1] for platform in context.platforms if platform.count("/")}) > 1
    name = bpf2go(context.name)
    return name is not None and not name.machine


def _extent(program: ProgramSpec) -> tuple[str, int, int]:
    return section_of(program), program.offset, program.instructions
