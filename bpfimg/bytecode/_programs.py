"""Programs and sub-programs, as values."""

from __future__ import annotations

from bpfimg._value import replace
from bpfimg.bytecode._functions import INSTRUCTION_SIZE
from bpfimg.bytecode._model import FunctionSpec, ProgramSpec
from bpfimg.bytecode._sections import section_rule
from bpfimg.errors import BytecodeError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bpfimg.bytecode._functions import Function
    from bpfimg.bytecode._model import Usage
    from bpfimg.bytecode._sections import SectionRule


def programs(functions: Sequence[Function], uses: Mapping[Function, Usage]) -> tuple[ProgramSpec, ...]:
    """The global functions in executable sections other than .text, by section and then by place in it."""
    rules: dict[str, SectionRule | None] = {}
    found: dict[str, ProgramSpec] = {}
    for function in functions:
        if not function.program:
            continue
        if function.name in found:
            raise BytecodeError(f"the object has two programs named {quoted(function.name)}")
        section = function.section.name
        if section not in rules:
            rules[section] = section_rule(section)
        found[function.name] = _program(function, rules[section], uses[function])
    return tuple(found.values())


def subprograms(functions: Sequence[Function], uses: Mapping[Function, Usage]) -> tuple[FunctionSpec, ...]:
    """The functions that are no programs: libbpf links them into those that call them."""
    return tuple(
        FunctionSpec(
            name=function.name,
            section=function.section.name,
            offset=function.start,
            instructions=(function.end - function.start) // INSTRUCTION_SIZE,
            local=function.local,
            uses=uses[function],
        )
        for function in functions
        if not function.program
    )


def _program(function: Function, rule: SectionRule | None, uses: Usage) -> ProgramSpec:
    section = function.section.name
    plain = section.removeprefix("?")
    target = plain.removeprefix(rule.section).removeprefix("/") if rule and rule.target == "optional" else ""
    return ProgramSpec(
        name=function.name,
        section=plain,
        type=rule.program_type if rule else "unspec",
        label=rule.label if rule else "unspec",
        type_id=rule.program_type_id if rule else 0,
        attach_type=rule.attach_type if rule else None,
        attach_type_id=rule.attach_type_id if rule else 0,
        target=target or None,
        instructions=(function.end - function.start) // INSTRUCTION_SIZE,
        sleepable=bool(rule and rule.sleepable),
        frags=bool(rule and rule.frags),
        autoload=plain == section,
        multi=bool(rule and rule.multi),
        offset=function.start,
        uses=_licensed(uses, rule) if rule and uses.gpl_only else uses,
    )


def _licensed(uses: Usage, rule: SectionRule) -> Usage:
    """Without the helper functions that programs of this kind get whatever their licence is."""
    from bpfimg.bytecode._helpers import free_for

    only = tuple(name for name in uses.gpl_only if not free_for(name, rule.program_type, rule.attach_type))
    return replace(uses, gpl_only=only) if only != uses.gpl_only else uses
