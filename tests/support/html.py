"""What a page is made of, as Python's parser has it; and whether all of it is ours."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

#: every element and attribute that a page may have; none runs anything or asks anybody
ELEMENTS = {
    *("html", "head", "meta", "title", "style", "body", "a", "header", "nav", "main", "footer", "section", "h1", "h2"),
    *("h3", "h4", "p", "ul", "li", "dl", "div", "dt", "dd", "table", "caption", "span", "thead", "tbody", "tr", "th"),
    *("td", "details", "summary", "code", "pre", "strong", "time", "figure", "br"),
    *("svg", "desc", "defs", "marker", "path", "rect", "g", "text"),
}
ATTRIBUTES = {
    *("lang", "charset", "http-equiv", "content", "name", "class", "id", "href", "rel", "role", "tabindex", "scope"),
    *("aria-label", "aria-labelledby", "aria-describedby", "datetime", "colspan", "open"),
    *("xmlns", "width", "height", "viewbox", "font-family", "refx", "refy", "markerwidth", "markerheight", "orient"),
    *("d", "x", "y", "rx", "font-size", "textlength", "lengthadjust", "marker-end"),
}


@dataclass(slots=True)
class Read:
    """What a parser finds in a page."""

    elements: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)

    @property
    def words(self) -> str:
        return "".join(self.text)

    @property
    def ids(self) -> list[str]:
        return [str(attributes["id"]) for _, attributes in self.elements if "id" in attributes]

    def attributes(self, name: str) -> list[str]:
        return [str(attributes[name]) for _, attributes in self.elements if name in attributes]


def read(text: str) -> Read:
    """The page as Python's parser has it; every element must be closed where it belongs."""
    found, stack = Read(), []

    class Parser(HTMLParser):
        def handle_starttag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
            found.elements.append((name, dict(attributes)))
            assert len(dict(attributes)) == len(attributes), "an attribute is there twice"
            stack.append(name)

        def handle_startendtag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
            found.elements.append((name, dict(attributes)))

        def handle_endtag(self, name: str) -> None:
            assert stack.pop() == name

        def handle_data(self, words: str) -> None:
            if stack[-1:] != ["style"]:
                found.text.append(words)

        def handle_comment(self, words: str) -> None:
            found.other.append(words)

        unknown_decl = handle_pi = handle_comment

    parser = Parser(convert_charrefs=True)
    parser.feed(text)
    parser.close()
    assert stack == []
    return found


def inert(text: str) -> Read:
    """The page, after looking for anything in it that is not ours."""
    found = read(text)
    assert found.other == []
    assert {name for name, _ in found.elements} <= ELEMENTS
    assert {name for _, attributes in found.elements for name in attributes} <= ATTRIBUTES
    for address in found.attributes("href"):
        assert address.startswith(("#", "https://", "http://")), address
    assert [name for name, _ in found.elements].count("style") == 1
    assert text.isascii()
    assert text.replace("\n", "").isprintable()
    return found
