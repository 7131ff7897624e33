"""Words to the bytes of a global variable, by its BTF type: range, sign and size are checked before the load.

Numbers are decimal, or 0x, 0o, 0b; leading zeros do not change the base (`01` is 1, as the peers' raw form means
it). `hex:01ff` gives raw bytes in the object's own order. Arrays of char take text, other arrays of numbers take
`[1,2,3]`; what is not given is zero.
"""

from __future__ import annotations

import re
import struct

from bpfimg.errors import UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Literal, TypeAlias

    from bpfimg.bytecode import GlobalSpec

    ByteOrder: TypeAlias = Literal["little", "big"]

_NUMBER = re.compile(r"([+-]?)(0x[0-9a-f]+|0o[0-7]+|0b[01]+|[0-9]+)", re.IGNORECASE)
_ARRAY = re.compile(r"(.+?)((?:\[\d+\])+)")
# Names that integers go by in C and in the kernel's headers. What an array of anything else holds, only its BTF knows.
_INTEGER = re.compile(
    r"(?:__)?[us](?:8|16|32|64|128)|u?int(?:8|16|32|64)_t|__(?:be|le)(?:16|32|64)|_Bool|bool|size_t|ssize_t"
    r"|(?:(?:unsigned|signed|short|long|int|char|__int128) ?)+"
)
_UNSIGNED = re.compile(r"unsigned.*|(?:__)?u.*|__(?:be|le).*|_Bool|bool|size_t")
_BASES = {"0x": 16, "0o": 8, "0b": 2}
_TRUTH = {"true": 1, "yes": 1, "on": 1, "1": 1, "false": 0, "no": 0, "off": 0, "0": 0}
_MAX_DIGITS = 80  # more than any 128-bit number has; int() is quadratic


def encode_global(spec: GlobalSpec, text: str, byte_order: str) -> bytes:
    """Returns the bytes of `text` for the global `spec`: its whole size, in the object's byte order.

    UsageError when the text is not a value of that type, or is out of its range; the message says what is.
    """
    order: ByteOrder = "big" if byte_order == "big" else "little"
    if text.startswith("hex:"):
        return _raw(spec, text[4:])
    if spec.kind == "array":
        return _array(spec, text, order)
    if spec.kind == "float":
        return _float(spec, text, order)
    if spec.kind in ("int", "bool", "char", "enum"):
        return _wrapped(_number(spec, text), spec.size, order)
    raise UsageError(
        f"global {spec.name!r} is a {spec.type} and takes raw bytes only, not {quoted(text)}",
        hint=f"write hex: and {2 * spec.size} hex digits, in the object's byte order",
    )


def find_global(specs: Sequence[GlobalSpec], name: str) -> GlobalSpec:
    """The global of that name; UsageError with the names that exist when there is none."""
    settable = [spec for spec in specs if is_settable(spec)]
    for spec in settable:
        if spec.name == name:
            return spec
    # a dot is what compilers put into the names of function-level statics: format strings, nobody's setting
    plain = sorted((spec for spec in settable if "." not in spec.name), key=lambda spec: spec.name)
    known = [f"{spec.name} ({spec.type})" for spec in plain]
    listed = ", ".join(known[:30]) + (f" and {len(known) - 30} more" if len(known) > 30 else "")
    raise UsageError(
        f"the object has no global {quoted(name)}, expected one of its {len(known)} globals",
        hint=f"it has: {listed}"
        if known
        else "it has none: it was built without global variables, or without BTF (-g)",
    )


def is_settable(spec: GlobalSpec) -> bool:
    """True for globals whose value is ours to give: not the kernel's (.kconfig, .ksyms) nor string literals."""
    return spec.section.split(".")[1:2] in (["rodata"], ["data"], ["bss"])


def encode_globals(
    specs: Sequence[GlobalSpec], texts: Mapping[str, str], byte_order: str
) -> tuple[tuple[GlobalSpec, bytes], ...]:
    """Every `name: text` with its global and its bytes; the first that is wrong is a UsageError."""
    found = [(find_global(specs, name), text) for name, text in texts.items()]
    return tuple((spec, encode_global(spec, text, byte_order)) for spec, text in found)


def _parse_number(text: str) -> int | None:
    match = _NUMBER.fullmatch(text.strip())
    if match is None or len(text) > _MAX_DIGITS:
        return None
    sign, digits = match[1], match[2].lower()
    value = int(digits, _BASES.get(digits[:2], 10))
    return -value if sign == "-" else value


def _number(spec: GlobalSpec, text: str) -> int:
    enumerators = dict(spec.enumerators)
    if spec.kind == "enum" and text in enumerators:
        return enumerators[text]
    if spec.kind == "bool":
        if text.lower() not in _TRUTH:
            number = _parse_number(text)
            if number not in (0, 1):
                raise UsageError(f"global {spec.name!r} is a bool and takes true or false, not {quoted(text)}")
            return number
        return _TRUTH[text.lower()]
    number = _parse_number(text)
    if number is None and spec.kind == "char" and len(text) == 1 and text.isascii():
        number = ord(text)
    if number is None:
        raise UsageError(
            f"global {spec.name!r} ({spec.type}) takes a number, not {quoted(text)}", hint=_advice(spec, text)
        )
    return _in_range(spec, number)


