"""What the instructions refer to: helper functions, kfuncs, maps, sub-programs, and the instruction set they need.

Nothing here looks at instructions one by one: operation codes are every eighth byte of the code, so slices and
searches of bytes find the few that matter.
"""

from __future__ import annotations

import struct
from bisect import bisect_left

from bpfimg.bytecode._elf import SHN_RESERVED, SHN_UNDEF
from bpfimg.bytecode._functions import INSTRUCTION_SIZE
from bpfimg.bytecode._header import prefix
from bpfimg.bytecode._legacy import is_legacy
from bpfimg.bytecode._model import Usage
from bpfimg.bytecode._variables import is_global_section
from bpfimg.errors import BytecodeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bpfimg.btf import Ext
    from bpfimg.bytecode._elf import ElfObject, Symbol
    from bpfimg.bytecode._functions import Function
    from bpfimg.bytecode._limits import Limits

# Operation codes (Documentation/bpf/standardization/instruction-set.rst), kfunc and sub-program calls by src_reg.
_CALL, _LOAD_IMM64 = b"\x85", b"\x18"
_HELPER, _SUBPROGRAM = 0, 1  # 2 is a kfunc by its id, which no object on disk can know
_ATOMIC = b"\xc3\xdb\xcb\xd3"
_ATOMIC_ADDS = (0x00, 0x40, 0x50, 0xA0)  # add, or, and, xor without FETCH; only add is older than 5.12
_LOAD_ACQUIRE, _STORE_RELEASE = 0x100, 0x110
_JMP32 = 0x06
_V4 = frozenset(b"\xd7\x06\x81\x89\x91")  # bswap, gotol, sign-extending loads
_MAY_GOTO, _INDIRECT_JUMP = 0xE5, 0x0D
_DIVISIONS = b"\x34\x3c\x37\x3f\x94\x9c\x97\x9f"  # with offset 1: signed
_MOVES = b"\xbc\xbf"  # with an offset: sign-extending, or a cast between address spaces
_DECLARED = ".maps"


class References:
    """Resolves what an instruction with a relocation names; one for each object."""

    def __init__(self, elf: ElfObject, functions: Sequence[Function], kfuncs: frozenset[str]) -> None:
        self._elf = elf
        self._kfuncs = kfuncs
        self._sections = {section.index: section for section in elf.sections}
        self._functions = {(function.section.index, function.start): function for function in functions}
        self._maps = {
            (symbol.section, symbol.value): symbol.name
            for symbol in elf.symbols
            if not symbol.of_section and self._is_maps(symbol.section)
        }

    def function(self, section: int, offset: int) -> Function | None:
        """The function that begins there."""
        return self._functions.get((section, offset))

    def called(self, symbol: Symbol, imm: int) -> Function | str | None:
        """What a call with a relocation calls: a sub-program, or the name of an extern function."""
        if symbol.section == SHN_UNDEF:
            return symbol.name or None
        # a section symbol and the distance from its beginning in instructions, minus one, or the function's symbol
        offset = symbol.value + ((imm + 1) * INSTRUCTION_SIZE if symbol.of_section else 0)
        return self.function(symbol.section, offset)

    def loaded(self, symbol: Symbol, imm: int) -> tuple[str, Function | str] | None:
        """What a 64-bit load with a relocation loads: ("map", name), ("code", function) or ("extern", name)."""
        if symbol.section == SHN_UNDEF:
            return ("extern", symbol.name) if symbol.name else None
        section = self._sections.get(symbol.section)
        if section is None or symbol.section >= SHN_RESERVED:
            return None
        if self._is_maps(symbol.section):
            name = symbol.name if not symbol.of_section else self._maps.get((symbol.section, symbol.value + imm))
            return ("map", name) if name else None
        if section.executable:
            target = self.function(symbol.section, symbol.value + (imm if symbol.of_section else 0))
            return ("code", target) if target else None
        return ("map", section.name) if is_global_section(section.name) else None

    def is_kfunc(self, name: str) -> bool:
        return name in self._kfuncs

    def _is_maps(self, section: int) -> bool:
        found = self._sections.get(section)
        return found is not None and (found.name == _DECLARED or is_legacy(found.name))


