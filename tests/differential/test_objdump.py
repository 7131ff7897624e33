"""Code, as llvm-objdump disassembles it: how many instructions, and what they call and refer to.

The direct references are taken from llvm-objdump's raw bytes and relocations; only the closure over sub-programs is
computed here.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from bpfimg.bytecode import dissect
from tests.support import corpus_groups, corpus_tools
from tests.support.corpus_groups import every_group

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.bytecode import Dissection
    from tests.support.corpus_tools import Code

_CALL = 0x85
_STT_SECTION = 3
_MAPS = re.compile(r"\.maps|maps(/.*)?")  # declared with BTF; of the old kind, together or each by itself
_HEADER = Path("/usr/include/bpf/bpf_helper_defs.h")


@functools.cache
def helper_names() -> dict[int, str]:
    """The helper functions by number, as libbpf's own header has them; skips the test where there is none."""
    if not _HEADER.exists():
        pytest.skip("needs libbpf's headers (Debian: libbpf-dev) for the names of helper functions")
    # libbpf >= 1.3 has the pointers themselves const
    found = re.findall(r"\(\* ?(?:const )?(bpf_\w+)\)\(.*?\) = \(void \*\) ?(\d+);", _HEADER.read_text(), re.S)
    assert found, f"{_HEADER} is written in another way"
    return {int(number): name for name, number in found}


@every_group
def test_number_of_instructions(group: str) -> None:
    different = []
    for sample in corpus_groups.objects(group):
        code = corpus_tools.objdump(sample.data)
        found = dissect(sample.data).object
        functions = [(p.name, "?" + p.section if not p.autoload else p.section, p) for p in found.programs]
        functions += [(f.name, f.section, f) for f in found.functions]  # type: ignore[misc]
        for name, section, spec in functions:
            end = spec.offset + 8 * spec.instructions
            inside = [raw for at, raw in code[section].instructions.items() if spec.offset <= at < end]
            if sum(len(raw) for raw in inside) != 8 * spec.instructions:
                different.append((sample.name, name, len(inside), spec.instructions))
        slots = {name: sum(len(raw) for raw in part.instructions.values()) for name, part in code.items()}
        sizes = {s.name: s.size for s in dissect(sample.data).elf.sections if s.executable and s.size}
        if slots != sizes:
            different.append((sample.name, "", slots, sizes))  # type: ignore[arg-type]
    assert not different


@every_group
def test_what_programs_use(group: str) -> None:
    helper_names()
    different = []
    for sample in corpus_groups.objects(group):
        code = corpus_tools.objdump(sample.data)
        found = dissect(sample.data)
        reader = _Reader(found)
        by_name = {function.name: function for function in found.object.functions}
        for program in found.object.programs:
            section = program.section if program.autoload else "?" + program.section
            places = [(section, program.offset, program.instructions)]
            places += [(f.section, f.offset, f.instructions) for f in map(by_name.get, program.uses.calls) if f]
            theirs: dict[str, set[str]] = {"helpers": set(), "kfuncs": set(), "ksyms": set(), "maps": set()}
            for name, start, count in places:
                for kind, word in reader.references(code[name], start, start + 8 * count):
                    theirs[kind].add(word)
            ours = {kind: set(getattr(program.uses, kind)) for kind in theirs}
            if ours != theirs:
                different.append((sample.name, program.name, ours, theirs))
    assert not different


class _Reader:
    """Turns llvm-objdump's instructions and relocations into names. Symbols are those that readelf agrees on."""

    def __init__(self, found: Dissection) -> None:
        self._order: Literal["little", "big"] = "little" if found.elf.byte_order == "little" else "big"
        self._undefined = {symbol.name for symbol in found.elf.undefined}
        self._functions = {extern.name for extern in found.object.externs if extern.kind == "kfunc"}
        self._sections = {section.index: section.name for section in found.elf.sections}
        self._data = {name for name in self._sections.values() if name.startswith((".data", ".rodata", ".bss"))}
        self._symbols = {symbol.name: symbol for symbol in found.elf.symbols if symbol.kind != _STT_SECTION}
        self._maps = {
            (self._sections[symbol.section], symbol.value): symbol.name
            for symbol in self._symbols.values()
            if _MAPS.fullmatch(self._sections.get(symbol.section, ""))
        }

    def references(self, code: Code, start: int, end: int) -> Iterator[tuple[str, str]]:
        for at, raw in code.instructions.items():
            if not start <= at < end:
                continue
            imm = int.from_bytes(raw[4:8], self._order)
            if at in code.relocations:
                yield from self._named(code.relocations[at], raw[0] == _CALL, imm)
            elif raw[0] == _CALL and (raw[1] >> 4 if self._order == "little" else raw[1] & 0xF) == 0:
                yield "helpers", helper_names().get(imm, f"helper#{imm}")

    def _named(self, name: str, call: bool, imm: int) -> Iterator[tuple[str, str]]:
        if name in self._undefined:
            yield "kfuncs" if call or name in self._functions else "ksyms", name
        elif _MAPS.fullmatch(name):  # a static map: the place in the section is in the instruction
            yield "maps", self._maps[name, imm]
        elif name in self._data:
            yield "maps", name
        elif name in self._symbols:
            section = self._sections[self._symbols[name].section]
            if _MAPS.fullmatch(section):
                yield "maps", name
            elif section in self._data:
                yield "maps", section


@every_group
def test_calls_of_subprograms(group: str) -> None:
    """Calls without a relocation, by the raw bytes: the target must be a function that the program is said to call."""
    different = []
    for sample in corpus_groups.objects(group):
        code = corpus_tools.objdump(sample.data)
        obj = dissect(sample.data).object
        starts = {(f.section, f.offset): f.name for f in obj.functions}
        starts |= {(p.section if p.autoload else "?" + p.section, p.offset): p.name for p in obj.programs}
        for function in (*obj.programs, *obj.functions):
            section = function.section if getattr(function, "autoload", True) else "?" + function.section
            end = function.offset + 8 * function.instructions
            for at, raw in code[section].instructions.items():
                source = raw[1] >> 4 if obj.byte_order == "little" else raw[1] & 0xF
                if not function.offset <= at < end or raw[0] != _CALL or source != 1 or at in code[section].relocations:
                    continue
                order = "little" if obj.byte_order == "little" else "big"
                distance = int.from_bytes(raw[4:8], order, signed=True)  # type: ignore[arg-type]
                target = starts.get((section, at + 8 * (distance + 1)))
                if target not in function.uses.calls and target != function.name:
                    different.append((sample.name, function.name, target, function.uses.calls))
    assert not different
