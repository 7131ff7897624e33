"""How Sphinx makes the book of the pages that `scripts/book` lays out; `make book` runs both."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sphinx.addnodes import pending_xref

import bpfimg
from scripts.book._rooms import documented, restructured

DOCUMENTED = documented()

project = "bpfimg"
author = "the authors of bpfimg"
version = release = bpfimg.__version__
root_doc = "docs/index"
extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns: list[str] = []
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
suppress_warnings = ["misc.highlighting_failure"]  # a box may leave something out (…), and only its colours are lost

# two hyphens are two hyphens: they begin an option
smartquotes = False
# a heading's anchor is that of the forges
myst_heading_anchors = 4
myst_enable_extensions = ["deflist"]

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
add_module_names = False
python_maximum_signature_line_length = 100

# the navigation is made anew for each page: with every name of the rooms in it that takes longer than all else
toc_object_entries = False
html_theme = "furo"
html_title = f"bpfimg {release}"
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_last_updated_fmt = None


def _docstring(*given: Any) -> None:
    lines = given[-1]
    lines[:] = list(restructured("\n".join(lines)))


def _signature(*given: Any) -> tuple[str | None, str | None] | None:
    """Classes of `bpfimg._value` and of `dataclasses` are made of their fields."""
    _, what, _, each, _, said, result = given
    if what != "class" or not hasattr(each, "__slots__") or not (fields := getattr(each, "__annotations__", {})):
        return said, result
    private = any(field.startswith("_") for field in fields)
    return None if private else (f"({', '.join(f'{field}: {kind}' for field, kind in fields.items())})", None)


def _types(app: Any, doctree: Any) -> None:
    """Types in signatures lead to the same room's page, or to the one room that has the name; others are words."""
    for node in list(doctree.findall(pending_xref)):
        if node.get("refdomain") != "py":
            continue
        name = node["reftarget"].rpartition(".")[2]
        room = str(node.get("py:module"))
        found = (
            [f"{room}.{name}"] if f"{room}.{name}" in DOCUMENTED else [n for n in DOCUMENTED if n.endswith(f".{name}")]
        )
        if len(found) == 1:
            node["reftarget"] = found[0]
        else:
            node.replace_self(node.children)


def setup(app: Any) -> None:
    app.connect("autodoc-process-docstring", _docstring)
    app.connect("autodoc-process-signature", _signature)
    app.connect("doctree-read", _types)
