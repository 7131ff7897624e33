"""Pages are written for readers of the repository; here they become pages of the book, without a word of its markup.

Folders that are linked to become their README, a comment `<!-- book: … -->` becomes what is in it, and the pages
that only list others give the book its order.
"""

from __future__ import annotations

import re
from posixpath import normpath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

#: pages whose links are the book's tables of contents
LISTS = {"docs/index.md", "docs/how-to/index.md"}
#: pages that are found by the tables of their own folders, and would make every other page's navigation long
_ASIDE = re.compile(r"docs/(adr/\d{4}-|lint/BL\d)")
#: folders without a README, and the page that is made for them
MADE = {"schemas": "docs/schemas/index.md"}
_LINK = re.compile(r"(?<=\]\()([^)#\s:]+)(?=[)#])")
_ENTRY = re.compile(r"^- \[([^\]]+)\]\(([^)#:]+\.(?:md|rst))\)", re.M)


def in_the_book(path: Path, text: str, root: Path) -> str:
    """The page at `path` as the book has it."""
    text = re.sub(r"<!-- book: (.*?) -->", r"\1", text, flags=re.S)
    text = _LINK.sub(lambda match: _target(match[1], path, root), text)
    if _ASIDE.match(str(path)):
        return f"---\norphan: true\n---\n\n{text}"
    return text + tables_of_contents(text) if str(path) in LISTS else text


def _target(target: str, page: Path, root: Path) -> str:
    place = normpath(f"{page.parent}/{target}")
    up = "../" * (len(page.parts) - 1)
    if place in MADE:
        return f"{up}{MADE[place]}"
    if not (root / place).is_dir():
        return target
    return f"{target.rstrip('/')}/README.md"


def tables_of_contents(text: str) -> str:
    """What Sphinx has to know of the order of the pages: one table for each heading that has a list of links."""
    tables = []
    for part in re.split(r"^(?=## )", text, flags=re.M):
        entries = _ENTRY.findall(part)
        heading = re.match(r"## (.*)", part)
        if entries:
            caption = f":caption: {heading[1]}\n" if heading else ""
            listed = (f"{plain(title)} <{path}>" for title, path in entries)
            tables.append(f"\n```{{toctree}}\n:hidden:\n{caption}\n" + "\n".join(listed) + "\n```\n")
    return "".join(tables)


def plain(title: str) -> str:
    """Titles in tables of contents have no markup."""
    return title.replace("`", "")
