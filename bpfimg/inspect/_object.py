"""What an object file says about itself, ready for JSON. Nothing is asked of this host."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.bytecode import BytecodeObject, GlobalSpec, MapSpec, ProgramSpec

    Value = int | float | bool | str | None

_HEX_MAX = 1024
_FLOATS = {4: "f", 8: "d"}


def report(obj: BytecodeObject) -> dict[str, object]:
    """Programs, maps, globals with their initial values, licence, BTF, CO-RE and size in bytes, as JSON-able values."""
    return {
        "programs": [_program(program) for program in obj.programs],
        "maps": [_map(found) for found in obj.maps],
        "globals": [_global(spec, obj.byte_order) for spec in obj.globals],
        "license": obj.license,
        "byte_order": obj.byte_order,
        "btf": obj.has_btf,
        "core": obj.has_core_relocations,
        "size": obj.size,
    }


def _program(program: ProgramSpec) -> dict[str, object]:
    return {
        "name": program.name,
        "section": program.section,
        "type": program.type,
        "label": program.label,
        "attach_type": program.attach_type,
        "target": program.target,
        "instructions": program.instructions,
        "sleepable": program.sleepable,
        "frags": program.frags,
        "autoload": program.autoload,
    }


def _map(found: MapSpec) -> dict[str, object]:
    return {
        "name": found.name,
        "type": found.type,
        "key_size": found.key_size,
        "value_size": found.value_size,
        "key_type": found.key_type,
        "value_type": found.value_type,
        "max_entries": found.max_entries,
        "flags": found.flags,
        "pinning": found.pinning,
        "internal": found.internal,
    }


def _global(spec: GlobalSpec, byte_order: str) -> dict[str, object]:
    return {
        "name": spec.name,
        "section": spec.section,
        "type": spec.type,
        "kind": spec.kind,
        "offset": spec.offset,
        "size": spec.size,
        "read_only": spec.read_only,
        "value": _value(spec, byte_order),
    }


def _value(spec: GlobalSpec, byte_order: str) -> Value:
    """The initial value: a number, a truth value, text, the name of an enumerator, or "hex:…" of the bytes.

    None where the object does not hold it: .kconfig is filled in at load, and more than 1024 bytes of raw data are
    nothing to read.
    """
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
    """The text of a C string whose tail is zero; None if it is something else."""
    text = data.rstrip(b"\0")
    try:
        decoded = text.decode()
    except UnicodeDecodeError:
        return None
    return decoded if decoded.replace("\n", "").replace("\t", "").isprintable() else None


def _hex(data: bytes) -> str:
    return f"hex:{data.hex()}"