class _Found:
    """What one function refers to itself; mutable while it is read."""

    __slots__ = ("calls", "core", "helpers", "isa", "kfuncs", "ksyms", "maps")

    def __init__(self) -> None:
        self.helpers: set[int] = set()
        self.kfuncs: set[str] = set()
        self.ksyms: set[str] = set()
        self.maps: set[str] = set()
        self.calls: set[Function] = set()
        self.isa: set[str] = set()
        self.core = 0


def usage(
    elf: ElfObject, functions: Sequence[Function], ext: Ext | None, kfuncs: frozenset[str], limits: Limits
) -> Mapping[Function, Usage]:
    """What each function uses, itself or through those it calls; `BytecodeError` for calls beyond the limit."""
    references = References(elf, functions, kfuncs)
    direct: dict[Function, _Found] = {}
    sections: dict[int, tuple[bytes, dict[int, tuple[int, int]]]] = {}
    core: dict[str, list[int]] = {}
    for function in functions:
        section = function.section
        if section.index not in sections:
            relocations = {offset: (symbol, kind) for offset, symbol, kind in elf.relocations(section.index)}
            sections[section.index] = section.content, relocations
        if section.name not in core:
            core[section.name] = sorted(ext.core_offsets(section.name)) if ext else []
        content, relocations = sections[section.index]
        found = _read(elf, function, content, relocations, references)
        offsets = core[section.name]
        found.core = bisect_left(offsets, function.end) - bisect_left(offsets, function.start)
        direct[function] = found
    uses: dict[Function, Usage] = {}
    left = limits.calls
    for function in functions:
        closure, followed = _closure(function, direct, left)
        left -= followed
        if left < 0:
            raise BytecodeError(f"from the functions of the object more than {limits.calls} calls can be followed")
        uses[function] = _usage(closure, direct)
    return uses


def _closure(function: Function, direct: Mapping[Function, _Found], most: int) -> tuple[tuple[Function, ...], int]:
    """The function and all that it calls, each once, and how many calls were followed: not many more than `most`."""
    seen = {function: None}
    pending = [function]
    followed = 0
    while pending and followed <= most:
        calls = direct[pending.pop()].calls
        followed += len(calls)
        for called in calls:
            if called not in seen:
                seen[called] = None
                pending.append(called)
    return tuple(seen), followed


def _usage(closure: tuple[Function, ...], direct: Mapping[Function, _Found]) -> Usage:
    from bpfimg.bytecode._helpers import gpl_only, helper_name

    reached = [direct[function] for function in closure]
    helpers = {helper for found in reached for helper in found.helpers}
    return Usage(
        helpers=tuple(sorted(helper_name(helper) for helper in helpers)),
        gpl_only=tuple(sorted(helper_name(helper) for helper in helpers if gpl_only(helper))),
        kfuncs=tuple(sorted({name for found in reached for name in found.kfuncs})),
        ksyms=tuple(sorted({name for found in reached for name in found.ksyms})),
        maps=tuple(sorted({name for found in reached for name in found.maps})),
        calls=tuple(sorted(function.name for function in closure[1:])),
        isa=tuple(sorted({word for found in reached for word in found.isa})),
        core=sum(found.core for found in reached),
    )


