"""Taking the code of a program that libbpf has just loaded: instructions, maps by place, functions, source lines."""

from __future__ import annotations

import sys

from bpfimg.load._code import Code

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bpfimg.bytecode import Linked
    from bpfimg.kernel import OpenObject

_CALL, _LOAD_IMM64 = 0x85, 0x18
#: source register of a 64-bit load: of a descriptor, of an address in the values of a map, of what the kernel's types
#: name; and of a call of a kernel function
_MAP, _MAP_VALUE, _KERNEL_TYPE, _KERNEL_FUNCTION = 1, 2, 3, 2
_FRAGS, _FRAGS_SECTION = 1 << 5, "xdp.frags"  # BPF_F_XDP_HAS_FRAGS: libbpf adds it at the load, by the section
_SHIFT = 4 if sys.byteorder == "little" else 0


def taken_code(opened: OpenObject, data: bytes, program: str, maps: Sequence[int]) -> Code:
    """Returns the code of a program of the loaded object whose file is `data`; `maps` are descriptors in the order of
    the load's record."""
    from bpfimg import bytecode

    handle = next(each for each in opened.programs if each.name == program)
    insns = bytearray(handle.code())
    slots = tuple(_maps(insns, {fd: index for index, fd in enumerate(maps)}))
    about = bytecode.Linked.read(data, program, bytes(insns))
    functions, lines = _described(about, handle.fd)
    return Code(
        name=program,
        insns=bytes(insns),
        maps=slots,
        license=about.license,
        flags=handle.flags | (_FRAGS if handle.section.startswith(_FRAGS_SECTION) else 0),
        attach_type=handle.attach_type_id,
        functions=functions,
        lines=lines,
        btf=opened.btf() if functions else b"",
        modules=_of_modules(insns),
        kfuncs=about.kfuncs,
    )


def _at(insns: bytes | bytearray, operation: int, *sources: int) -> Iterator[int]:
    """Where instructions with that operation code and one of these source registers are, in bytes."""
    operations = bytes(insns[::8])
    at = operations.find(operation)
    while at >= 0:
        if insns[8 * at + 1] >> _SHIFT & 0xF in sources:
            yield 8 * at
        at = operations.find(operation, at + 1)


def _maps(insns: bytearray, known: dict[int, int]) -> Iterator[tuple[int, int]]:
    """Takes the descriptors out of the instructions."""
    for at in _at(insns, _LOAD_IMM64, _MAP, _MAP_VALUE):
        yield at // 8, known[int.from_bytes(insns[at + 4 : at + 8], sys.byteorder)]
        insns[at + 4 : at + 8] = bytes(4)


def _of_modules(insns: bytearray) -> bool:
    """Whether it calls functions, or uses variables, of kernel modules: those have descriptors, too."""
    calls = _at(insns, _CALL, _KERNEL_FUNCTION)
    loads = _at(insns, _LOAD_IMM64, _KERNEL_TYPE)
    return any(insns[at + 2 : at + 4] != bytes(2) for at in calls) or any(
        insns[at + 12 : at + 16] != bytes(4) for at in loads
    )


def _described(about: Linked, loaded: int) -> tuple[tuple[tuple[int, int], ...], bytes]:
    """Functions and source lines, by places in the program. The kernel has the BTF of the object with its ids and
    strings; where it has none of the program, the ids are 0, and there are no lines."""
    from bpfimg.kernel import dump

    kernel = dump.program_dump(loaded).functions
    if not kernel:
        return tuple((place, 0) for place, _ in about.functions), b""
    # what the kernel knows it has from libbpf, which gives some functions other types; it may have left some away
    numbers = [number for _, number in kernel] if len(kernel) == len(about.functions) else about.types()
    places = [place for place, _ in about.functions]
    return tuple(zip(places, numbers, strict=True)), about.lines(sys.byteorder)
