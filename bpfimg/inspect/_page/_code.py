"""The code of an object: source lines where the BTF has them, with the instructions that they became."""

from __future__ import annotations

from bpfimg.errors import BytecodeError
from bpfimg.inspect._page._html import Html, markup, tag
from bpfimg.inspect._page._parts import cut, opens

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from bpfimg.bytecode import Dissection, Instruction
    from bpfimg.inspect._page._html import Content

_INSTRUCTIONS = 4000  # of all functions; more makes a page that nobody reads
_LINE = 160


def code_of(dissection: Dissection) -> Html:
    """A listing for each program and sub-program, behind a click; the first ones of a large object."""
    obj = dissection.object
    sizes = {each.name: each.instructions for each in obj.programs}
    sizes |= {each.name: each.instructions for each in obj.functions}
    read, left, parts = dissection.disassembly().of, _INSTRUCTIONS, []
    for name, size in sizes.items():
        if size > left:
            break
        left -= size
        parts.append(_listing(read, name, size))
    if len(parts) < len(sizes):
        what = (
            f"{len(sizes) - len(parts)} more functions are not shown: bpfimg inspect --disassemble --source shows all."
        )
        parts.append(tag("p", what))
    return markup(parts or tag("p", "There is no code."))


def _listing(read: Callable[[str], Iterable[Instruction]], name: str, size: int) -> Html:
    try:
        rows = list(read(name))
    except BytecodeError as error:
        return tag("p", f"{cut(name)} cannot be read: {cut(str(error), 500)}")
    files = sorted({row.line.file for row in rows if row.line is not None and row.line.file})
    source = f", from {cut(', '.join(files))}" if files else ""
    label = f"Code of {cut(name)}"
    listing = tag("pre", list(_lines(rows)), tabindex="0", role="group", aria_label=label)
    return opens(f"{cut(name)}: {size} instructions{source}", listing)


def _lines(rows: Iterable[Instruction]) -> Iterator[Content]:
    kept = list(rows)
    labels = {row.offset: row.label for row in kept if row.label}
    said, new = "", Html("\n")
    for row in kept:
        words = _source(row)
        if words and words != said:  # another column of the same line is nothing new
            said = words
            yield [tag("strong", words), new]
        if row.label:
            yield [f"{row.label}:", new]
        target = labels.get(row.target) if row.target is not None else None
        refers = f"  ; {row.refers[0]} {row.refers[1]}" if row.refers else ""
        yield [cut(f"{row.offset // 8:6}: {row.text}{f' <{target}>' if target else ''}{refers}", _LINE), new]


def _source(row: Instruction) -> str:
    line = row.line
    if line is None or not (line.text.strip() or line.line):
        return ""
    return cut(f"{line.line:6}  {line.text.strip()}", _LINE)
