"""CO-RE relocations in words: what the object reads of a kernel's types, each question once."""

from __future__ import annotations

from bpfimg.errors import BytecodeError
from bpfimg.inspect._places import extents, function_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.btf import Btf, CoreRelocation
    from bpfimg.bytecode import Dissection
    from bpfimg.inspect._places import Extents


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
    places = extents(dissection)
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


def _place(places: Extents, section: str, offset: int) -> str:
    """The function there, else the section."""
    found = function_at(places, section, offset)
    return found[2] if found else section
