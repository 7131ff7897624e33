"""Where the functions of an object are: programs and sub-programs alike."""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.bytecode._elf import STT_FUNC
from bpfimg.bytecode._text import checked
from bpfimg.errors import BytecodeError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.bytecode._elf import ElfObject, Section, Symbol
    from bpfimg.bytecode._limits import Limits

INSTRUCTION_SIZE = 8
SUBPROGRAMS = ".text"
_NAMES_MAX = 8  # of the same code: aliases


@value(frozen=True, slots=True, eq=False)  # each is itself: a key, found quickly
class Function:
    """Bytes `start` to `end` of a section. A program is a global function in a section other than .text."""

    name: str
    section: Section
    start: int
    end: int
    local: bool

    @property
    def program(self) -> bool:
        return not self.local and self.section.name != SUBPROGRAMS


def functions(elf: ElfObject, limits: Limits) -> tuple[Function, ...]:
    """All functions, by section and then by place in it, as libbpf orders programs."""
    sections = {section.index: section for section in elf.sections if section.executable and not section.zeros}
    found = [_function(s, sections[s.section]) for s in elf.symbols if s.kind == STT_FUNC and s.section in sections]
    if len(found) > limits.functions:
        raise BytecodeError(f"the object has {len(found)} functions, expected at most {limits.functions}")
    together, room = sum(f.end - f.start for f in found), sum(section.size for section in sections.values())
    if together > _NAMES_MAX * room:
        raise BytecodeError(
            f"the functions of the object overlap: together they have {together} bytes, their sections {room}"
        )
    found.sort(key=lambda function: (function.section.index, function.start))
    return tuple(found)


def _function(symbol: Symbol, section: Section) -> Function:
    name = checked(symbol.name, f"a program in section {quoted(section.name)}")
    if symbol.value + symbol.size > section.size:
        raise BytecodeError(
            f"program {quoted(name)} is said to reach from byte {symbol.value} to {symbol.value + symbol.size} "
            f"of section {quoted(section.name)}, which has {section.size}"
        )
    if symbol.value % INSTRUCTION_SIZE or symbol.size % INSTRUCTION_SIZE or not symbol.size:
        raise BytecodeError(
            f"program {quoted(name)} has {symbol.size} bytes at {symbol.value} of section {quoted(section.name)}, "
            f"expected whole instructions of {INSTRUCTION_SIZE} bytes"
        )
    return Function(name, section, symbol.value, symbol.value + symbol.size, symbol.local)
