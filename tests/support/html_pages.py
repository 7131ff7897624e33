"""Built HTML as its readers' browsers see it: what each page can be linked to by, and what it asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(slots=True)
class Page:
    """`links` are what can be followed, `loads` what is fetched with the page."""

    anchors: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    text: str = ""


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = Page()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.page.anchors |= {given[name] for name in ("id", "name") if given.get(name)}
        if tag == "a" and "href" in given:
            self.page.links.append(given["href"])
        elif "src" in given or (tag == "link" and given.get("rel") not in ("canonical", "author")):
            self.page.loads.append(given.get("src") or given.get("href", ""))

    def handle_data(self, text: str) -> None:
        self.page.text += text


def pages(folder: Path) -> dict[str, Page]:
    """Every page below the folder by its path there."""
    found = {}
    for path in sorted(folder.rglob("*.html")):
        reader = _Reader()
        reader.feed(path.read_text())
        found[str(path.relative_to(folder))] = reader.page
    return found


def is_elsewhere(link: str) -> bool:
    """A link that leaves the folder: with a scheme or a host."""
    return link.startswith(("http:", "https:", "mailto:", "//"))


def split(link: str) -> tuple[str, str]:
    """The path and the anchor of a link."""
    path, _, anchor = link.partition("#")
    return unquote(path.partition("?")[0]), unquote(anchor)
