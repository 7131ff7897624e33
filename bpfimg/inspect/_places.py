"""Where the functions of an object are, and their code. A place is a section, as the file calls it, and a byte."""

from __future__ import annotations

from bisect import bisect_right

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bpfimg.bytecode import Dissection, ProgramSpec

    Extents = Mapping[str, Sequence[tuple[int, int, str]]]

SIZE = 8  # bytes of an instruction


def section_of(program: ProgramSpec) -> str:
    """The section with the question mark that is no part of `program.section`."""
    return program.section if program.autoload else f"?{program.section}"


def code_of(dissection: Dissection, section: str, offset: int, instructions: int) -> bytes:
    """That much of a section of code, which is not cut out as a whole: there may be thousands of functions in it."""
    for found in dissection.elf.sections:
        if found.name == section and found.executable:
            start = found.offset + offset
            return dissection.elf.data[start : start + instructions * SIZE]
    return b""


def extents(dissection: Dissection) -> Extents:
    """Section -> (start, end, name) of its programs and sub-programs, sorted."""
    found: dict[str, list[tuple[int, int, str]]] = {}
    for each in dissection.object.functions:
        found.setdefault(each.section, []).append((each.offset, each.offset + SIZE * each.instructions, each.name))
    for program in dissection.object.programs:
        end = program.offset + SIZE * program.instructions
        found.setdefault(section_of(program), []).append((program.offset, end, program.name))
    return {section: sorted(rows) for section, rows in found.items()}


def function_at(places: Extents, section: str, offset: int) -> tuple[int, int, str] | None:
    """The function that holds this byte, None where none does."""
    rows = places.get(section, ())
    at = bisect_right(rows, offset, key=lambda row: row[0]) - 1
    return rows[at] if at >= 0 and offset < rows[at][1] else None
