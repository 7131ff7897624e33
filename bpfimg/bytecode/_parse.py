"""From the bytes of an object file to a `BytecodeObject`, with its parts for those who look closer."""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.btf import Btf, read_ext
from bpfimg.bytecode._code import usage
from bpfimg.bytecode._elf import read
from bpfimg.bytecode._externs import externs
from bpfimg.bytecode._functions import functions
from bpfimg.bytecode._globals import globals_of
from bpfimg.bytecode._limits import Limits
from bpfimg.bytecode._maps import maps
from bpfimg.bytecode._model import BytecodeObject, SectionSpec
from bpfimg.bytecode._producer import producer
from bpfimg.bytecode._programs import programs, subprograms
from bpfimg.bytecode._tables import DWARF, LLVM_ADDRSIG
from bpfimg.bytecode._variables import Budget
from bpfimg.errors import BytecodeError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.btf import Ext
    from bpfimg.bytecode._decode import Instruction
    from bpfimg.bytecode._disassemble import Disassembly
    from bpfimg.bytecode._elf import ElfObject

_LICENSE = "license"
_LICENSE_MAX = 128  # the kernel reads no more
_DWARF = tuple(before + name.decode() for name in DWARF for before in ("", ".rel"))
_SECTION_KINDS = {0: "NULL", 1: "PROGBITS", 2: "SYMTAB", 3: "STRTAB", 4: "RELA", 7: "NOTE", 8: "NOBITS", 9: "REL"}


@value(frozen=True, slots=True, eq=False)
class Dissection:
    """An object and what it was read from: `elf` has sections, symbols and relocations, `types` the BTF, `ext` what
    stands beside it (functions, source lines, CO-RE relocations). `types` and `ext` are None where there are none."""

    object: BytecodeObject
    elf: ElfObject
    types: Btf | None
    ext: Ext | None

    def without_dwarf(self) -> bytes:
        """The object file without DWARF: programs, maps, BTF and relocations are the same."""
        from bpfimg.bytecode._strip import stripped

        return stripped(self.elf)

    def with_declared_maps(self) -> bytes:
        """The object file with its maps of the old kind in the form that libbpf takes: see `_declare.declared`."""
        from bpfimg.bytecode._declare import declared

        return declared(self.elf, self.types)

    def tail_calls(self) -> dict[str, tuple[str, ...]]:
        """Name of each map of programs -> names of the functions that the object puts there."""
        from bpfimg.bytecode._tail_calls import tail_calls

        return tail_calls(self)

    def disassemble(self, name: str) -> tuple[Instruction, ...]:
        """The instructions of the program or sub-program of that name; `BytecodeError` if there is none."""
        return self.disassembly().of(name)

    def disassembly(self) -> Disassembly:
        """For the instructions of several functions: `disassembly().of(name)`."""
        from bpfimg.bytecode._disassemble import Disassembly

        return Disassembly(self)


def parse(data: bytes, *, limits: Limits | None = None) -> BytecodeObject:
    """The object in `data`, wherever it comes from: time and memory are bounded by `limits` and the size of `data`.

    Raises `BytecodeError`, naming the section or symbol, for anything that is not a sound eBPF object.
    """
    return dissect(data, limits=limits).object


def dissect(data: bytes, *, limits: Limits | None = None) -> Dissection:
    """The same with its parts."""
    bounds = limits or Limits()
    elf = read(data, bounds)
    types = elf.content(".BTF")
    btf = Btf(types, elf.byte_order, bounds.for_btf) if types else None
    beside = elf.content(".BTF.ext")
    ext = read_ext(beside, elf.byte_order, btf, bounds.for_btf) if btf is not None and beside else None
    return Dissection(_object(data, elf, btf, ext, bounds), elf, btf, ext)


def _object(data: bytes, elf: ElfObject, btf: Btf | None, ext: Ext | None, bounds: Limits) -> BytecodeObject:
    budget = Budget(bounds)
    variables = globals_of(elf, btf, budget) if btf is not None else ()
    outside = externs(elf, btf, budget)
    found = functions(elf, bounds)
    uses = usage(elf, found, ext, frozenset(extern.name for extern in outside if extern.kind == "kfunc"), bounds)
    sections = tuple(_sections(elf))
    _, lines, core = ext.count() if ext is not None else (0, 0, 0)
    return BytecodeObject(
        programs=programs(found, uses),
        maps=maps(elf, btf, variables, budget),
        globals=variables,
        license=_license(elf),
        byte_order=elf.byte_order,
        has_btf=btf is not None,
        has_core_relocations=core > 0,
        size=len(data),
        functions=subprograms(found, uses),
        externs=outside,
        sections=sections,
        producer=producer(elf),
        btf_size=sum(section.size for section in sections if section.name in (".BTF", ".BTF.ext")),
        dwarf_size=sum(section.size for section in sections if section.name.startswith(_DWARF)),
        has_line_info=lines > 0,
    )


def _sections(elf: ElfObject) -> list[SectionSpec]:
    """All of them, in the order of the file, the empty first one left out."""
    found = []
    for name, row in zip(elf.tables.names, elf.tables.rows, strict=True):
        if row[1]:
            word = "LLVM_ADDRSIG" if row[1] == LLVM_ADDRSIG else _SECTION_KINDS.get(row[1], f"type_{row[1]}")
            found.append(SectionSpec(quoted(name)[1:-1] if not name.isprintable() else name, row[5], word))
    return found


def _license(elf: ElfObject) -> str:
    text, _, _ = elf.content(_LICENSE)[:_LICENSE_MAX].partition(b"\0")
    if not text.isascii() or not text.decode().isprintable():
        raise BytecodeError(
            f"section 'license' holds {quoted(text.decode(errors='replace'))}, expected printable ASCII"
        )
    return text.decode()
