"""Words out: tables, blocks and JSON. Everything printed has its control characters made visible."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["block", "clean", "json_text", "table"]


def clean(text: str, *, keep_lines: bool = False) -> str:
    """`text` with control characters escaped: names in images and kernels are not allowed to drive a terminal."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or (keep_lines and c in "\n\t") else c.encode("unicode_escape").decode("ascii")
        for c in text
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Left-aligned columns, two blanks apart, without trailing blanks; the head alone when there are no rows."""
    lines = [list(head), *([clean(cell) for cell in row] for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def block(title: str, pairs: Iterable[tuple[str, str]]) -> str:
    """A titled block of `key: value` lines, values aligned; empty values are shown as `-`."""
    shown = [(key, clean(value) if value else "-") for key, value in pairs]
    width = max((len(key) for key, _ in shown), default=0)
    return "\n".join([title, *(f"  {key + ':':{width + 1}}  {value}" for key, value in shown)])


def json_text(document: object) -> str:
    """One JSON document as people like to read it; non-ASCII escaped, so that any terminal and locale can take it."""
    import json

    return json.dumps(document, indent=2)
