"""What an object file says about itself, ready for JSON. Nothing is asked of this host."""

from __future__ import annotations

from bpfimg.bytecode import Dissection, requirements

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from bpfimg.bytecode import BytecodeObject, GlobalSpec, MapSpec, ProgramSpec, Requirement

    Part = dict[str, object]

_USES = ("helpers", "gpl_only", "kfuncs", "ksyms", "maps", "calls", "isa")


def report(
    found: BytecodeObject | Dissection, *, code: Iterable[str] | None = None, types: bool = False, core: bool = False
) -> Part:
    """Everything that an object says at a glance, as JSON-able values; sizes in bytes.

    Programs, maps and globals with their initial values, sub-programs, externs, sections, licence, BTF, CO-RE,
    compiler, and what a kernel needs to have. On request, and of a dissection only: the instructions of the functions
    in `code`, the `types` of maps and globals as C, the CO-RE relocations (`core`) in words.

    Raises `BytecodeError` for a function that is not there.
    """
    if isinstance(found, Dissection):
        return {**_object(found.object), **_details(found, code, types=types, core=core)}
    return _object(found)


def _object(obj: BytecodeObject) -> Part:
    return {
        "programs": [_program(program) for program in obj.programs],
        "maps": [_map(found) for found in obj.maps],
        "globals": [_global(spec, obj.byte_order) for spec in obj.globals],
        "functions": [
            {
                "name": each.name,
                "section": each.section,
                "offset": each.offset,
                "instructions": each.instructions,
                "local": each.local,
                "uses": _uses(each.uses),
            }
            for each in obj.functions
        ],
        "externs": [
            {"name": each.name, "kind": each.kind, "weak": each.weak, "type": each.type} for each in obj.externs
        ],
        "sections": [{"name": each.name, "size": each.size, "kind": each.kind} for each in obj.sections],
        "requirements": [_requirement(each) for each in requirements(obj)],
        "license": obj.license,
        "byte_order": obj.byte_order,
        "btf": obj.has_btf,
        "core": obj.has_core_relocations,
        "line_info": obj.has_line_info,
        "compiler": obj.producer,
        "size": obj.size,
        "btf_size": obj.btf_size,
        "dwarf_size": obj.dwarf_size,
    }


def _details(dissection: Dissection, code: Iterable[str] | None, *, types: bool, core: bool) -> Part:
    found: Part = {}
    if code is not None:
        from bpfimg.inspect._code import listings

        found["code"] = listings(dissection, code)
    if types:
        from bpfimg.inspect._types import definitions

        found["types"] = definitions(dissection)
    if core:
        from bpfimg.inspect._core import relocations

        found["core_relocations"] = relocations(dissection)
    return found


def _program(program: ProgramSpec) -> Part:
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
        "multi": program.multi,
        "autoload": program.autoload,
        "offset": program.offset,
        "uses": _uses(program.uses),
    }


def _uses(uses: object) -> Part:
    return {**{word: list(getattr(uses, word)) for word in _USES}, "core": getattr(uses, "core", 0)}


def _map(found: MapSpec) -> Part:
    return {
        "name": found.name,
        "type": found.type,
        "key_size": found.key_size,
        "value_size": found.value_size,
        "key_type": found.key_type,
        "value_type": found.value_type,
        "max_entries": found.max_entries,
        "flags": found.flags,
        "map_extra": found.map_extra,
        "pinning": found.pinning,
        "internal": found.internal,
        "legacy": found.legacy,
        "inner": _map(found.inner) if found.inner is not None else None,
    }


def _global(spec: GlobalSpec, byte_order: str) -> Part:
    return {
        "name": spec.name,
        "section": spec.section,
        "type": spec.type,
        "kind": spec.kind,
        "offset": spec.offset,
        "size": spec.size,
        "read_only": spec.read_only,
        "value": spec.default(byte_order),
        "enumerators": dict(spec.enumerators),
    }


def _requirement(each: Requirement) -> Part:
    return {
        "kind": each.kind,
        "name": each.name,
        "since": each.since,
        "programs": list(each.programs),
        "optional": each.optional,
    }
