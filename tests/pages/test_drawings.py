"""Drawings as files of their own: SVG in a browser, light and dark; Mermaid as Mermaid itself reads it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bpfimg.bytecode import dissect
from bpfimg.inspect import graph, order
from tests.support import inventories
from tests.support.objects import example

if TYPE_CHECKING:
    from bpfimg.inspect._graph import Graph
    from tests.support.browser import Browser

CACHE = Path(__file__).resolve().parents[2] / ".cache"
MERMAID = "11.17.2"
_BOXES = """
const round = box => [box.left, box.top, box.right, box.bottom];
return [...document.querySelectorAll("g")].map(group => [
  round(group.querySelector("rect").getBoundingClientRect()),
  [...group.querySelectorAll("text")].map(text => round(text.getBoundingClientRect()))]);
"""
_FILLS = """
return [...document.querySelectorAll(".bg, .t, .program, .foreign")].map(e => e.getAttribute("class") + " "
  + getComputedStyle(e).fill)
"""
_INSTALL = """
const script = document.createElement("script");
script.textContent = arguments[0];
document.head.append(script);
"""
_RENDER = """
const [text, done] = [arguments[0], arguments[arguments.length - 1]];
mermaid.initialize({startOnLoad: false, securityLevel: "strict"});
mermaid.render("drawing", text).then(found => {
  const place = document.createElement("div");
  place.innerHTML = found.svg;
  const all = words => [...place.querySelectorAll(words)];
  done([all(".nodeLabel").map(each => each.textContent), all(".edgePaths path").length,
        all("script, a, img, iframe").length]);
}, error => done(String(error)));
"""


def of_hooks() -> Graph:
    """What `status --graph` draws."""
    inventory = inventories.host(16, 16, 16)
    return order.drawn(order.hooks(inventory), {view.id: view for view in inventory.programs})


def of_object() -> Graph:
    """What `inspect --graph` draws."""
    return graph(dissect(example("xdp_counter")), parts=("calls", "maps", "helpers"))


DRAWINGS = {"hooks": of_hooks, "object": of_object}


@pytest.mark.parametrize("name", DRAWINGS)
@pytest.mark.parametrize("dark", [False, True])
def test_a_drawing_is_a_file_that_browsers_show(chromium: Browser, tmp_path: Path, name: str, dark: bool) -> None:
    path = tmp_path / f"{name}.svg"
    path.write_text(DRAWINGS[name]().svg(name))
    chromium.dress(dark=dark, width=2000)
    chromium.driver.get_log("browser")
    chromium.open(path)
    assert chromium.ask("return document.documentElement.tagName") == "svg"
    found = {each.partition(" ")[0]: each.partition(" ")[2] for each in chromium.ask(_FILLS)}
    assert found["bg"] == ("rgb(13, 17, 23)" if dark else "rgb(255, 255, 255)")
    assert found["t"] == ("rgb(243, 244, 246)" if dark else "rgb(17, 24, 39)")
    boxes = chromium.ask(_BOXES)
    assert boxes
    for (left, top, right, bottom), texts in boxes:
        for x, y, to_x, to_y in texts:
            assert left <= x < to_x <= right + 1
            assert top - 1 <= y < to_y <= bottom + 1
    assert chromium.driver.get_log("browser") == []


def mermaid() -> str:
    """Mermaid's own reader of its language, as its makers publish it."""
    if shutil.which("npm") is None:
        pytest.skip("needs npm, to fetch mermaid")
    folder = CACHE / f"mermaid-{MERMAID}"
    script = folder / "node_modules/mermaid/dist/mermaid.min.js"
    if not script.exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--no-save", f"mermaid@{MERMAID}"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            pytest.skip(f"needs mermaid {MERMAID}, which npm could not fetch")
    return script.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [*DRAWINGS, "hostile"])
def test_mermaid_reads_what_we_write(chromium: Browser, tmp_path: Path, name: str) -> None:
    from bpfimg.inspect._graph import KINDS, Edge, Graph, Node

    hostile = tuple(Node(KINDS[at % len(KINDS)], text[:60], text[:60]) for at, text in enumerate(inventories.HOSTILE))
    lines = tuple(Edge(0, at, at % 2 == 0, hostile[at].name) for at in range(1, len(hostile)))
    made = Graph(hostile, lines) if name == "hostile" else DRAWINGS[name]()
    page = tmp_path / "empty.html"
    page.write_text("<!DOCTYPE html><title>mermaid</title>")
    chromium.dress()
    chromium.open(page)
    chromium.ask(_INSTALL, mermaid())
    chromium.driver.set_script_timeout(120)
    found: Any = chromium.driver.execute_async_script(_RENDER, made.mermaid())
    assert not isinstance(found, str), found
    labels, paths, foreign = found
    assert len(labels) == len(made.nodes)
    assert paths == len(made.edges)
    assert foreign == 0
    if name != "hostile":
        for node in made.nodes:
            assert any(label.startswith(node.name) for label in labels), node.name
    else:
        assert any("<script>alert(1)</script>" in label for label in labels)
