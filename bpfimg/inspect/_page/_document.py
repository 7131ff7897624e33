"""A page as a whole: what browsers are told of it, its landmarks, its parts. No script, and nothing from elsewhere."""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.inspect._page._html import Html, markup, tag
from bpfimg.inspect._page._parts import facts
from bpfimg.inspect._page._style import digest, sheet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bpfimg.inspect._page._html import Content


_NEW_LINE = Html("\n")


@value(frozen=True, slots=True)
class About:
    """When and where a page was made: `host` and `kernel` as uname(2) has them, `time` RFC 3339, `version` bpfimg's."""

    host: str
    kernel: str
    time: str
    version: str


@value(frozen=True, slots=True)
class Part:
    """A section of a page: `name` is its anchor, `title` what the list of contents calls it."""

    name: str
    title: str
    content: Html


def document(title: str, pairs: Iterable[tuple[str, Content]], lead: Content, parts: Sequence[Part], made: str) -> str:
    """The text of the file: heading and facts, contents, the parts, and how it was `made`."""
    style = sheet()
    policy = f"default-src 'none'; style-src '{digest(style)}'; base-uri 'none'; form-action 'none'"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="referrer", content="no-referrer"),
        tag("meta", name="viewport", content="width=device-width,initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="robots", content="noindex"),
        tag("title", title),
        tag("style", Html(style)),
    )
    contents = (tag("li", tag("a", part.title, href=f"#{part.name}")) for part in parts)
    body = tag(
        "body",
        tag("a", "Skip to the content", href="#main", class_="skip"),
        _NEW_LINE,
        tag("header", tag("h1", title), facts(pairs), lead),
        _NEW_LINE,
        tag("nav", tag("ul", contents), aria_label="Contents"),
        _NEW_LINE,
        tag("main", _sections(parts), id="main", tabindex="-1"),
        _NEW_LINE,
        tag("footer", tag("p", made)),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def _sections(parts: Sequence[Part]) -> Html:
    return markup([markup(_NEW_LINE, _section(part)) for part in parts])


def _section(part: Part) -> Html:
    return tag("section", tag("h2", part.title, id=part.name), part.content, aria_labelledby=part.name)
