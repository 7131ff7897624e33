"""What pages are made of: tables that scroll by themselves, facts, lists that open, ids that lead to their rows."""

from __future__ import annotations

from itertools import islice

from bpfimg.inspect._page._html import Html, markup, tag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from bpfimg.inspect._page._html import Content

SHOWN = 4  # of a list in a cell; what follows is opened by hand
MOST = 500  # of a list in a cell at all
STRANGERS = 2000  # rows of a table that an image fills
PIECE = 500  # rows
CUT = 200  # letters of one name or value


def table(name: str, caption: str, head: Sequence[str], rows: Sequence[Html], *, body: bool = True) -> Html:
    """A table in a box that scrolls, and that a keyboard reaches; `name` is for its id. Columns that begin with `#` are
    of numbers. `body` is false where the rows are bodies of their own.

    A long one is in pieces, all but the first behind a click: what is not seen costs a browser little.
    """
    if len(rows) <= PIECE * 3 // 2:
        return _table(name, caption, head, rows, body=body)
    pieces = []
    for first in range(0, len(rows), PIECE):
        words = f"{caption}, {first + 1} to {min(first + PIECE, len(rows))} of {len(rows)}"
        piece = _table(f"{name}-{first}", words, head, rows[first : first + PIECE], body=body)
        pieces.append(opens(words, piece, open=not first))
    return markup(pieces)


def bounded(name: str, caption: str, head: Sequence[str], rows: Iterable[Html]) -> Html:
    """The same of what an image says: no more rows than somebody reads, and the words that there are more."""
    kept = list(islice(rows, STRANGERS + 1))
    shown = table(name, caption, head, kept[:STRANGERS])
    more = f"There are more than {STRANGERS}; the rest is not shown. bpfimg inspect shows all."
    return markup(shown, tag("p", more)) if len(kept) > STRANGERS else shown


def _table(name: str, caption: str, head: Sequence[str], rows: Sequence[Html], *, body: bool) -> Html:
    heads = (tag("th", each.removeprefix("#"), scope="col", class_="n" if each[:1] == "#" else None) for each in head)
    inside = [
        tag("caption", tag("span", caption), id=f"{name}-c"),
        tag("thead", tag("tr", *heads)),
        tag("tbody", rows) if body else markup(rows),
    ]
    return tag("div", tag("table", inside), class_="scroll", role="group", tabindex="0", aria_labelledby=f"{name}-c")


def row(first: Content, *cells: Content, id: str | None = None, class_: str | None = None) -> Html:
    """A row; its first cell is what it is about."""
    return tag("tr", tag("th", first, scope="row"), *map(_cell, cells), id=id, class_=class_)


def _cell(content: Content) -> Html:
    if isinstance(content, Number):
        return Html(f'<td class="n">{content}</td>')
    return Html(f"<td>{markup(content)}</td>")


class Number(Html):
    """A number in a cell, on the right side of it."""

    __slots__ = ()


def number(value: int | None) -> Number:
    """A dash where it is not known."""
    return Number("-" if value is None else str(value))


def facts(pairs: Iterable[tuple[str, Content]]) -> Html:
    """Names and what they are; those that are nothing are left out."""
    rows = (tag("div", tag("dt", name), tag("dd", content)) for name, content in pairs if content)
    return tag("dl", rows)


def opens(summary: Content, *content: Content, open: bool = False) -> Html:
    """What is seen after a click; the browser does that, not a script."""
    return tag("details", tag("summary", summary), content, open=open)


def several(items: Iterable[Content], *, what: str, shown: int = SHOWN) -> Html:
    """Items with commas between them, the first ones at once; a dash for none."""
    kept = list(items)
    if not kept:
        return Html("-")
    if len(kept) <= shown + 1:
        return _joined(kept)
    first, rest = kept[:shown], kept[shown:]
    left = f", and {len(rest) - MOST} that are not shown" if len(rest) > MOST else ""
    return markup(_joined(first), opens(f"and {len(rest)} more {what}", _joined(rest[:MOST]), left))


def _joined(items: Sequence[Content]) -> Html:
    return Html(", ".join(str(markup(item)) for item in items))


def ref(kind: str, id: int, known: Collection[int], words: str = "") -> Html:
    """The number of a program, map or BTF object, as a link to its row where the page has one."""
    text = markup(str(id), Html("&#160;"), cut(words)) if words else str(id)
    return tag("a", text, href=f"#{kind}{id}") if id in known else markup(text)


def cut(text: str, most: int = CUT) -> str:
    """A name at a length that people read."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text)} letters)"


def code(text: str) -> Html:
    """Words to type, or of a program."""
    return tag("code", text)


def moment(text: str) -> Html:
    """A time, in one line."""
    return tag("span", text, class_="w") if text else Html("-")


def digest(text: str) -> Html:
    """A digest, which goes over several lines where there is no room."""
    return tag("code", text, class_="d")
