"""The table of docs/hooks.md: which hook runs on which kernel, from the results of tests and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bpfimg.load._hooks._words import WORDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.support.guest.listing import Listed

PAGE = Path(__file__).resolve().parents[2] / "docs" / "hooks.md"
BEGIN, END = "<!-- made by `python -m scripts.hooks_page` -->", "<!-- made until here -->"
#: what runs and is not attached to anything
ONCE = ("iter", "syscall")
KERNELS = ("6.1", "6.12", "6.18")
YES, REFUSED, OPEN = "yes", "no, says why", "?"

Table = dict[str, dict[str, str]]  # hook -> kernel -> cell


def made(listed: Sequence[Listed], outcomes: Mapping[str, Mapping[str, str]]) -> Table:
    """The table that the outcomes (kernel -> test -> outcome) give.

    A hook is refused where a test of what a user is then told passed; it runs where a test passed that shows it.
    """
    table: Table = {}
    for row in rows(listed):
        proofs = [each for each in listed if row in each.hooks]
        for kernel, results in outcomes.items():
            passed = [each for each in proofs if results.get(each.test) == "passed"]
            cell = REFUSED if any(each.refused for each in passed) else YES if passed else OPEN
            table.setdefault(row, {})[kernel] = cell
    return table


def rows(listed: Sequence[Listed]) -> list[str]:
    """Every hook that there is, in the order of the command line, each followed by its variants."""
    words = [*WORDS, *ONCE]
    marked = {hook for each in listed for hook in each.hooks}
    others = sorted(marked - {*words})
    found = [row for word in words for row in (word, *(each for each in others if each.split()[0] == word))]
    return found + [each for each in others if each not in found]


def read() -> Table:
    """The table as the page has it."""
    lines = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0].split("\n")
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    if not cells:
        return {}
    (_, *kernels), _, *found = cells
    return {row.strip("`"): dict(zip(kernels, rest, strict=True)) for row, *rest in found}


def write(table: Table) -> None:
    """Puts the table into the page, beside the columns of kernels that it says nothing about."""
    old = read()
    lines = [f"| hook | {' | '.join(KERNELS)} |", "|---" * (len(KERNELS) + 1) + "|"]
    for row, cells in table.items():
        kept = [cells.get(kernel, old.get(row, {}).get(kernel, OPEN)) for kernel in KERNELS]
        lines.append(f"| `{row}` | {' | '.join(kept)} |")
    text = PAGE.read_text(encoding="utf-8")
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n\n" + "\n".join(lines) + f"\n\n{END}{after}", encoding="utf-8")
