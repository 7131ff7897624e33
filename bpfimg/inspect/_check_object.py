"""What an object asks of kernels, read once for all of them."""

from __future__ import annotations

from bisect import bisect_right

from bpfimg._value import value
from bpfimg.btf import Resolver
from bpfimg.bytecode import requirements
from bpfimg.errors import BytecodeError
from bpfimg.inspect._places import extents, function_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from bpfimg.btf import Btf, CoreRelocation, KernelTypes, LineInfo, Resolution
    from bpfimg.bytecode import Dissection, Instruction, ProgramSpec, Requirement
    from bpfimg.inspect._check_reach import Facts, Place

_NOT_SOUND = "not sound"
_CALL = 0x85


@value(frozen=True, slots=True)
class Question:
    """A CO-RE relocation: in which function and where in it (bytes), what it asks, and the instruction's bytes."""

    relocation: CoreRelocation
    section: str
    function: str
    offset: int
    kind: str
    subject: str
    words: str
    optional: bool
    code: bytes


class Subject:
    """An object under check. Code is read when it is asked for."""

    def __init__(self, dissection: Dissection) -> None:
        self.object = dissection.object
        self._dissection = dissection
        self._callers: dict[str, list[str]] = {}
        self._functions = extents(dissection)
        self._sections = {name: section for section, rows in self._functions.items() for _, _, name in rows}
        self._starts = {name: start for rows in self._functions.values() for start, _, name in rows}
        self._disassembly = dissection.disassembly()
        self._code: dict[str, dict[int, Instruction]] = {}
        self._lines: dict[str, tuple[LineInfo, ...]] = dict(dissection.ext.lines) if dissection.ext else {}
        self._externs = {extern.name: extern for extern in self.object.externs}
        self._autoload = {program.name: program.autoload for program in self.object.programs}
        self.requirements = requirements(self.object)
        self.questions = tuple(self._questions())

    def _questions(self) -> Iterator[Question]:
        ext, types = self._dissection.ext, self._dissection.types
        if ext is None or types is None:
            return
        for section, relocations in ext.core.items():
            content = self._dissection.elf.content(section)
            for relocation in relocations:
                function, offset = self._place(section, relocation.offset)
                code = content[relocation.offset : relocation.offset + 16]
                kind, subject, words, optional = _asked(types, relocation)
                yield Question(relocation, section, function, offset, kind, subject, words, optional, code)

    def _place(self, section: str, offset: int) -> tuple[str, int]:
        found = function_at(self._functions, section, offset)
        return (found[2], offset - found[0]) if found else ("", offset)

    def resolved(self, kernel: KernelTypes) -> dict[int, Resolution]:
        """What each of the questions comes to on a kernel, by number."""
        types = self._dissection.types
        if types is None:
            return {}
        resolver = Resolver(types, kernel)
        kernel.expect(types.name(q.relocation.type_id) for q in self.questions if q.relocation.type_id < len(types))
        return {n: resolver.resolve(q.relocation, q.code) for n, q in enumerate(self.questions)}

    def facts(self, core: Callable[[str, int], Resolution | None], weak: Mapping[str, bool | None]) -> Facts:
        """What the walk through the code starts from."""
        from bpfimg.inspect._check_reach import Facts

        known = {g.name: g.initial for g in self.object.globals if g.read_only and g.section.startswith(".rodata")}
        local = frozenset(function.name for function in self.object.functions if function.local)
        return Facts(self.code, core, known, weak, local, self.object.byte_order)

    def code(self, function: str) -> Mapping[int, Instruction]:
        """The instructions of a function by offset; none where there is no such function."""
        if function not in self._code:
            rows = self._disassembly.of(function) if function in self._starts else ()
            self._code[function] = {row.offset: row for row in rows}
        return self._code[function]

    def where(self, function: str, offset: int) -> str:
        """ "trace.bpf.c:33", or "trace+24" where the source is not known."""
        section, place = self._sections.get(function, ""), self._starts.get(function, 0) + offset
        lines = self._lines.get(section, ())
        at = bisect_right(lines, place, key=lambda line: line.offset) - 1
        if at >= 0 and lines[at].line and lines[at].offset >= self._starts.get(function, 0):
            return f"{lines[at].file.rpartition('/')[2]}:{lines[at].line}"
        return f"{function}+{offset}"

    def programs_with(self, function: str) -> list[str]:
        """The programs that are, or call, that function."""
        if not self._callers:
            for program in self.object.programs:
                for name in dict.fromkeys((program.name, *program.uses.calls)):
                    self._callers.setdefault(name, []).append(program.name)
        return self._callers.get(function, [])

    def uses(self, program: ProgramSpec, requirement: Requirement) -> list[Place]:
        """Where a program calls that helper function or kfunc; to ask for its address is no call."""
        refers = requirement.kind, requirement.name
        rows = ((name, row) for name in (program.name, *program.uses.calls) for row in self.code(name).values())
        return [(name, row.offset) for name, row in rows if row.refers == refers and row.raw[0] == _CALL]

    def concerns(self, requirement: Requirement, program: ProgramSpec) -> bool:
        """Does the program fail without it? libbpf looks for all symbols of an object that are not weak."""
        if requirement.kind in ("kfunc", "ksym", "kconfig") and not self.weak(requirement):
            return True
        if requirement.programs:
            return program.name in requirement.programs
        return not requirement.optional

    def weak(self, requirement: Requirement) -> bool:
        """Is it a symbol that need not be there?"""
        extern = self._externs.get(requirement.name)
        return requirement.kind in ("kfunc", "ksym", "kconfig") and extern is not None and extern.weak

    def replaced(self, requirement: Requirement) -> bool:
        """Is it optional although programs that are loaded unasked need it?"""
        return requirement.optional and any(self._autoload.get(name) for name in requirement.programs)

    def typed(self, name: str) -> bool:
        """Is it a symbol with a type, which libbpf looks for in the kernel's types?"""
        extern = self._externs.get(name)
        return extern is not None and (extern.type or "void").removeprefix("const ") != "void"


def _asked(types: Btf, relocation: CoreRelocation) -> tuple[str, str, str, bool]:
    from bpfimg.btf import question

    try:
        found = question(types, relocation)
    except BytecodeError as error:
        return _NOT_SOUND, _NOT_SOUND, str(error), False
    return found.kind, found.subject, found.words, found.optional
