"""Taking the code of a program that libbpf has just loaded: instructions, maps by place, functions, source lines."""

from __future__ import annotations

from bpfimg.load._code import Code

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpfimg.kernel import OpenObject

_LD_IMM64 = 0x18
_PSEUDO_MAP_FD, _PSEUDO_MAP_VALUE = 1, 2


def taken_code(opened: OpenObject, data: bytes, program: str, maps: Sequence[int]) -> Code:
    """Returns the code of a program of the loaded object whose file is `data`; `maps` are descriptors in the order of
    the load's record."""
    handle = next(each for each in opened.programs if each.name == program)
    insns = bytearray(handle.code())
    slots = []
    at = 0
    while at < len(insns) // 8:
        if insns[8 * at] == _LD_IMM64:
            if insns[8 * at + 1] >> 4 in (_PSEUDO_MAP_FD, _PSEUDO_MAP_VALUE):
                fd = int.from_bytes(insns[8 * at + 4 : 8 * at + 8], "little")
                slots.append((at, maps.index(fd)))
                insns[8 * at + 4 : 8 * at + 8] = bytes(4)
            at += 1
        at += 1
    return Code(
        name=program,
        insns=bytes(insns),
        maps=tuple(slots),
        license="GPL",
        flags=handle.flags,
        attach_type=handle.attach_type_id,
    )
