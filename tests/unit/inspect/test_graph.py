"""Graphs of an object: what they show, where they put it, and that no name gets out of its box."""

from __future__ import annotations

import random
import re
from itertools import pairwise
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from bpfimg.bytecode import dissect
from bpfimg.errors import UsageError
from bpfimg.inspect._graph import KINDS, Edge, Graph, Node, graph
from bpfimg.inspect._layout import layout
from bpfimg.inspect._mermaid import mermaid
from bpfimg.inspect._svg import svg
from tests.support.objects import compile_source

if TYPE_CHECKING:
    from collections.abc import Iterable

SOURCE = r"""
#define NI static __attribute__((noinline))
struct { __uint(type, 1); __type(key, __u32); __type(value, __u64); __uint(max_entries, 8); } counts SEC(".maps");
struct { __uint(type, 27); __uint(max_entries, 4096); } events SEC(".maps");
static void *(*lookup)(void *, const void *) = (void *)1;
static long (*loop)(__u32, void *, void *, __u64) = (void *)181;
extern int kernel_function(int) __attribute__((section(".ksyms")));
const volatile __u32 limit = 7;
NI int count(__u32 key) { __u64 *value = lookup(&counts, &key); return value && *value > limit; }
NI long each(__u32 i, void *context) { return count(i); }
NI int inner(__u32 key) { asm volatile("" : "+r"(key)); loop(key, each, 0, 0); return kernel_function(key); }
SEC("xdp") int outer(__u32 *context) { return inner(*context) + count(*context); }
SEC("kprobe/f") int lonely(void *context) { return 0; }
char LICENSE[] SEC("license") = "GPL";
"""
OBJECT = dissect(compile_source(SOURCE))


def edges(found: Graph) -> set[tuple[str, str]]:
    return {(found.nodes[edge.source].name, found.nodes[edge.target].name) for edge in found.edges}


def test_calls_and_maps() -> None:
    found = graph(OBJECT)
    assert {(node.kind, node.name) for node in found.nodes} == {
        ("program", "outer"),
        ("program", "lonely"),
        ("function", "count"),
        ("function", "each"),
        ("function", "inner"),
        ("kfunc", "kernel_function"),
        ("map", "counts"),
        ("map", "events"),
        ("data", ".rodata"),
    }
    assert edges(found) == {
        ("outer", "inner"),
        ("outer", "count"),
        ("inner", "each"),
        ("inner", "kernel_function"),
        ("each", "count"),
        ("count", "counts"),
        ("count", ".rodata"),
    }
    dashed = {found.nodes[edge.target].name for edge in found.edges if edge.dashed}
    assert dashed == {"each"}
    notes = {node.name: node.note for node in found.nodes}
    assert notes["counts"] == "hash · 4 → 8 bytes · 8 entries"
    assert notes["events"] == "ringbuf · 4096 bytes"
    assert notes["lonely"] == "kprobe · 2 insns"


def test_programs_and_maps_alone() -> None:
    """What a program reaches through sub-programs is its own."""
    assert edges(graph(OBJECT, parts=("maps",))) == {("outer", "counts"), ("outer", ".rodata")}


def test_helper_functions_on_request() -> None:
    assert {("count", "bpf_map_lookup_elem"), ("inner", "bpf_loop")} <= edges(graph(OBJECT, parts=("calls", "helpers")))
    assert edges(graph(OBJECT, parts=("helpers",))) == {("outer", "bpf_map_lookup_elem"), ("outer", "bpf_loop")}


def test_too_much_to_look_at_is_refused() -> None:
    source = "".join(f'SEC("xdp") int prog{n}(void *c) {{ return 0; }}\n' for n in range(1001))
    with pytest.raises(UsageError, match="1001 nodes"):
        graph(dissect(compile_source(source)))


HOSTILE = (
    'a"]; click n0 "javascript:alert(1)"',
    "</text><script>alert(1)</script>",
    "<!-- ]]> &amp; ' \x1b[31m \u202e",
    "`**markdown**` [x](javascript:x)",
    "1. list",
    "- list",
    "end",
    "__init__",
    "#quot; %%{init: {}}%%",
    "n" * 200,
    "\N{CJK UNIFIED IDEOGRAPH-4E2D}\n\t\0\ud800"[:3],
)


def hostile() -> Graph:
    nodes = tuple(Node(KINDS[at % len(KINDS)], name, name) for at, name in enumerate(HOSTILE))
    return Graph(nodes, tuple(Edge(0, at, at % 2 == 0) for at in range(1, len(nodes))))


