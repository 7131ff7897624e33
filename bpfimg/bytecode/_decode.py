"""The text of eBPF instructions, as `llvm-objdump -d` writes it: one for every eight bytes, or sixteen.

The encoding is RFC 9669; what came after it is in the kernel's `Documentation/bpf/standardization`, and in LLVM's
`lib/Target/BPF/BPFInstrInfo.td`. Whatever is in neither is shown as `<unknown>`: nothing here raises.
"""

from __future__ import annotations

import struct

from bpfimg._value import value
from bpfimg.bytecode._header import prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.btf import LineInfo

SIZE = 8
UNKNOWN = "<unknown>"
_LD, _LDX, _ST, _STX, _ALU, _JMP, _JMP32, _ALU64 = range(8)  # the low three bits of an operation code
_SIZES = {0x00: "32", 0x08: "16", 0x10: "8", 0x18: "64"}
_ABS, _IND, _MEM, _MEMSX, _ATOMIC, _NOSPEC = 0x20, 0x40, 0x60, 0x80, 0xC0, 0xC0
_ARITHMETIC = {
    0x00: "+=",
    0x10: "-=",
    0x20: "*=",
    0x30: "/=",
    0x40: "|=",
    0x50: "&=",
    0x60: "<<=",
    0x70: ">>=",
    0x90: "%=",
    0xA0: "^=",
    0xB0: "=",
    0xC0: "s>>=",
}
_DIV, _MOD, _MOV, _NEG, _END = 0x30, 0x90, 0xB0, 0x80, 0xD0
_CONDITIONS = {
    0x10: "==",
    0x20: ">",
    0x30: ">=",
    0x40: "&",
    0x50: "!=",
    0x60: "s>",
    0x70: "s>=",
    0xA0: "<",
    0xB0: "<=",
    0xC0: "s<",
    0xD0: "s<=",
}
_JA, _CALL, _EXIT, _JCOND = 0x00, 0x80, 0x90, 0xE0
_ATOMICS = {0x00: ("+=", "add"), 0x40: ("|=", "or"), 0x50: ("&=", "and"), 0xA0: ("^=", "xor")}
_FETCH, _XCHG, _CMPXCHG, _LOAD_ACQUIRE, _STORE_RELEASE = 0x01, 0xE1, 0xF1, 0x100, 0x110
_CAST, _PERCPU = 1, -1
#: source "register" of a 16-byte load; the kernel's BPF_PSEUDO_...
MAP_FD, MAP_VALUE, BTF_ID, FUNC, MAP_IDX, MAP_IDX_VALUE = range(1, 7)
#: source "register" of a call
CALL_HELPER, CALL_FUNCTION, CALL_KFUNC = range(3)


@value(frozen=True, slots=True)
class Instruction:
    """One instruction: `offset` in bytes from the first, its bytes, its text.

    `target` is the offset that a branch, or a call within the same code, leads to. `source` and `immediate` are the
    fields of a call or a 16-byte load (`immediate` with both halves), None of others: what they mean depends on who
    holds the code. What is known beside the code itself: `label` ("L1") if a branch leads here, `refers` (kind, name)
    to what is called or loaded, `note` more about it, `core` what a CO-RE relocation asks for, and the source line
    where another one begins.
    """

    offset: int
    raw: bytes
    text: str
    target: int | None = None
    source: int | None = None
    immediate: int | None = None
    label: str = ""
    refers: tuple[str, str] | None = None
    note: str = ""
    core: str = ""
    line: LineInfo | None = None

    @staticmethod
    def decode(code: bytes, byte_order: str) -> tuple[Instruction, ...]:
        """The instructions in `code`, of a machine of that byte order ("little" or "big").

        What is left at the end when `code` is no multiple of eight bytes is one more `<unknown>`.
        """
        return decode(code, byte_order)


