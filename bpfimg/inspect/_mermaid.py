"""A graph as Mermaid (https://mermaid.js.org/syntax/flowchart.html), which forges show in a README or pull request."""

from __future__ import annotations

from bpfimg.inspect._graph import KINDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.inspect._graph import Edge, Graph, Node

#: kind of node -> its shape, around the text, and its colours
_SHAPES = {
    "program": ('(["', '"])', "fill:#dbeafe,stroke:#1d4ed8,color:#111827"),
    "function": ('["', '"]', "fill:#f3f4f6,stroke:#6b7280,color:#111827"),
    "kfunc": ('[["', '"]]', "fill:#fef3c7,stroke:#b45309,color:#111827"),
    "helper": ('(["', '"])', "fill:#fff7ed,stroke:#c2410c,color:#111827"),
    "map": ('[("', '")]', "fill:#dcfce7,stroke:#15803d,color:#111827"),
    "data": ('[("', '")]', "fill:#f0fdf4,stroke:#86a892,color:#111827"),
    "foreign": ('(["', '"])', "fill:#f3e8ff,stroke:#7e22ce,color:#111827"),
    "lost": ('(["', '"])', "fill:#fee2e2,stroke:#b91c1c,color:#111827,stroke-dasharray:5 4"),
    "device": ('[["', '"]]', "fill:#e5e7eb,stroke:#374151,color:#111827"),
    "hook": ('["', '"]', "fill:#fef9c3,stroke:#a16207,color:#111827"),
    "end": ('["', '"]', "fill:#ffedd5,stroke:#c2410c,color:#111827"),
}


#: kind of node -> the name of its class, where it is a word of Mermaid's own
_CLASSES = {"end": "stop"}


def mermaid(graph: Graph) -> str:
    """The text of one flowchart; whatever stands in a name, it cannot end its label."""
    lines = ["flowchart LR"]
    lines += [_node(number, node) for number, node in enumerate(graph.nodes)]
    lines += [_edge(edge) for edge in graph.edges]
    used = {node.kind for node in graph.nodes}
    lines += [f"  classDef {_CLASSES.get(kind, kind)} {_SHAPES[kind][2]}" for kind in KINDS if kind in used]
    return "\n".join(lines) + "\n"


def _node(number: int, node: Node) -> str:
    opening, closing, _ = _SHAPES[node.kind]
    note = f"<br/>{_escaped(node.note)}" if node.note else ""
    return f"  n{number}{opening}{_escaped(node.name)}{note}{closing}:::{_CLASSES.get(node.kind, node.kind)}"


def _edge(edge: Edge) -> str:
    label = f'|"{_escaped(edge.label)}"|' if edge.label else ""
    return f"  n{edge.source} {'-.->' if edge.dashed else '-->'}{label} n{edge.target}"


def _escaped(text: str) -> str:
    """Letters, digits and what is harmless between them; everything else as Mermaid's `#code;`.

    Labels are read as Markdown, too: an underscore counts only between letters, a point only where no list begins.
    """
    found = []
    for at, letter in enumerate(text):
        inside = text[at - 1 : at].isalnum() and text[at + 1 : at + 2].isalnum()
        plain = (letter.isascii() and letter.isalnum()) or (letter == " " and at > 0) or letter in "/:·→"
        found.append(letter if plain or (letter in "._" and inside) else f"#{ord(letter)};")
    return "".join(found)
