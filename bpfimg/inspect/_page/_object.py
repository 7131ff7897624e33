"""What is in an object, as tables, and the picture of who calls whom."""

from __future__ import annotations

from bpfimg.bytecode import requirements
from bpfimg.errors import BytecodeError, UsageError
from bpfimg.inspect._graph import graph
from bpfimg.inspect._page._html import Html, drawn, markup, tag
from bpfimg.inspect._page._parts import Number, bounded, code, cut, number, row, several

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.bytecode import BytecodeObject, Dissection, MapSpec, ProgramSpec
    from bpfimg.inspect._page._html import Content

_NODES = 300
_PROGRAM_HEAD = (
    *("Program", "Type", "Section", "Target", "#Instructions", "Traits", "Maps", "Helper functions"),
    *("Kernel functions", "Sub-programs"),
)
_MAP_HEAD = ("Map", "Type", "Key", "Value", "#Entries at most", "Flags", "Notes")


def newest(obj: BytecodeObject) -> str:
    """The first mainline kernel that has all that is needed, as far as that is known."""
    known = [each.since for each in requirements(obj) if each.since and not each.optional]
    if not known:
        return ""
    return f"Linux {max(known, key=_version)} is the first that has all of it, as far as is known"


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdigit())


def picture(dissection: Dissection) -> Html:
    """Who calls whom and who uses which map."""
    label = "Programs, sub-programs and maps"
    try:
        made = graph(dissection)
    except UsageError:
        made = None
    except BytecodeError as error:
        return tag("p", f"It cannot be drawn: {cut(str(error), 500)}")
    if made is None or len(made.nodes) > _NODES:
        return tag("p", "There is too much to draw here; bpfimg inspect --graph svg --graph-of maps draws less of it.")
    box = tag("div", drawn(made.svg(label, "g-")), class_="scroll", role="group", tabindex="0", aria_label=label)
    return tag("figure", box)


def programs(obj: BytecodeObject) -> Html:
    """The programs in the order of the file."""
    rows = [
        row(
            code(cut(each.name)),
            each.type,
            code(cut(each.section)),
            cut(each.target or "-"),
            number(each.instructions),
            ", ".join(_traits(each)) or "-",
            _names(each.uses.maps),
            _names(each.uses.helpers),
            _names(each.uses.kfuncs),
            _names(each.uses.calls),
        )
        for each in obj.programs
    ]
    if not rows:
        return tag("p", "It has no program.")
    return bounded("programs-table", "Programs, in the order of the file", _PROGRAM_HEAD, rows)


def _traits(program: ProgramSpec) -> Iterator[str]:
    for word in ("sleepable", "frags", "multi"):
        if getattr(program, word):
            yield word
    if not program.autoload:
        yield "loaded on request"
    if program.uses.core:
        yield f"{program.uses.core} CO-RE relocations"
    yield from program.uses.isa


def _names(names: tuple[str, ...]) -> Html:
    return several([code(cut(each)) for each in names], what="names", shown=6)


def maps(obj: BytecodeObject) -> Html:
    """The maps, those of global data last."""
    rows = [
        row(
            code(cut(each.name)),
            each.type,
            _sized(each.key_type, each.key_size),
            _sized(each.value_type, each.value_size),
            number(each.max_entries),
            f"{each.flags:#x}" if each.flags else "-",
            ", ".join(_notes(each)) or "-",
        )
        for each in obj.maps
    ]
    return bounded("maps-table", "Maps that loading it makes", _MAP_HEAD, rows) if rows else tag("p", "It has no map.")


def _sized(kind: str | None, size: int) -> Content:
    return [code(cut(kind)), f" ({size} bytes)"] if kind else f"{size} bytes" if size else "-"


def _notes(found: MapSpec) -> Iterator[str]:
    if found.internal:
        yield "global data"
    if found.pinning == "by-name":
        yield "pinned by name"
    if found.legacy:
        yield "of the old kind"
    if found.inner is not None:
        yield f"of {found.inner.type}"


def globals_(obj: BytecodeObject) -> Html:
    """What can be set before loading, with what it is without."""
    # a dot is what compilers put into the names of statics: format strings, nothing to set
    rows = [
        row(
            code(cut(each.name)),
            code(cut(each.type)),
            _value(each.default(obj.byte_order)),
            number(each.size),
            "yes" if each.read_only else "no",
            each.section,
        )
        for each in obj.globals
        if "." not in each.name
    ]
    head = ("Global", "Type", "Value", "#Bytes", "Read-only", "Section")
    if not rows:
        return tag("p", "It has no global.")
    return bounded("globals-table", "Globals, with what they are unless they are set", head, rows)


def _value(found: float | bool | str | None) -> Content:
    if found is None:
        return "-"
    return code(cut(str(found).lower() if isinstance(found, bool) else str(found)))


def functions(obj: BytecodeObject) -> Html:
    """Sub-programs, and what the object expects others to define."""
    own = [
        row(code(cut(each.name)), number(each.instructions), "yes" if each.local else "no") for each in obj.functions
    ]
    other = [
        row(code(cut(each.name)), each.kind, code(cut(each.type or "-")), "no" if each.weak else "yes")
        for each in obj.externs
    ]
    parts = []
    if own:
        head = ("Sub-program", "#Instructions", "Static")
        parts.append(bounded("functions-table", "Functions that programs call", head, own))
    if other:
        head_of_others = ("Name", "Kind", "Type", "Must be there")
        parts.append(bounded("externs-table", "What the kernel has to define", head_of_others, other))
    return markup(parts)


def needs(obj: BytecodeObject) -> Html:
    """Features by name; versions are there to be read."""
    rows = [
        row(
            cut(each.name),
            each.kind.replace("_", " "),
            each.since or "-",
            "optional" if each.optional else "yes",
            several([code(cut(name)) for name in each.programs], what="programs") if each.programs else "the object",
        )
        for each in requirements(obj)
    ]
    note = (
        "The version is that of the first mainline kernel that has it. Distributions carry features into older kernels "
        "and leave others out: what a kernel has, bpfimg check tells."
    )
    head = ("Name", "Kind", "Since Linux", "Needed", "By")
    return markup(tag("p", note), bounded("needs-table", "Features by name, and who needs them", head, rows))


def sections(obj: BytecodeObject) -> Html:
    """Of the ELF file."""
    rows = [row(code(cut(each.name)), each.kind, Number(each.size)) for each in obj.sections]
    return bounded("sections-table", "Sections of the ELF file", ("Section", "Kind", "#Bytes"), rows)
