"""A graph as one SVG file, or as a part of a page: no script, no font, nothing from elsewhere; for light and dark
backgrounds."""

from __future__ import annotations

from itertools import pairwise

from bpfimg.inspect._graph import KINDS
from bpfimg.inspect._layout import layout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bpfimg.inspect._graph import Graph, Node

_MARGIN, _PAD, _LINE = 24.0, 10.0, 17.0
_TITLE_SIZE, _NAME_SIZE, _NOTE_SIZE = 15.0, 13.0, 11.0
_EM = 0.602  # the width of a letter of common monospaced fonts; `textLength` makes it so for all others
_NAME_MAX, _TIP = 48, 500
_LABEL = 13.0  # the height of a label
_WORDS = {
    "data": "global data",
    "helper": "helper function",
    "function": "sub-program",
    "foreign": "program of another tool",
    "lost": "program that does not run",
    "device": "interface, network stack",
    "end": "the packet goes no further",
}
#: kind -> fill and stroke on light, fill and stroke on dark
_COLOURS = {
    "program": ("#dbeafe", "#1d4ed8", "#172554", "#60a5fa"),
    "function": ("#f3f4f6", "#6b7280", "#1f2937", "#9ca3af"),
    "kfunc": ("#fef3c7", "#b45309", "#451a03", "#fbbf24"),
    "helper": ("#ffedd5", "#c2410c", "#431407", "#fb923c"),
    "map": ("#dcfce7", "#15803d", "#052e16", "#4ade80"),
    "data": ("#f0fdf4", "#64806e", "#14261b", "#86a892"),
    "foreign": ("#f3e8ff", "#7e22ce", "#3b0764", "#c084fc"),
    "lost": ("#fee2e2", "#b91c1c", "#450a0a", "#f87171"),
    "device": ("#e5e7eb", "#374151", "#1f2937", "#d1d5db"),
    "hook": ("#fef9c3", "#a16207", "#422006", "#facc15"),
    "end": ("#ffedd5", "#c2410c", "#431407", "#fb923c"),
}


_TOLD = 40  # lines that a drawing tells in words, too


def svg(graph: Graph, title: str, part: str = "") -> str:
    """The file's text; names are cut at 48 letters, with more of it as their tooltip. With `part` it is for a page
    that has `style` already: a word that begins its ids, which no other drawing there begins with."""
    sizes = [_size(node) for node in graph.nodes]
    columns = {number: -1 for number, node in enumerate(graph.nodes) if node.kind in ("map", "data")}
    columns |= {number: 1 for number, node in enumerate(graph.nodes) if node.kind in ("kfunc", "helper")}
    edges = [edge for edge in graph.edges if edge.source != edge.target]
    rooms = [1.4 * _width(edge.label, _NOTE_SIZE) + 40 if edge.label else 0.0 for edge in edges]
    drawn = layout(sizes, [(edge.source, edge.target) for edge in edges], columns, rooms)
    legend = [kind for kind in KINDS if any(node.kind == kind for node in graph.nodes)]
    top = _MARGIN + _LINE + 12
    width = max(drawn.width, _width(title, _TITLE_SIZE), _legend_width(legend)) + 2 * _MARGIN
    height = top + drawn.height + 28 + _LINE + _MARGIN
    body = [*_head(title, _told(graph), width, height, part)]
    ways = [[(x + _MARGIN, y + top) for x, y in way] for way in drawn.ways]
    for points, edge in zip(ways, edges, strict=True):
        body.append(f'<path class="e{" d" if edge.dashed else ""}" marker-end="url(#{part}a)" d="{_curve(points)}"/>')
    body += _labels([(points, edge.label) for points, edge in zip(ways, edges, strict=True) if edge.label])
    for node, size, (x, y) in zip(graph.nodes, sizes, drawn.places, strict=True):
        body += _box(node, size, x + _MARGIN, y + top)
    body += _legend(legend, top + drawn.height + 28)
    return "\n".join([*body, "</svg>"]) + "\n"


def _head(title: str, told: str, width: float, height: float, part: str) -> Iterator[str]:
    attributes = f'width="{_n(width)}" height="{_n(height)}" viewBox="0 0 {_n(width)} {_n(height)}" role="img"'
    if part:
        attributes += f' class="drawn" aria-labelledby="{part}t" aria-describedby="{part}d"'
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" {attributes} '
        "font-family=\"ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace\">"
    )
    yield f"<title{_id(part, 't')}>{escaped(title)}</title>"
    yield f"<desc{_id(part, 'd')}>{escaped(told)}</desc>"
    if not part:
        yield f"<style>{style()}</style>"
    yield (
        f'<defs><marker id="{part}a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path class="m" d="M0 0.5 8 4 0 7.5z"/></marker></defs>'
    )
    yield f'<rect class="bg" width="{_n(width)}" height="{_n(height)}"/>'
    yield _text(title, _TITLE_SIZE, _MARGIN, _MARGIN + 12, "h")


def _id(part: str, letter: str) -> str:
    return f' id="{part}{letter}"' if part else ""


def _told(graph: Graph) -> str:
    """For those who do not see it: which arrows there are."""
    names = [_cut(node.name) for node in graph.nodes]
    lines = [
        f"{names[edge.source]} to {names[edge.target]}" + (f" ({edge.label})" if edge.label else "")
        for edge in graph.edges[:_TOLD]
    ]
    more = [f"and {len(graph.edges) - _TOLD} more"] if len(graph.edges) > _TOLD else []
    return f"{len(names)} boxes. Arrows: {'; '.join([*lines, *more]) or 'none'}."


