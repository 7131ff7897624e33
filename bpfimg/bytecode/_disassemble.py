"""The instructions of a program or sub-program, with what an object knows about each of them."""

from __future__ import annotations

from bpfimg._value import replace
from bpfimg.bytecode import _decode
from bpfimg.bytecode._code import References
from bpfimg.bytecode._functions import INSTRUCTION_SIZE, functions
from bpfimg.bytecode._limits import Limits
from bpfimg.bytecode._variables import KCONFIG, is_global_section, is_read_only
from bpfimg.errors import BytecodeError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bpfimg.btf import Btf, CoreRelocation, LineInfo
    from bpfimg.bytecode._decode import Instruction
    from bpfimg.bytecode._elf import Section, Symbol
    from bpfimg.bytecode._functions import Function
    from bpfimg.bytecode._parse import Dissection

__all__ = ["instructions", "labelled"]

_TEXT_MAX = 64


def instructions(dissection: Dissection, name: str) -> tuple[Instruction, ...]:
    """The instructions of the function of that name; `BytecodeError` if there is none.

    Offsets count from its first instruction. `refers` is ("helper" | "kfunc" | "function" | "callback" | "map" |
    "global" | "section" | "ksym" | "kconfig", name).
    """
    return _Reader(dissection).read(name)


def labelled(code: Iterable[Instruction]) -> tuple[Instruction, ...]:
    """The same with labels L1, L2, ... in the order of the code, where branches lead."""
    rows = tuple(code)
    starts = {row.offset for row in rows}
    targets = sorted({row.target for row in rows if row.target is not None and row.source is None} & starts)
    names = {offset: f"L{number}" for number, offset in enumerate(targets, 1)}
    return tuple(replace(row, label=names[row.offset]) if row.offset in names else row for row in rows)


class _Reader:
    """What is looked up again and again while one function is read."""

    def __init__(self, dissection: Dissection) -> None:
        self._dissection = dissection
        self._elf = dissection.elf
        self._functions = functions(dissection.elf, Limits())
        self._kinds = {extern.name: extern.kind for extern in dissection.object.externs}
        kfuncs = frozenset(name for name, kind in self._kinds.items() if kind == "kfunc")
        self._references = References(dissection.elf, self._functions, kfuncs)
        self._sections = {section.index: section for section in dissection.elf.sections}

    def read(self, name: str) -> tuple[Instruction, ...]:
        function = self._function(name)
        section = function.section
        relocations = {
            offset - function.start: self._elf.table[symbol]
            for offset, symbol, _kind in self._elf.relocations(section.index)
            if function.start <= offset < function.end
        }
        lines, core = self._lines(function), self._core(function)
        code = section.content[function.start : function.end]
        return labelled(
            replace(
                self._referring(row, function, relocations.get(row.offset)),
                core=core.get(row.offset, ""),
                line=lines.get(row.offset),
            )
            for row in _decode.decode(code, self._elf.byte_order)
        )

    def _function(self, name: str) -> Function:
        # a program comes before a static function of the same name
        for function in sorted(self._functions, key=lambda function: not function.program):
            if function.name == name:
                return function
        names = ", ".join(quoted(function.name)[1:-1] for function in self._functions[:20])
        raise BytecodeError(
            f"the object has no program or sub-program {quoted(name)}", hint=f"it has: {names or 'none at all'}"
        )

    def _referring(self, row: Instruction, function: Function, symbol: Symbol | None) -> Instruction:
        if row.source is None or row.immediate is None:
            return row
        if len(row.raw) == INSTRUCTION_SIZE:
            return replace(row, target=None, refers=self._called(row, row.immediate, function, symbol))
        return self._loading(row, symbol) if symbol is not None else row

    def _called(self, row: Instruction, imm: int, function: Function, symbol: Symbol | None) -> tuple[str, str] | None:
        if symbol is not None:
            called = self._references.called(symbol, imm)
            if isinstance(called, str):
                return "kfunc", called
        elif row.source == _decode.CALL_HELPER:
            from bpfimg.bytecode._helpers import helper_name

            return "helper", helper_name(imm)
        elif row.target is not None:
            called = self._references.function(function.section.index, function.start + row.target)
        else:
            return None
        return ("function", called.name) if called is not None else None

    def _loading(self, row: Instruction, symbol: Symbol) -> Instruction:
        """A 64-bit load of an address: the relocation says of what."""
        imm = (row.immediate or 0) & 0xFFFFFFFF
        found = self._references.loaded(symbol, imm)
        if found is not None and found[0] == "extern":
            return replace(row, refers=(self._kinds.get(symbol.name, "ksym"), symbol.name))
        if found is not None and found[0] == "code" and not isinstance(found[1], str):
            return replace(row, refers=("callback", found[1].name))
        section = self._sections.get(symbol.section)
        if section is None:
            return row
        if found is not None and not is_global_section(section.name):
            return replace(row, refers=("map", str(found[1])))
        return self._datum(row, section, symbol.value + imm)

    def _datum(self, row: Instruction, section: Section, offset: int) -> Instruction:
        """The address of a global variable, or of a place in a section."""
        text = _text(section, offset)
        for spec in self._dissection.object.globals:
            if spec.section == section.name != KCONFIG and spec.offset <= offset < spec.offset + spec.size:
                beyond = offset - spec.offset
                return replace(row, refers=("global", spec.name), note=f"+{beyond:#x}" if beyond else text)
        return replace(row, refers=("section", section.name), note=text or (f"+{offset:#x}" if offset else ""))

    def _lines(self, function: Function) -> Mapping[int, LineInfo]:
        ext = self._dissection.ext
        found = ext.lines.get(function.section.name, ()) if ext is not None else ()
        return {line.offset - function.start: line for line in found}

    def _core(self, function: Function) -> Mapping[int, str]:
        ext, types = self._dissection.ext, self._dissection.types
        found = ext.core.get(function.section.name, ()) if ext is not None else ()
        inside = [relocation for relocation in found if function.start <= relocation.offset < function.end]
        if types is None or not inside:
            return {}
        return {relocation.offset - function.start: core_words(types, relocation) for relocation in inside}


def core_words(types: Btf, relocation: CoreRelocation) -> str:
    """What a CO-RE relocation asks of a kernel; what is wrong with it, if it is not sound."""
    from bpfimg.btf import question

    try:
        return question(types, relocation).words
    except BytecodeError as error:
        return f"not sound: {error}"


def _text(section: Section, offset: int) -> str:
    """The string that begins there, in quotes, if it looks like one and cannot change."""
    if not is_read_only(section.name) or not section.name.startswith(".rodata"):
        return ""
    text, end, _ = section.content[offset : offset + _TEXT_MAX + 1].partition(b"\0")
    if len(text) < 2 or not (end or len(text) > _TEXT_MAX) or not text.isascii():
        return ""
    words = text.decode()
    shown = words.replace("\n", "").replace("\t", "")
    return quoted(words, _TEXT_MAX) if shown.isprintable() else ""
