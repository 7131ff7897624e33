"""What an eBPF object is, as values: the same on every machine, whatever its kernel can do."""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.errors import BytecodeError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.bytecode._variables import GlobalSpec


@value(frozen=True, slots=True)
class ProgramSpec:
    """One program. `type` and `attach_type` are the kernel's words; an unknown section has type "unspec" and id 0.

    `label` is the word for the image label. `target` is what the section names: "syscalls/sys_enter_openat".
    `section` is without a leading `?`, which makes `autoload` false: libbpf loads the program only when asked.
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


@value(frozen=True, slots=True)
class MapSpec:
    """One map; sizes in bytes. `internal`: libbpf makes it for a section of global data, `name` is that section.

    `key_type` and `value_type` are C spellings, None where the object gives only sizes. `pinning` is "none" or
    "by-name". A `max_entries` of 0 is for the loader to decide (perf_event_array: the number of CPUs).
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


@value(frozen=True, slots=True)
class BytecodeObject:
    """One object file. Programs are in the order of the file, maps in that of their declaration, internal ones last.

    `byte_order` is "little" or "big", `size` the file's size in bytes, `license` "" where there is none.
    """

    programs: tuple[ProgramSpec, ...]
    maps: tuple[MapSpec, ...]
    globals: tuple[GlobalSpec, ...]
    license: str
    byte_order: str
    has_btf: bool
    has_core_relocations: bool
    size: int

    def program(self, name: str) -> ProgramSpec:
        """The program of that name; `BytecodeError`, whose hint lists the names, if there is none."""
        for program in self.programs:
            if program.name == name:
                return program
        names = ", ".join(program.name for program in self.programs)
        raise BytecodeError(f"the object has no program {quoted(name)}", hint=f"it has: {names or 'no program at all'}")
