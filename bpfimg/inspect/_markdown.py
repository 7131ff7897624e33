"""Changes as GitHub's Markdown, for a comment on a pull request."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpfimg.inspect._diff_model import Change

_VERDICTS = {
    "breaking": "**breaking changes**",
    "compatible": "**compatible changes only**",
    "informational": "**no change that matters to those who load it**",
    "same": "**no change**",
}
_TITLES = {"breaking": "Breaking", "compatible": "Compatible", "informational": "For information"}
_ROWS = 200  # GitHub takes 65,536 characters
_TEXT = 120


def page(before: str, after: str, changes: Sequence[Change], verdict: str) -> str:
    """A heading, a sentence, the breaking changes as a table, the others folded away."""
    lines = ["### bpfimg diff", "", f"{code(before)} → {code(after)}: {_VERDICTS[verdict]}", ""]
    for effect, title in _TITLES.items():
        found = [change for change in changes if change.effect == effect]
        if not found:
            continue
        table = _table(found)
        if effect == "breaking":
            lines += [f"#### {title} ({len(found)})", "", *table, ""]
        else:
            lines += ["<details>", f"<summary>{title} ({len(found)})</summary>", "", *table, "", "</details>", ""]
    return "\n".join(lines).rstrip() + "\n"


def _table(changes: Sequence[Change]) -> list[str]:
    rows = ["| what | change | before | after | why |", "| --- | --- | --- | --- | --- |"]
    rows += [_row(change) for change in changes[:_ROWS]]
    if len(changes) > _ROWS:
        rows.append(f"| | | | | and {len(changes) - _ROWS} more |")
    return rows


def _row(change: Change) -> str:
    what = f"{change.kind} {code(change.name)}" if change.name else change.kind
    field = f"{change.field} " if change.field else ""
    where = f" ({', '.join(code(platform) for platform in change.platforms)})" if change.platforms else ""
    values = [code(content) if content else "" for content in (change.before, change.after)]
    return f"| {what}{where} | {field}{change.change} | {values[0]} | {values[1]} | {change.reason} |"


def code(text: str, most: int = _TEXT) -> str:
    """Text that nobody vouches for as a code span that stays one in a table: no link, tag, mention or second cell.

    A fence longer than any run of backticks inside ends nowhere else; a bar is escaped, as tables want it even there.
    """
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
    shown = shown if len(shown) <= most else f"{shown[:most]}..."
    shown = shown.replace("\\", "\\\\").replace("|", "\\|")
    run = longest = 0
    for c in shown:
        run = run + 1 if c == "`" else 0
        longest = max(longest, run)
    fence = "`" * (longest + 1)
    pad = " " if longest or not shown.strip() else ""
    return f"{fence}{pad}{shown or ' '}{pad}{fence}"
