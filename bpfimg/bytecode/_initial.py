"""The initial value of a global variable, as a person reads it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.bytecode._variables import GlobalSpec

    Value = int | float | bool | str | None

_HEX_MAX = 1024
_FLOATS = {4: "f", 8: "d"}
_RAW = "hex:"


def readable(spec: GlobalSpec, byte_order: str) -> Value:
    """See `GlobalSpec.default`."""
    if spec.section == ".kconfig":
        return None
    if spec.kind in ("int", "char", "enum", "bool"):
        number = int.from_bytes(spec.initial, "little" if byte_order == "little" else "big", signed=spec.signed)
        return _worded(spec, number)
    if spec.kind == "float" and spec.size in _FLOATS:
        return _float(spec, byte_order)
    if spec.kind == "array" and spec.type.startswith("char[") and spec.type.count("[") == 1:
        text = _text(spec.initial)
        if text is not None:
            return text
    return _hex(spec.initial) if spec.size <= _HEX_MAX else None


def _worded(spec: GlobalSpec, number: int) -> Value:
    if spec.kind == "bool":
        return bool(number)
    if spec.kind == "char" and 0x20 <= number < 0x7F:
        return chr(number)
    return next((name for name, value in spec.enumerators if value == number), number)


def _float(spec: GlobalSpec, byte_order: str) -> Value:
    import math
    import struct

    order = "<" if byte_order == "little" else ">"
    (number,) = struct.unpack(order + _FLOATS[spec.size], spec.initial)
    return float(number) if math.isfinite(number) else _hex(spec.initial)  # JSON has no infinity


def _text(data: bytes) -> str | None:
    """The text of a C string whose tail is zero; None if it is something else, or would look like raw bytes.

    Control characters make it something else. Nothing else does: what is printable depends on the version of Unicode,
    and images say these texts (BI-31, BI-42).
    """
    text = data.rstrip(b"\0")
    try:
        decoded = text.decode()
    except UnicodeDecodeError:
        return None
    return None if decoded.startswith(_RAW) or any(_is_control(letter) for letter in decoded) else decoded


def _is_control(letter: str) -> bool:
    return (letter < " " and letter not in "\t\n") or "\x7f" <= letter < "\xa0"


def _hex(data: bytes) -> str:
    return f"{_RAW}{data.hex()}"