def _in_range(spec: GlobalSpec, number: int) -> int:
    bits = 8 * spec.size
    low, high = _range(spec.signed, bits)
    if spec.kind == "enum":  # BTF of older compilers does not say whether an enum is signed
        low, high = -(1 << bits - 1), (1 << bits) - 1
    if not low <= number <= high:
        raise UsageError(f"global {spec.name!r} ({spec.type}) takes {low} to {high}, not {number}")
    return number


def _range(signed: bool, bits: int) -> tuple[int, int]:
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)


def _wrapped(number: int, size: int, order: ByteOrder) -> bytes:
    return (number & (1 << 8 * size) - 1).to_bytes(size, order)


def _advice(spec: GlobalSpec, text: str) -> str:
    if spec.kind == "enum":
        return "it also takes " + ", ".join(name for name, _ in spec.enumerators[:30])
    if len(text) <= _MAX_DIGITS and re.fullmatch(r"[0-9a-fA-F]+", text):
        return f"for a hexadecimal number write 0x{text}"
    return ""


def _raw(spec: GlobalSpec, digits: str) -> bytes:
    try:
        data = bytes.fromhex(digits)
    except ValueError as error:
        raise UsageError(f"global {spec.name!r}: {quoted(digits)} is not pairs of hex digits") from error
    if len(data) != spec.size and not (spec.kind == "array" and len(data) < spec.size):
        raise UsageError(
            f"global {spec.name!r} ({spec.type}) is {spec.size} bytes large, but hex: gives {len(data)}",
            hint=f"write exactly {2 * spec.size} hex digits",
        )
    return data.ljust(spec.size, b"\0")


def _float(spec: GlobalSpec, text: str, order: ByteOrder) -> bytes:
    sizes = {2: "e", 4: "f", 8: "d"}
    try:
        return struct.pack(("<" if order == "little" else ">") + sizes[spec.size], float(text))
    except (KeyError, ValueError, OverflowError) as error:
        raise UsageError(
            f"global {spec.name!r} ({spec.type}) takes a number that fits it, not {quoted(text)}"
        ) from error


def _array(spec: GlobalSpec, text: str, order: ByteOrder) -> bytes:
    match = _ARRAY.fullmatch(spec.type)
    element, dimensions = (match[1].strip(), re.findall(r"\d+", match[2])) if match else ("", [])
    if element == "char" and len(dimensions) == 1 and not text.startswith("["):
        return _text(spec, text)
    if len(dimensions) != 1 or int(dimensions[0]) == 0 or not _INTEGER.fullmatch(element):
        raise UsageError(
            f"global {spec.name!r} ({spec.type}) takes raw bytes only, not {quoted(text)}",
            hint=f"write hex: and at most {2 * spec.size} hex digits, in the object's byte order",
        )
    return _list(spec, text, spec.size // int(dimensions[0]), order, _UNSIGNED.fullmatch(element) is None)


def _text(spec: GlobalSpec, text: str) -> bytes:
    if len(text) >= 2 and text[0] == text[-1] == '"':  # quotes that the shell did not take
        text = text[1:-1]
    data = text.encode()
    if len(data) >= spec.size or b"\0" in data:
        raise UsageError(
            f"global {spec.name!r} ({spec.type}) takes at most {spec.size - 1} bytes of text, not {len(data)}"
            if b"\0" not in data
            else f"global {spec.name!r} ({spec.type}) takes text without NUL",
            hint="to fill it without a NUL at the end, write hex:",
        )
    return data.ljust(spec.size, b"\0")


def _list(spec: GlobalSpec, text: str, size: int, order: ByteOrder, signed: bool) -> bytes:
    inner = text.strip()
    if not (inner.startswith("[") and inner.endswith("]")):
        raise UsageError(f"global {spec.name!r} ({spec.type}) takes a list like [1,2,3], not {quoted(text)}")
    words = [word.strip() for word in inner[1:-1].split(",")] if inner[1:-1].strip() else []
    if len(words) * size > spec.size:
        raise UsageError(f"global {spec.name!r} ({spec.type}) takes {spec.size // size} numbers, not {len(words)}")
    low, high = _range(signed, 8 * size)
    data = b""
    for word in words:
        number = _parse_number(word)
        if number is None or not low <= number <= high:
            raise UsageError(
                f"global {spec.name!r} ({spec.type}) takes numbers from {low} to {high}, not {quoted(word)}"
            )
        data += _wrapped(number, size, order)
    return data.ljust(spec.size, b"\0")
