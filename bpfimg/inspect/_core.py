"""CO-RE relocations in words: what the object reads of a kernel's types, each question once."""

from __future__ import annotations

from bisect import bisect_right

from bpfimg.errors import BytecodeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.btf import Btf, CoreRelocation
    from bpfimg.bytecode import Dissection


def relocations(dissection: Dissection) -> list[dict[str, object]]:
    """Each question with how often it is asked, and in which functions; in the order of the code."""
    ext, types = dissection.ext, dissection.types
    if ext is None or types is None:
        return []
    asked: dict[tuple[int, str, int], list[tuple[str, CoreRelocation]]] = {}
    for section, found in ext.core.items():
        for relocation in found:
            key = relocation.type_id, relocation.access, relocation.kind
            asked.setdefault(key, []).append((section, relocation))
    places = _places(dissection)
    return [
        {
            **_question(types, each[0][1]),
            "count": len(each),
            "functions": list(
                dict.fromkeys(_place(places, section, relocation.offset) for section, relocation in each)
            ),
        }
        for each in asked.values()
    ]


def _question(types: Btf, relocation: CoreRelocation) -> dict[str, object]:
    from bpfimg.btf import question

    try:
        found = question(types, relocation)
    except BytecodeError as error:
        return {"kind": None, "subject": None, "words": f"not sound: {error}", "optional": False, "flavour": None}
    return {
        "kind": found.kind,
        "subject": found.subject,
        "words": found.words,
        "optional": found.optional,
        "flavour": found.flavour or None,
    }


def _places(dissection: Dissection) -> dict[str, list[tuple[int, int, str]]]:
    """Section -> (start, end, name) of its functions, sorted."""
    obj = dissection.object
    found: dict[str, list[tuple[int, int, str]]] = {}
    for program in obj.programs:
        section = program.section if program.autoload else f"?{program.section}"
        found.setdefault(section, []).append((program.offset, program.offset + 8 * program.instructions, program.name))
    for each in obj.functions:
        found.setdefault(each.section, []).append((each.offset, each.offset + 8 * each.instructions, each.name))
    return {section: sorted(each) for section, each in found.items()}


def _place(places: dict[str, list[tuple[int, int, str]]], section: str, offset: int) -> str:
    """The function there, else the section."""
    functions = places.get(section, [])
    at = bisect_right(functions, offset, key=lambda function: function[0]) - 1
    return functions[at][2] if at >= 0 and offset < functions[at][1] else section
