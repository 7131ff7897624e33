"""Arguments of static probes: what the compiler wrote down of where each value is when the probe is passed.

The syntax is the assembler's of the machine, behind `SIZE@`: a register, memory near one, or a constant. A negative
size means a signed value.
"""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.errors import BytecodeError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_ARGUMENTS = 12
_SIZES = (1, 2, 4, 8)
_SCALES = (1, 2, 4, 8)


@value(frozen=True, slots=True)
class Argument:
    """Where one value is. `kind`: constant (`number` is it), register, memory (at `register` plus `number`), indexed
    (and plus `index` times `scale`). Registers are offsets in the kernel's struct pt_regs of the machine."""

    kind: str
    size: int
    signed: bool
    number: int = 0
    register: int = 0
    index: int = 0
    scale: int = 1


def _x86_64() -> dict[str, int]:
    found: dict[str, int] = {}
    classic = {"a": 80, "b": 40, "c": 88, "d": 96}
    for letter, at in classic.items():
        found |= dict.fromkeys((f"r{letter}x", f"e{letter}x", f"{letter}x", f"{letter}l"), at)
    for name, at in {"si": 104, "di": 112, "bp": 32, "sp": 152}.items():
        found |= dict.fromkeys((f"r{name}", f"e{name}", name, f"{name}l"), at)
    for number, at in zip(range(8, 16), (72, 64, 56, 48, 24, 16, 8, 0), strict=True):
        found |= dict.fromkeys((f"r{number}", f"r{number}d", f"r{number}w", f"r{number}b"), at)
    return found | {"rip": 128, "eip": 128}


def _aarch64() -> dict[str, int]:
    found = {f"{letter}{number}": 8 * number for letter in "xw" for number in range(31)}
    return found | {"sp": 248, "wsp": 248, "pc": 256}


_REGISTERS = {"x86_64": _x86_64, "aarch64": _aarch64}


def arguments(text: str, machine: str) -> tuple[Argument, ...]:
    """The arguments of a probe on a machine (`x86_64`, `aarch64`); `BytecodeError` names the one that is none."""
    if machine not in _REGISTERS:
        raise BytecodeError(f"arguments of static probes are not known for {machine}, expected x86_64 or aarch64")
    words = _words(text)
    if len(words) > MAX_ARGUMENTS:
        raise BytecodeError(f"the probe has {len(words)} arguments, expected at most {MAX_ARGUMENTS}")
    registers = _REGISTERS[machine]()
    read = _x86_64_place if machine == "x86_64" else _aarch64_place
    found = []
    for number, word in enumerate(words, 1):
        size, at, place = word.partition("@")
        width = _integer(size)
        argument = None
        if at and width is not None and abs(width) in _SIZES:
            argument = read(place, abs(width), width < 0, registers)
        if argument is None:
            raise BytecodeError(
                f"argument {number} of the probe is {quoted(word)}, expected an integer in a register or in memory"
            )
        found.append(argument)
    return tuple(found)


def _words(text: str) -> list[str]:
    """Splits at blanks, but for those in brackets: `8@[sp, 16]`."""
    words, depth, word = [], 0, ""
    for c in text:
        depth += {"[": 1, "(": 1, "]": -1, ")": -1}.get(c, 0)
        if c.isspace() and depth <= 0:
            words += [word] if word else []
            word = ""
        elif not c.isspace():
            word += c
    return words + ([word] if word else [])


def _integer(text: str) -> int | None:
    digits = text.lstrip("+-")
    if len(text) > 24 or len(text) - len(digits) > 1 or not digits.isascii():
        return None
    try:
        return int(text, 16 if digits[:2].lower() == "0x" else 10)
    except ValueError:
        return None


def _x86_64_place(place: str, size: int, signed: bool, registers: Mapping[str, int]) -> Argument | None:
    """`%rax`, `$5`, `-16(%rbp)`, `(%rdi)`, `8(%rax,%rbx,4)`, `(,%rbx,4)` is not one."""
    if place.startswith("$"):
        return _constant(place[1:], size, signed)
    if place.startswith("%"):
        return _register(place[1:], size, signed, registers)
    number, bracket, inside = place.partition("(")
    if not bracket or not inside.endswith(")"):
        return None
    names = inside[:-1].split(",")
    offset = _integer(number) if number else 0
    base = registers.get(names[0].removeprefix("%"))
    if offset is None or base is None or len(names) > 3 or not names[0].startswith("%"):
        return None
    if len(names) == 1:
        return Argument("memory", size, signed, offset, base)
    index, scale = registers.get(names[1].removeprefix("%")), _integer(names[2]) if len(names) == 3 else 1
    if index is None or scale not in _SCALES:
        return None
    return Argument("indexed", size, signed, offset, base, index, scale or 1)


def _aarch64_place(place: str, size: int, signed: bool, registers: Mapping[str, int]) -> Argument | None:
    """`x0`, `5`, `[sp]`, `[sp, 16]`, `[x0, #-8]`."""
    if not place.startswith("["):
        return _register(place, size, signed, registers) or _constant(place, size, signed)
    base, comma, number = place[1:].removesuffix("]").partition(",")
    offset = _integer(number.removeprefix("#")) if comma else 0
    if not place.endswith("]") or base not in registers or offset is None:
        return None
    return Argument("memory", size, signed, offset, registers[base])


def _register(name: str, size: int, signed: bool, registers: Mapping[str, int]) -> Argument | None:
    return Argument("register", size, signed, register=registers[name]) if name in registers else None


def _constant(text: str, size: int, signed: bool) -> Argument | None:
    number = _integer(text)
    if number is None or not -(1 << 63) <= number < 1 << 64:
        return None
    return Argument("constant", size, signed, number)