def style(within: str = "") -> str:
    """The rules for what is drawn; `within` is a selector that they begin with."""
    light = {
        ".bg": "fill:#fff",
        ".t": f"fill:#111827;font-size:{_NAME_SIZE}px",
        ".h": f"fill:#111827;font-weight:bold;font-size:{_TITLE_SIZE}px",
        ".s": f"fill:#4b5563;font-size:{_NOTE_SIZE}px",
        ".e": "fill:none;stroke:#6b7280",
        ".m": "fill:#6b7280",
        ".d": "stroke-dasharray:5 4",
        ".l": f"fill:#4b5563;stroke:#fff;stroke-width:3px;paint-order:stroke;font-size:{_NOTE_SIZE}px",
    }
    dark = {
        ".bg": "fill:#0d1117",
        ".t": "fill:#f3f4f6",
        ".h": "fill:#f3f4f6",
        ".s": "fill:#b6bdc8",
        ".e": "stroke:#8b95a3",
        ".m": "fill:#8b95a3",
        ".l": "fill:#b6bdc8;stroke:#0d1117",
    }
    light |= {f".{kind}": f"fill:{fill};stroke:{stroke}" for kind, (fill, stroke, _, _) in _COLOURS.items()}
    dark |= {f".{kind}": f"fill:{fill};stroke:{stroke}" for kind, (_, _, fill, stroke) in _COLOURS.items()}
    rules, more = ("".join(f"{within}{name}{{{each}}}" for name, each in one.items()) for one in (light, dark))
    return f"{rules}@media (prefers-color-scheme:dark){{{more}}}"


def _size(node: Node) -> tuple[float, float]:
    width = max(_width(_cut(node.name), _NAME_SIZE), _width(node.note, _NOTE_SIZE))
    return width + 2 * _PAD, (2 * _LINE if node.note else _LINE) + _PAD


def _box(node: Node, size: tuple[float, float], x: float, y: float) -> Iterator[str]:
    round_ones = ("program", "helper", "foreign", "lost")
    radius = size[1] / 2 if node.kind in round_ones else {"map": 2, "data": 2}.get(node.kind, 6)
    yield "<g>"
    if node.name != _cut(node.name):
        yield f"<title>{escaped(node.name[:_TIP])}</title>"
    yield (
        f'<rect class="{node.kind}" x="{_n(x)}" y="{_n(y)}" width="{_n(size[0])}" height="{_n(size[1])}" '
        f'rx="{_n(radius)}"/>'
    )
    if node.kind in ("map", "data"):  # a second line on the left, as of a table
        yield f'<path class="{node.kind}" d="M{_n(x + 4)} {_n(y)}V{_n(y + size[1])}"/>'
    yield _text(_cut(node.name), _NAME_SIZE, x + _PAD, y + _PAD / 2 + 13, "t")
    if node.note:
        yield _text(node.note, _NOTE_SIZE, x + _PAD, y + _PAD / 2 + 13 + _LINE - 2, "s")
    yield "</g>"


def _labels(lines: Sequence[tuple[Sequence[tuple[float, float]], str]]) -> Iterator[str]:
    """Labels on the first curve of each line, where it is two thirds of the way on and those of one node have parted;
    what would overlap nevertheless goes below each other."""
    found: dict[float, list[tuple[float, str]]] = {}
    for ((x, y), (to_x, to_y), *_), label in lines:  # the point of `_curve` at 0.7
        found.setdefault(x + 0.658 * (to_x - x), []).append((y + 0.784 * (to_y - y), label))
    for x, labels in sorted(found.items()):
        below = 0.0
        for y, label in sorted(labels):
            below = max(y, below + _LABEL)
            yield _text(label, _NOTE_SIZE, x - _width(label, _NOTE_SIZE) / 2, below + 4, "l")


def _legend(kinds: Sequence[str], y: float) -> Iterator[str]:
    x = _MARGIN
    for kind in kinds:
        word = _WORDS.get(kind, kind)
        yield f'<rect class="{kind}" x="{_n(x)}" y="{_n(y)}" width="14" height="14" rx="3"/>'
        yield _text(word, _NOTE_SIZE, x + 20, y + 11, "s")
        x += 20 + _width(word, _NOTE_SIZE) + 22


def _legend_width(kinds: Sequence[str]) -> float:
    return sum(42 + _width(_WORDS.get(kind, kind), _NOTE_SIZE) for kind in kinds)


def _text(text: str, size: float, x: float, y: float, style: str) -> str:
    length = f' textLength="{_n(_width(text, size))}" lengthAdjust="spacingAndGlyphs"' if text else ""
    return f'<text class="{style}" x="{_n(x)}" y="{_n(y)}"{length}>{escaped(text)}</text>'


def _curve(points: Sequence[tuple[float, float]]) -> str:
    """Curves that leave and enter every point horizontally."""
    words = [f"M{_n(points[0][0])} {_n(points[0][1])}"]
    for (x, y), (to_x, to_y) in pairwise(points):
        middle = (x + to_x) / 2
        words.append(f"C{_n(middle)} {_n(y)} {_n(middle)} {_n(to_y)} {_n(to_x)} {_n(to_y)}")
    return "".join(words)


def _cut(name: str) -> str:
    return name if len(name) <= _NAME_MAX else f"{name[: _NAME_MAX - 1]}…"


def _width(text: str, size: float) -> float:
    if text.isascii():
        return len(text) * size * _EM
    from unicodedata import east_asian_width

    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text) * size * _EM


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")


def escaped(text: str) -> str:
    """Text as XML may hold it, in ASCII. What XML cannot hold at all (control characters), and what would turn the
    direction of writing, is a code point in brackets."""
    return "".join(_letter(letter) for letter in text)


def _letter(letter: str) -> str:
    if not letter.isprintable():
        return f"[{ord(letter):x}]"
    return letter if letter.isascii() and letter not in "&<>\"'" else f"&#{ord(letter)};"
