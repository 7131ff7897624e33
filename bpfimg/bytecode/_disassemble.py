"""The instructions of a program or sub-program, with what an object knows about each of them."""

from __future__ import annotations

from bisect import bisect_right

from bpfimg._value import replace, value
from bpfimg.bytecode import _decode
from bpfimg.bytecode._code import References
from bpfimg.bytecode._functions import INSTRUCTION_SIZE, functions
from bpfimg.bytecode._limits import Limits
from bpfimg.bytecode._variables import KCONFIG, is_global_section, is_read_only
from bpfimg.errors import BytecodeError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from bpfimg.btf import Btf, CoreRelocation, LineInfo
    from bpfimg.bytecode._decode import Instruction
    from bpfimg.bytecode._elf import Section, Symbol
    from bpfimg.bytecode._functions import Function
    from bpfimg.bytecode._parse import Dissection
    from bpfimg.bytecode._variables import GlobalSpec

__all__ = ["Disassembly", "labelled"]

_TEXT_MAX = 64


def labelled(code: Iterable[Instruction]) -> tuple[Instruction, ...]:
    """The same with labels L1, L2, ... in the order of the code, where branches lead."""
    rows = tuple(code)
    starts = {row.offset for row in rows}
    targets = sorted({row.target for row in rows if row.target is not None and row.source is None} & starts)
    names = {offset: f"L{number}" for number, offset in enumerate(targets, 1)}
    return tuple(replace(row, label=names[row.offset]) if row.offset in names else row for row in rows)


@value(frozen=True, slots=True, eq=False)
class _Beside:
    """The code of a section, and what stands beside it by its offset in bytes."""

    content: bytes
    symbols: dict[int, Symbol]
    lines: dict[int, LineInfo]
    core: dict[int, str]


class Disassembly:
    """Reads the functions of one object; what belongs to a whole section is looked up once."""

    def __init__(self, dissection: Dissection) -> None:
        self._dissection = dissection
        self._elf = dissection.elf
        found = functions(dissection.elf, Limits())
        # a program comes before a static function of the same name
        self._functions = {each.name: each for each in sorted(found, key=lambda each: each.program)}
        self._kinds = {extern.name: extern.kind for extern in dissection.object.externs}
        kfuncs = frozenset(name for name, kind in self._kinds.items() if kind == "kfunc")
        self._references = References(dissection.elf, found, kfuncs)
        self._sections = {section.index: section for section in dissection.elf.sections}
        self._globals: dict[str, list[GlobalSpec]] = {}
        for spec in dissection.object.globals:
            self._globals.setdefault(spec.section, []).append(spec)
        ext = dissection.ext
        self._lines = ext.lines if ext is not None else {}
        self._core = ext.core if ext is not None else {}
        self._beside: dict[int, _Beside] = {}

    def of(self, name: str) -> tuple[Instruction, ...]:
        """The instructions of the function of that name; `BytecodeError` if there is none.

        Offsets count from its first instruction. `refers` is ("helper" | "kfunc" | "function" | "callback" | "map" |
        "global" | "section" | "ksym" | "kconfig", name).
        """
        function = self._functions.get(name)
        if function is None:
            names = ", ".join(quoted(each)[1:-1] for each in list(self._functions)[:20])
            raise BytecodeError(
                f"the object has no program or sub-program {quoted(name)}", hint=f"it has: {names or 'none at all'}"
            )
        section = function.section
        if section.index not in self._beside:
            self._beside[section.index] = self._read(section)
        beside = self._beside[section.index]
        code = beside.content[function.start : function.end]
        return labelled(
            replace(
                self._referring(row, function, beside.symbols.get(function.start + row.offset)),
                core=beside.core.get(function.start + row.offset, ""),
                line=beside.lines.get(function.start + row.offset),
            )
            for row in _decode.decode(code, self._elf.byte_order)
        )

    def _read(self, section: Section) -> _Beside:
        types = self._dissection.types
        core = self._core.get(section.name, ()) if types is not None else ()
        return _Beside(
            section.content,
            {offset: self._elf.table[symbol] for offset, symbol, _ in self._elf.relocations(section.index)},
            {line.offset: line for line in self._lines.get(section.name, ())},
            {each.offset: _words(types, each) for each in core if types is not None},
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
        specs = self._globals.get(section.name, []) if section.name != KCONFIG else []
        at = bisect_right(specs, offset, key=lambda spec: spec.offset) - 1
        if at >= 0 and offset < specs[at].offset + specs[at].size:
            beyond = offset - specs[at].offset
            return replace(row, refers=("global", specs[at].name), note=f"+{beyond:#x}" if beyond else text)
        return replace(row, refers=("section", section.name), note=text or (f"+{offset:#x}" if offset else ""))


def _words(types: Btf, relocation: CoreRelocation) -> str:
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
