"""Who calls whom in an object, and who uses which map: a graph as a value, to be drawn as Mermaid or as SVG.

The way of packets over hooks is such a graph, too, see `_order_graph`.
"""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from bpfimg.bytecode import Dissection, Instruction

    _Key = tuple[str, str]

#: what a graph may show beside the programs
PARTS = ("calls", "maps", "helpers")
_NODES_MAX = 1000
#: what an instruction refers to -> the part that shows it, the space of names that it is in
_PLACES = {
    "function": ("calls", "code"),
    "callback": ("calls", "code"),
    "kfunc": ("calls", "kfunc"),
    "helper": ("helpers", "helper"),
    "map": ("maps", "map"),
    "section": ("maps", "map"),
}


@value(frozen=True, slots=True)
class Node:
    """One of KINDS; `note` is a line below its name."""

    kind: str
    name: str
    note: str


@value(frozen=True, slots=True)
class Edge:
    """`source` and `target` are indexes of nodes; `dashed` where only an address is taken (a callback), or a way ends.
    `label` is beside the line."""

    source: int
    target: int
    dashed: bool
    label: str = ""


@value(frozen=True, slots=True)
class Graph:
    """Nodes in the order of the object; edges in the order of the code, each once."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def mermaid(self) -> str:
        """The text of a Mermaid flowchart."""
        from bpfimg.inspect._mermaid import mermaid

        return mermaid(self)

    def svg(self, title: str, part: str = "") -> str:
        """The text of an SVG file, or, with a word to begin ids with, of a drawing that is `part` of a page."""
        from bpfimg.inspect._svg import svg

        return svg(self, title, part)


#: kinds of nodes, in the order in which a drawing explains them; "data" is a section of global variables. Of hooks:
#: "foreign" is a program that others attached, "lost" one that does not run, "end" where a packet goes no further
KINDS = ("program", "function", "kfunc", "helper", "map", "data", "foreign", "lost", "device", "hook", "end")


def graph(dissection: Dissection, *, parts: Iterable[str] = ("calls", "maps")) -> Graph:
    """Programs with the sub-programs and kfuncs that they call ("calls"), maps ("maps"), helper functions ("helpers").

    A sub-program that nobody calls is shown, too; without "calls", what sub-programs use counts for the programs that
    reach them. Raises `UsageError` for more nodes than anybody could look at.
    """
    chosen = frozenset(parts)
    nodes = dict(_nodes(dissection, chosen))
    _bounded(nodes)
    code = dissection.disassembly()
    sections = {spec.name: spec.section for spec in dissection.object.globals}
    edges: dict[tuple[_Key, _Key], bool] = {}
    for source in [key for key in nodes if key[0] == "code"]:
        found = _direct(code.of(source[1]), sections) if "calls" in chosen else _reached(dissection, source[1])
        for kind, name in found:
            part, space = _PLACES.get(kind, ("", ""))
            target = space, name
            if part not in chosen or source == target:
                continue
            nodes.setdefault(target, Node("data" if kind == "section" else space, name, ""))
            edges[source, target] = edges.get((source, target), True) and kind == "callback"
    _bounded(nodes)
    index = {key: number for number, key in enumerate(nodes)}
    return Graph(tuple(nodes.values()), tuple(Edge(index[a], index[b], dashed) for (a, b), dashed in edges.items()))


def _bounded(nodes: Mapping[_Key, Node]) -> None:
    if len(nodes) > _NODES_MAX:
        hint = "draw less of it with --graph-of"
        raise UsageError(f"the graph has {len(nodes)} nodes, expected at most {_NODES_MAX}", hint=hint)


def _nodes(dissection: Dissection, chosen: frozenset[str]) -> Iterator[tuple[_Key, Node]]:
    """What is in the object itself."""
    obj = dissection.object
    for program in obj.programs:
        yield ("code", program.name), Node("program", program.name, f"{program.type} · {program.instructions} insns")
    if "calls" in chosen:
        for function in obj.functions:
            yield ("code", function.name), Node("function", function.name, f"{function.instructions} insns")
    if "maps" in chosen:
        for found in obj.maps:
            if found.internal:
                yield ("map", found.name), Node("data", found.name, f"{found.value_size} bytes")
            else:
                sizes = f" · {found.key_size} → {found.value_size} bytes" if found.value_size else ""
                unit = "bytes" if "ringbuf" in found.type else "entry" if found.max_entries == 1 else "entries"
                room = f" · {found.max_entries} {unit}" if found.max_entries else ""
                yield ("map", found.name), Node("map", found.name, f"{found.type}{sizes}{room}")


def _direct(rows: Iterable[Instruction], sections: Mapping[str, str]) -> Iterator[_Key]:
    """What the code of one function itself refers to, in its order; of a global, the section that it is in."""
    for row in rows:
        if row.refers is not None:
            kind, what = row.refers
            yield ("section", sections[what]) if kind == "global" else row.refers


def _reached(dissection: Dissection, name: str) -> Iterator[_Key]:
    """The same with what is reached through sub-programs, without them."""
    uses = dissection.object.program(name).uses
    internal = {found.name for found in dissection.object.maps if found.internal}
    yield from (("helper", each) for each in uses.helpers)
    yield from (("section" if each in internal else "map", each) for each in uses.maps)