def decode(code: bytes, byte_order: str) -> tuple[Instruction, ...]:
    """See `Instruction.decode`."""
    rows = list(struct.iter_unpack(prefix(byte_order) + "BBhi", code[: len(code) // SIZE * SIZE]))
    found = []
    index = 0
    while index < len(rows):
        opcode, registers, offset, immediate = rows[index]
        dst, src = (registers & 15, registers >> 4) if byte_order == "little" else (registers >> 4, registers & 15)
        wide = opcode == 0x18 and index + 1 < len(rows) and rows[index + 1][:3] == (0, 0, 0)
        start, index = index * SIZE, index + 1 + wide
        raw = code[start : index * SIZE]
        if wide:
            high = rows[index - 1][3]
            text = _wide(dst, src, immediate, high)
            found.append(Instruction(start, raw, text, None, src, (immediate & 0xFFFFFFFF) | high << 32))
            continue
        text, jump = _text(opcode, dst, src, offset, immediate)
        target = None if jump is None else index * SIZE + jump * SIZE
        if opcode == _JMP | _CALL and text != UNKNOWN:
            target = index * SIZE + immediate * SIZE if src == CALL_FUNCTION else None
            found.append(Instruction(start, raw, text, target, src, immediate))
        else:
            found.append(Instruction(start, raw, text, target))
    if len(code) % SIZE:
        found.append(Instruction(len(rows) * SIZE, code[len(rows) * SIZE :], UNKNOWN))
    return tuple(found)


def _text(opcode: int, dst: int, src: int, offset: int, immediate: int) -> tuple[str, int | None]:
    """The text, and how many instructions beyond the next one a branch goes."""
    if dst > 11 or (src > 11 and opcode not in (0x18, 0x85)):
        return UNKNOWN, None
    kind = opcode & 7
    if kind in (_JMP, _JMP32):
        return _branch(opcode, dst, src, offset, immediate)
    if kind in (_ALU, _ALU64):
        return _arithmetic(opcode, dst, src, offset, immediate), None
    if kind in (_LD, _LDX):
        return _load(opcode, dst, src, offset, immediate), None
    return _store(opcode, dst, src, offset, immediate), None


def _load(opcode: int, dst: int, src: int, offset: int, immediate: int) -> str:
    kind, mode, size = opcode & 7, opcode & 0xE0, _SIZES[opcode & 0x18]
    if kind == _LDX and (mode == _MEM or (mode == _MEMSX and size != "64")):
        return f"r{dst} = *({'u' if mode == _MEM else 's'}{size} *)({_at(src, offset)})"
    if kind == _LD and size != "64" and mode == _ABS:
        return f"r0 = *(u{size} *)skb[{_hex(immediate)}]"
    if kind == _LD and size != "64" and mode == _IND:
        return f"r0 = *(u{size} *)skb[{_at(src, immediate) if immediate else f'r{src}'}]"
    return UNKNOWN


def _store(opcode: int, dst: int, src: int, offset: int, immediate: int) -> str:
    kind, mode, size = opcode & 7, opcode & 0xE0, _SIZES[opcode & 0x18]
    if mode == _MEM:
        return f"*(u{size} *)({_at(dst, offset)}) = {f'r{src}' if kind == _STX else _hex(immediate)}"
    if kind == _STX and mode == _ATOMIC:
        return _atomic(size, dst, src, offset, immediate)
    return "nospec" if opcode == _ST | _NOSPEC else UNKNOWN  # put in by the verifier


def _wide(dst: int, src: int, low: int, high: int) -> str:
    """A load of 64 bits, or of the address of something that the kernel finds by number."""
    if dst > 11 or src > MAP_IDX_VALUE:
        return UNKNOWN
    if not src:
        return f"r{dst} = {_hex((low & 0xFFFFFFFF) | high << 32)} ll"
    if src == BTF_ID:
        return f"r{dst} = ksym[btf:{low & 0xFFFFFFFF}]"
    if src == FUNC:
        return f"r{dst} = function[{low:+d}]"
    what = "idx" if src in (MAP_IDX, MAP_IDX_VALUE) else "fd"
    return f"r{dst} = map[{what}:{low}]" + (f"[0]{_signed(high)}" if src in (MAP_VALUE, MAP_IDX_VALUE) else "")


def _arithmetic(opcode: int, dst: int, src: int, offset: int, immediate: int) -> str:
    width = "r" if opcode & 7 == _ALU64 else "w"
    operation = opcode & 0xF0
    to, operand = f"{width}{dst}", f"{width}{src}" if opcode & 8 else _hex(immediate)
    if operation == _NEG:
        return f"{to} = -{to}" if not opcode & 8 else UNKNOWN
    if operation == _END:
        return _swapped(opcode, dst, immediate)
    if operation == _MOV and opcode & 8 and offset:
        return _moved(width, dst, src, offset, immediate)
    if operation in (_DIV, _MOD) and offset == 1:
        return f"{to} s{_ARITHMETIC[operation]} {operand}"  # since cpu v4
    if operation not in _ARITHMETIC or offset:
        return UNKNOWN
    return f"{to} {_ARITHMETIC[operation]} {operand}"


def _moved(width: str, dst: int, src: int, offset: int, immediate: int) -> str:
    """Moves that do more, since cpu v4: sign extension, and changes of address space."""
    if offset in (8, 16, 32) and not (width == "w" and offset == 32):
        return f"{width}{dst} = (s{offset}){width}{src}"
    if offset == _CAST and width == "r":
        return f"r{dst} = addr_space_cast(r{src}, {_hex(immediate >> 16 & 0xFFFF)}, {_hex(immediate & 0xFFFF)})"
    if offset == _PERCPU and width == "r":
        return f"r{dst} = &(void __percpu *)(r{src})"  # put in by the verifier
    return UNKNOWN


def _swapped(opcode: int, dst: int, bits: int) -> str:
    if bits not in (16, 32, 64) or opcode == 0xDF:
        return UNKNOWN
    word = {0xD4: "le", 0xDC: "be", 0xD7: "bswap"}[opcode]
    return f"r{dst} = {word}{bits} r{dst}"


def _branch(opcode: int, dst: int, src: int, offset: int, immediate: int) -> tuple[str, int | None]:
    operation, register = opcode & 0xF0, bool(opcode & 8)
    if operation in _CONDITIONS:
        width = "r" if opcode & 7 == _JMP else "w"
        other = f"{width}{src}" if register else _hex(immediate)
        return f"if {width}{dst} {_CONDITIONS[operation]} {other} goto {_jump(offset)}", offset
    if opcode == _JMP | _JA:
        return f"goto {_jump(offset)}", offset
    if opcode == _JMP32 | _JA:
        return f"gotol {_jump(immediate)}", immediate
    if opcode == _JMP | _JA | 8:
        return f"gotox r{dst}", None
    if opcode == _JMP | _JCOND:
        return f"may_goto {_jump(offset)}", offset
    if opcode == _JMP | _CALL:
        return f"call {_hex(immediate)}", None
    if opcode == _JMP | _CALL | 8:
        return f"callx r{dst}", None
    if opcode == _JMP | _EXIT and not immediate:
        return "exit", None
    return UNKNOWN, None


def _atomic(size: str, dst: int, src: int, offset: int, operation: int) -> str:
    register, at = "r" if size == "64" else "w", _at(dst, offset)
    if operation == _LOAD_ACQUIRE:
        return f"{register}{dst} = load_acquire((u{size} *)({_at(src, offset)}))"
    if operation == _STORE_RELEASE:
        return f"store_release((u{size} *)({at}), {register}{src})"
    if size not in ("32", "64"):
        return UNKNOWN
    name = "64" if size == "64" else "32_32"
    if operation == _XCHG:
        return f"{register}{src} = xchg{'_' if size == '64' else ''}{name}({at}, {register}{src})"
    if operation == _CMPXCHG:
        result = f"{register}0"
        return f"{result} = cmpxchg{'_' if size == '64' else ''}{name}({at}, {result}, {register}{src})"
    if operation & ~_FETCH not in _ATOMICS:
        return UNKNOWN
    sign, word = _ATOMICS[operation & ~_FETCH]
    if operation & _FETCH:
        return f"{register}{src} = atomic_fetch_{word}((u{size} *)({at}), {register}{src})"
    return f"lock *(u{size} *)({at}) {sign} {register}{src}"


def _at(register: int, offset: int) -> str:
    return f"r{register} {'-' if offset < 0 else '+'} {abs(offset):#x}"


def _hex(number: int) -> str:
    return f"-{-number:#x}" if number < 0 else f"{number:#x}"


def _jump(distance: int) -> str:
    return ("+" if distance >= 0 else "") + _hex(distance)


def _signed(number: int) -> str:
    return f"{number:+d}"
