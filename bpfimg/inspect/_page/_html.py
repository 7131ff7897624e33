"""Markup that no text can leave: `tag` escapes what it is given unless it is markup already.

The result is ASCII, well-formed as XML is, and the same for the same values. What is no letter to be seen (control
characters, what turns the direction of writing) is a code point in brackets, as in drawings.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    Content = str | Iterable["Content"]

_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;"})
_VOID = ("br", "col", "meta")
#: what may be a link to elsewhere: plain letters, no name or password of a user
_URL = re.compile(r"https?://[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?(?::[0-9]{1,5})?(?:[/?#][!-~]*)?")
_URL_MAX = 2000


class Html(str):
    """Text that is markup. Made by this module alone, and of what has been escaped."""

    __slots__ = ()


def escaped(text: str) -> str:
    """Text as it may stand between tags and in quoted attributes."""
    if text.isascii() and text.isprintable():
        return text.translate(_TEXT)
    return "".join(map(_letter, text))


def _letter(letter: str) -> str:
    if not letter.isprintable():
        return f"[{ord(letter):x}]"
    return letter.translate(_TEXT) if letter.isascii() else f"&#{ord(letter)};"


def markup(*content: Content) -> Html:
    """One after another; what is no markup is escaped."""
    return Html("".join(map(_written, content)))


def _written(content: Content) -> str:
    if isinstance(content, Html):
        return content
    if isinstance(content, str):
        return escaped(content)
    return "".join(map(_written, content))


def tag(name: str, /, *content: Content, **attributes: str | bool | None) -> Html:
    """An element; in names of attributes `_` stands for `-`, one at the end for nothing. None and False leave one out.

    The names are those of our own code, never of what is shown.
    """
    found = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escaped(value)}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in _VOID:
        return Html(f"<{name}{found}/>")
    return Html(f"<{name}{found}>{''.join(map(_written, content))}</{name}>")


def elsewhere(text: str) -> Html:
    """A link where the text is an address of the web as a whole, the text alone where it is anything else."""
    if len(text) <= _URL_MAX and _URL.fullmatch(text):
        return tag("a", text, href=text, rel="noreferrer noopener nofollow")
    return Html(escaped(text))


def drawn(svg: str) -> Html:
    """A drawing of `inspect._svg`, whose text is escaped there."""
    return Html(svg)