def _read(
    elf: ElfObject,
    function: Function,
    content: bytes,
    relocations: Mapping[int, tuple[int, int]],
    references: References,
) -> _Found:
    found = _Found()
    code = content[function.start : function.end]
    operations = code[::INSTRUCTION_SIZE]
    order = prefix(elf.byte_order)
    found.isa.update(_instruction_set(code, operations, order))
    source = 4 if elf.byte_order == "little" else 0  # which half of the byte is src_reg
    imm_at = struct.Struct(order + "i").unpack_from
    for at in _positions(operations, _CALL):
        offset = at * INSTRUCTION_SIZE
        (imm,) = imm_at(code, offset + 4)
        kind = code[offset + 1] >> source & 0xF
        relocation = relocations.get(function.start + offset)
        if relocation is not None:
            _call(found, references.called(elf.table[relocation[0]], imm))
        elif kind == _HELPER:
            found.helpers.add(imm)
        elif kind == _SUBPROGRAM:
            target = function.start + offset + (imm + 1) * INSTRUCTION_SIZE
            _call(found, references.function(function.section.index, target))
    for at in _positions(operations, _LOAD_IMM64):
        offset = at * INSTRUCTION_SIZE
        relocation = relocations.get(function.start + offset)
        if relocation is not None:
            _load(found, references, elf.table[relocation[0]], imm_at(code, offset + 4)[0])
    return found


def _call(found: _Found, called: Function | str | None) -> None:
    if isinstance(called, str):
        found.kfuncs.add(called)
        return
    found.isa.add("bpf-to-bpf-calls")
    if called is not None:
        found.calls.add(called)


def _load(found: _Found, references: References, symbol: Symbol, imm: int) -> None:
    loaded = references.loaded(symbol, imm)
    if loaded is None:
        return
    kind, target = loaded
    if not isinstance(target, str):
        found.isa.add("callbacks")
        found.calls.add(target)
    elif kind == "map":
        found.maps.add(target)
    elif references.is_kfunc(target):
        found.kfuncs.add(target)
    else:
        found.ksyms.add(target)


def _instruction_set(code: bytes, operations: bytes, order: str) -> Iterator[str]:
    kinds = frozenset(operations)
    if any(operation & 7 == _JMP32 for operation in kinds if operation != _JMP32):
        yield "jmp32"
    signed = kinds & _V4 or _with_offset(code, operations, _DIVISIONS, order, (1,))
    if signed or _with_offset(code, operations, _MOVES, order, (8, 16, 32)):
        yield "cpu-v4"
    if 0xBF in kinds and _with_offset(code, operations, b"\xbf", order, (1,)):
        yield "addr-space-cast"
    if _MAY_GOTO in kinds:
        yield "may-goto"
    if _INDIRECT_JUMP in kinds:
        yield "indirect-jump"
    for operation in _ATOMIC:
        if operation in kinds:
            yield from _atomics(code, operations, bytes((operation,)), order)


def _atomics(code: bytes, operations: bytes, operation: bytes, order: str) -> Iterator[str]:
    imm_at = struct.Struct(order + "i").unpack_from
    for at in _positions(operations, operation):
        (imm,) = imm_at(code, at * INSTRUCTION_SIZE + 4)
        if imm in (_LOAD_ACQUIRE, _STORE_RELEASE):
            yield "load-acquire"
        else:
            yield "atomic-add" if imm == 0 else "atomics"


def _with_offset(code: bytes, operations: bytes, wanted: bytes, order: str, offsets: tuple[int, ...]) -> bool:
    offset_at = struct.Struct(order + "h").unpack_from
    low = code[2::INSTRUCTION_SIZE] if order == "<" else code[3::INSTRUCTION_SIZE]
    if not low.strip(b"\0"):  # no instruction has an offset
        return False
    for operation in wanted:
        for at in _positions(operations, bytes((operation,))):
            if low[at] and offset_at(code, at * INSTRUCTION_SIZE + 2)[0] in offsets:
                return True
    return False


def _positions(operations: bytes, operation: bytes) -> Iterator[int]:
    """Which instructions have that operation code."""
    at = operations.find(operation)
    while at >= 0:
        yield at
        at = operations.find(operation, at + 1)
