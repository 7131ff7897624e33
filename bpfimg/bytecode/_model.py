"""What an eBPF object is, as values: the same on every machine, whatever its kernel can do."""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.errors import BytecodeError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.bytecode._variables import GlobalSpec


@value(frozen=True, slots=True)
class Usage:
    """What the code of a program refers to, itself or through the sub-programs that it calls; names sorted.

    helpers   BPF helper functions: "bpf_map_lookup_elem", "helper#999" for a number that nobody knows
    gpl_only  those of them that the kernel gives only to programs with a GPL-compatible licence
    kfuncs    functions of the kernel, called by name
    ksyms     variables of the kernel, and of its configuration (.kconfig)
    maps      maps, and sections of global data (".rodata")
    calls     sub-programs
    isa       what the instructions need beyond the first eBPF: "atomics" (fetch, exchange), "atomic-add", "jmp32",
              "cpu-v4", "may-goto", "load-acquire", "addr-space-cast", "indirect-jump", "bpf-to-bpf-calls", "callbacks"
    core      number of CO-RE relocations
    """

    helpers: tuple[str, ...] = ()
    gpl_only: tuple[str, ...] = ()
    kfuncs: tuple[str, ...] = ()
    ksyms: tuple[str, ...] = ()
    maps: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    isa: tuple[str, ...] = ()
    core: int = 0


@value(frozen=True, slots=True)
class ProgramSpec:
    """One program. `type` and `attach_type` are the kernel's words; an unknown section has type "unspec" and id 0.

    `label` is the word for the image label. `target` is what the section names: "syscalls/sys_enter_openat".
    `section` is without a leading `?`, which makes `autoload` false: libbpf loads the program only when asked.
    `multi`: one attachment covers many functions. `offset` is the place in the section, in bytes.
    """

    name: str
    section: str
    type: str
    label: str
    type_id: int
    attach_type: str | None
    attach_type_id: int
    target: str | None
    instructions: int
    sleepable: bool
    frags: bool
    autoload: bool = True
    multi: bool = False
    offset: int = 0
    uses: Usage = Usage()


@value(frozen=True, slots=True)
class FunctionSpec:
    """A sub-program: `instructions` from byte `offset` of `section` on. `local`: static in its source."""

    name: str
    section: str
    offset: int
    instructions: int
    local: bool
    uses: Usage = Usage()


@value(frozen=True, slots=True)
class ExternSpec:
    """What somebody else has to define. `kind` is "kfunc", "ksym" (a variable of the kernel) or "kconfig".

    `weak`: the object can be loaded without it. `type` is the C spelling, None where there is no BTF for it.
    """

    name: str
    kind: str
    weak: bool
    type: str | None


@value(frozen=True, slots=True)
class SectionSpec:
    """One section of the ELF file: `size` in bytes in memory, `kind` the ELF section type ("PROGBITS", "REL", ...)."""

    name: str
    size: int
    kind: str


@value(frozen=True, slots=True)
class MapSpec:
    """One map; sizes in bytes. `internal`: libbpf makes it for a section of global data, `name` is that section.

    `key_type` and `value_type` are C spellings, None where the object gives only sizes. `pinning` is "none" or
    "by-name". A `max_entries` of 0 is for the loader to decide (perf_event_array: the number of CPUs).
    `legacy`: defined in section "maps", which libbpf 1.0 and newer refuse. `inner` is the shape of the maps in a map
    of maps, where the object states it.
    """

    name: str
    type: str
    type_id: int
    key_size: int
    value_size: int
    key_type: str | None
    value_type: str | None
    max_entries: int
    flags: int
    pinning: str
    internal: bool
    legacy: bool = False
    map_extra: int = 0
    inner: MapSpec | None = None


@value(frozen=True, slots=True)
class BytecodeObject:
    """One object file. Programs are in the order of the file, maps in that of their declaration, internal ones last.

    `byte_order` is "little" or "big", `size` the file's size in bytes, `license` "" where there is none. `functions`
    are the sub-programs, `externs` what the kernel has to define. `producer` is the compiler, as DWARF names it, None
    without DWARF. `btf_size` and `dwarf_size` are in bytes, with the relocations of DWARF.
    """

    programs: tuple[ProgramSpec, ...]
    maps: tuple[MapSpec, ...]
    globals: tuple[GlobalSpec, ...]
    license: str
    byte_order: str
    has_btf: bool
    has_core_relocations: bool
    size: int
    functions: tuple[FunctionSpec, ...] = ()
    externs: tuple[ExternSpec, ...] = ()
    sections: tuple[SectionSpec, ...] = ()
    producer: str | None = None
    btf_size: int = 0
    dwarf_size: int = 0
    has_line_info: bool = False

    def program(self, name: str) -> ProgramSpec:
        """The program of that name; `BytecodeError`, whose hint lists the names, if there is none."""
        for program in self.programs:
            if program.name == name:
                return program
        names = ", ".join(program.name for program in self.programs)
        raise BytecodeError(f"the object has no program {quoted(name)}", hint=f"it has: {names or 'no program at all'}")
