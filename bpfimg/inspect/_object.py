"""What an object file says about itself, ready for JSON. Nothing is asked of this host."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.bytecode import BytecodeObject, GlobalSpec, MapSpec, ProgramSpec


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
        "value": spec.default(byte_order),
    }