def test_a_name_cannot_leave_its_label_in_mermaid() -> None:
    text = mermaid(hostile())
    assert text.isprintable() or text.replace("\n", "").isprintable()
    lines = text.splitlines()
    assert lines[0] == "flowchart LR"
    label = r'"([A-Za-z0-9/:·→ ._]|#[0-9]+;|<br/>)*"'
    node = re.compile(rf"  n[0-9]+(\(\[|\[\(|\[\[|\[){label}(\]\)|\)\]|\]\]|\]):::[a-z]+")
    edge = re.compile(r"  n[0-9]+ (-->|-\.->) n[0-9]+")
    assert all(node.fullmatch(line) or edge.fullmatch(line) or line.startswith("  classDef ") for line in lines[1:])
    assert sum(":::" in line for line in lines) == len(HOSTILE)
    assert "#95;#95;init#95;#95;" in text
    assert "1#46; list" in text


def test_a_name_cannot_leave_its_box_in_svg() -> None:
    text = svg(hostile(), HOSTILE[1])
    tree = ET.fromstring(text)
    assert {element.tag.rpartition("}")[2] for element in tree.iter()} == {
        "svg", "title", "desc", "style", "defs", "marker", "path", "rect", "g", "text",
    }  # fmt: skip
    assert text.isascii()
    assert text.replace("\n", "").isprintable()
    assert all("href" not in name and not name.startswith("on") for element in tree.iter() for name in element.attrib)
    words = "".join(tree.itertext())
    assert "[1b][31m" in words
    assert "[202e]" in words
    assert "n" * 200 in words
    assert "http" not in text.replace('xmlns="http://www.w3.org/2000/svg"', "")


def test_the_same_object_gives_the_same_drawing() -> None:
    assert svg(graph(OBJECT), "a") == svg(graph(OBJECT), "a")
    assert mermaid(graph(OBJECT)) == mermaid(graph(OBJECT))


def test_text_stays_inside_its_box() -> None:
    tree = ET.fromstring(svg(graph(OBJECT), "title"))
    for group in tree.iter("{http://www.w3.org/2000/svg}g"):
        (box,) = group.findall("{*}rect")
        left, right = float(box.attrib["x"]), float(box.attrib["x"]) + float(box.attrib["width"])
        for text in group.findall("{*}text"):
            assert left < float(text.attrib["x"])
            assert float(text.attrib["x"]) + float(text.attrib["textLength"]) < right


def overlap(sizes: list[tuple[float, float]], places: Iterable[tuple[float, float]]) -> bool:
    boxes = sorted((x, y, x + w, y + h) for (w, h), (x, y) in zip(sizes, places, strict=True))
    columns: dict[float, list[tuple[float, float]]] = {}
    for left, top, _, bottom in boxes:
        columns.setdefault(left, []).append((top, bottom))
    return any(end > start for column in columns.values() for (_, end), (start, _) in pairwise(sorted(column)))


@pytest.mark.parametrize("seed", range(20))
def test_nothing_overlaps_and_everything_is_on_the_paper(seed: int) -> None:
    chance = random.Random(seed)
    count = chance.randrange(1, 60)
    sizes = [(chance.uniform(20, 200), chance.uniform(20, 50)) for _ in range(count)]
    lines = [(chance.randrange(count), chance.randrange(count)) for _ in range(chance.randrange(120))]
    columns = {node: chance.choice((-1, 1)) for node in range(count) if chance.random() < 0.3}
    lines = [(a, b) for a, b in lines if a != b]
    drawn = layout(sizes, lines, columns)
    assert not overlap(sizes, drawn.places)
    assert len(drawn.ways) == len(lines)
    for (width, height), (x, y) in zip(sizes, drawn.places, strict=True):
        assert x >= 0
        assert y >= -1e-6
        assert x + width <= drawn.width + 1e-6
        assert y + height <= drawn.height + 1e-6
    assert layout(sizes, lines, columns) == drawn


def test_a_chain_goes_from_left_to_right_and_a_cycle_ends() -> None:
    sizes = [(10.0, 10.0)] * 4
    places = layout(sizes, [(0, 1), (1, 2), (2, 3), (3, 0)], {}).places
    assert [x for x, _ in places] == sorted({x for x, _ in places})
    assert layout([], [], {}).places == ()


def test_lines_that_need_not_cross_do_not() -> None:
    sizes = [(10.0, 10.0)] * 8
    drawn = layout(sizes, [(0, 7), (1, 6), (2, 5), (3, 4)], {})
    tops = [y for _, y in drawn.places]
    assert sorted(tops[:4]) == sorted(tops[4:])
    assert all(tops[a] == tops[b] for a, b in [(0, 7), (1, 6), (2, 5), (3, 4)])
