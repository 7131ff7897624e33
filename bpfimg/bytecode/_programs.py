"""Programs: the global functions in executable sections other than .text."""

from __future__ import annotations

from bpfimg.bytecode._model import ProgramSpec
from bpfimg.bytecode._sections import section_rule
from bpfimg.bytecode._text import checked
from bpfimg.errors import BytecodeError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.bytecode._elf import ElfObject, Section, Symbol

_INSTRUCTION_SIZE = 8
_SUBPROGRAMS = ".text"


def programs(elf: ElfObject) -> tuple[ProgramSpec, ...]:
    """All programs, by section and then by place in it, as libbpf orders them.

    Functions in .text are sub-programs, linked into the programs that call them.
    """
    sections = {s.index: s for s in elf.sections if s.executable and not s.zeros and s.name != _SUBPROGRAMS}
    functions = [s for s in elf.symbols if s.kind == "STT_FUNC" and not s.local and s.section in sections]
    functions.sort(key=lambda symbol: (symbol.section, symbol.value))
    found: dict[str, ProgramSpec] = {}
    for symbol in functions:
        if symbol.name in found:
            raise BytecodeError(f"the object has two programs named {quoted(symbol.name)}")
        found[symbol.name] = _program(symbol, sections[symbol.section])
    return tuple(found.values())


def _program(symbol: Symbol, section: Section) -> ProgramSpec:
    name = checked(symbol.name, f"a program in section {quoted(section.name)}")
    if symbol.value + symbol.size > section.size:
        raise BytecodeError(
            f"program {quoted(name)} is said to reach from byte {symbol.value} to {symbol.value + symbol.size} "
            f"of section {quoted(section.name)}, which has {section.size}"
        )
    if symbol.value % _INSTRUCTION_SIZE or symbol.size % _INSTRUCTION_SIZE or not symbol.size:
        raise BytecodeError(
            f"program {quoted(name)} has {symbol.size} bytes at {symbol.value} of section {quoted(section.name)}, "
            f"expected whole instructions of {_INSTRUCTION_SIZE} bytes"
        )
    plain = section.name.removeprefix("?")
    rule = section_rule(plain)
    target = plain.removeprefix(rule.section).removeprefix("/") if rule and rule.target == "optional" else ""
    return ProgramSpec(
        name=name,
        section=plain,
        type=rule.program_type if rule else "unspec",
        label=rule.label if rule else "unspec",
        type_id=rule.program_type_id if rule else 0,
        attach_type=rule.attach_type if rule else None,
        attach_type_id=rule.attach_type_id if rule else 0,
        target=target or None,
        instructions=symbol.size // _INSTRUCTION_SIZE,
        sleepable=bool(rule and rule.sleepable),
        frags=bool(rule and rule.frags),
        autoload=plain == section.name,
    )
