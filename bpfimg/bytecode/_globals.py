"""The global variables of an object file: what BTF says about them, completed with what only the ELF symbols know.

In an object that no linker has touched, the DATASECs of BTF hold no sizes, and no offsets of global variables:
those are in the symbol table. (Offsets of static ones are there. libbpf completes them in the same way.)
"""

from __future__ import annotations

from bpfimg._value import replace
from bpfimg.btf import kinds
from bpfimg.bytecode._variables import KCONFIG, describe, is_global_section
from bpfimg.errors import BytecodeError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.btf import Btf
    from bpfimg.bytecode._elf import ElfObject, Section
    from bpfimg.bytecode._variables import Budget, GlobalSpec

_LINKAGE_GLOBAL = 1


def globals_of(elf: ElfObject, btf: Btf, budget: Budget) -> tuple[GlobalSpec, ...]:
    """The globals by section and offset, with their initial bytes."""
    found: list[GlobalSpec] = []
    offsets = {(s.section, s.name): s.value for s in elf.symbols if not s.local}
    for name, type_id in btf.data_sections().items():
        if name == KCONFIG:
            found += _kconfig(btf, type_id, budget)
        elif is_global_section(name):
            section = elf.section(name)
            if section is None:
                raise BytecodeError(f"section .BTF describes section {quoted(name)}, which the object does not have")
            found += _stored(btf, section, type_id, budget, offsets)
    return tuple(found)


def _stored(
    btf: Btf, section: Section, type_id: int, budget: Budget, offsets: dict[tuple[int, str], int]
) -> list[GlobalSpec]:
    """The variables of a section that is in the file."""

    def place(name: str, linkage: int, offset: int, size: int) -> tuple[int, int]:
        if linkage == _LINKAGE_GLOBAL:
            known = offsets.get((section.index, name))
            if known is None:
                raise BytecodeError(f"the global {quoted(name)} of section {section.name} has no symbol")
            offset = known
        if offset + size > section.size:
            raise BytecodeError(
                f"the global {quoted(name)} is said to reach from byte {offset} to {offset + size} "
                f"of section {section.name}, which has {section.size}"
            )
        return offset, size

    return [
        replace(spec, initial=_initial(section, spec)) for spec in describe(btf, section.name, type_id, budget, place)
    ]


def _initial(section: Section, spec: GlobalSpec) -> bytes:
    return bytes(spec.size) if section.zeros else section.content[spec.offset : spec.offset + spec.size]


def _kconfig(btf: Btf, type_id: int, budget: Budget) -> list[GlobalSpec]:
    """The variables that libbpf fills from the kernel's configuration; it lays them out by alignment, size and name."""
    externs = []
    for variable, _offset, _size in btf.variables(type_id):
        if btf.kind(variable) == kinds.VAR:
            size = btf.size(btf.target(variable))
            externs.append((-_alignment(btf, btf.target(variable)), size, btf.name(variable)))
    places: dict[str, tuple[int, int]] = {}
    end = 0
    for alignment, size, name in sorted(externs):
        start = (end - alignment - 1) // -alignment * -alignment
        places[name] = (start, size)
        end = start + size
    if end > budget.limits.zero_bytes:  # no part of the file: nothing else bounds it
        raise BytecodeError(f"the variables of {KCONFIG} have {end} bytes, expected at most {budget.limits.zero_bytes}")
    found = describe(btf, KCONFIG, type_id, budget, lambda name, _linkage, _offset, _size: places[name])
    return [replace(spec, initial=bytes(spec.size)) for spec in found]


def _alignment(btf: Btf, type_id: int) -> int:
    """Of the types that libbpf takes here: integers, enums, and text."""
    bare = btf.bare(type_id)
    return min(max(btf.size(bare), 1), 8) if btf.kind(bare) in (kinds.INT, kinds.ENUM, kinds.ENUM64) else 1
