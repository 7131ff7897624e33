"""Markdown for a pull request: what names may not do in it."""

from __future__ import annotations

import re

import pytest

from bpfimg.inspect import Change, diff
from bpfimg.inspect._markdown import code

HOSTILE = [
    "a|b",
    "`",
    "``` | ```",
    "<script>alert(1)</script>",
    "</details>",
    "[x](https://evil.example)",
    "![x](https://evil.example/pixel.png)",
    "@everyone",
    "#1",
    "a\nb",
    "\u202eevil",
    "\\|",
    "\\",
    " ",
    "",
    "x" * 1000,
]


def change(name: str, effect: str = "breaking", *, content: str | None = None) -> Change:
    return Change("map", name, "changed", "type", content or name, name, effect, "Pins cannot be reused.")


def cells(row: str) -> list[str]:
    """The cells of a table's row, as GitHub cuts it: at bars that no backslash precedes."""
    assert row.startswith("| ")
    assert row.endswith(" |")
    return re.findall(r"((?:\\.|[^|\\])*)\|", row[1:])


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_text_in_a_cell_and_nothing_else(name: str) -> None:
    page = diff.markdown("a.o", "b.o", [change(name or "x", content=name)])
    (row,) = (line for line in page.splitlines() if line.startswith("| map"))
    assert len(cells(row)) == 5
    for cell in (cells(row)[0].removeprefix(" map "), cells(row)[2], cells(row)[3]):
        assert not cell.strip() or fenced(cell.strip())
    assert page.isascii() or "\u202e" not in page
    assert "Pins cannot be reused." in row


def fenced(cell: str) -> bool:
    """Whether the cell is one code span: a fence, no run of backticks as long as the fence inside, the fence."""
    found = re.fullmatch(r"(`+)(.*?)(`+)", cell)
    assert found is not None
    fence, inside, end = found.groups()
    return fence == end and all(len(run) != len(fence) for run in re.findall("`+", inside))


def test_spans() -> None:
    assert code("plain") == "`plain`"
    assert code("a`b") == "`` a`b ``"
    assert code("a|b") == "`a\\|b`"
    assert code("a\nb") == "`a\\\\nb`"
    assert code("x" * 121) == f"`{'x' * 120}...`"


def test_the_breaking_changes_are_open_and_the_others_folded() -> None:
    page = diff.markdown("v1", "v2", [change("a"), change("b", "compatible"), change("c", "informational")])
    assert page.splitlines()[:3] == ["### bpfimg diff", "", "`v1` → `v2`: **breaking changes**"]
    assert page.index("#### Breaking (1)") < page.index("map `a`") < page.index("<details>") < page.index("map `b`")
    assert page.count("<details>") == page.count("</details>") == 2
    assert page.endswith("</details>\n")


def test_nothing_has_changed() -> None:
    assert diff.markdown("v1", "v2", []) == "### bpfimg diff\n\n`v1` → `v2`: **no change**\n"


def test_a_long_list_is_cut() -> None:
    page = diff.markdown("v1", "v2", [change(f"m{number}") for number in range(205)])
    assert "| | | | | and 5 more |" in page
    assert len(page) < 65_536
