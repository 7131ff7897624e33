"""Strict, bounded JSON: what two readers could understand differently is refused."""

from __future__ import annotations

import json

from bpfimg.errors import ImageError
from bpfimg.oci._media import DOCUMENT_LIMIT
from bpfimg.oci._text import shown

MAX_DEPTH = 64


def parse_object(raw: bytes, what: str, *, limit: int = DOCUMENT_LIMIT) -> dict[str, object]:
    """Returns the JSON object in `raw`.

    Refused with an ImageError that starts with `what`: more than `limit` bytes, invalid UTF-8 or JSON, anything but
    an object at the top, a key that stands twice in one object, NaN and Infinity, lone surrogates, more than 64 levels.
    """
    if len(raw) > limit:
        raise ImageError(f"{what} has {len(raw)} bytes, expected at most {limit}")
    try:
        text = raw.decode()
        value: object = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
        if "\\u" in text:  # only an escape can bring in a lone surrogate, which no later encoding survives
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise ImageError(f"{what} is not valid JSON: {shown(error)}") from error
    if not isinstance(value, dict):
        raise ImageError(f"{what} is JSON of type {type(value).__name__}, expected an object")
    if _deeper(value, MAX_DEPTH):
        raise ImageError(f"{what} nests its JSON deeper than {MAX_DEPTH} levels")
    return value


def canonical(document: dict[str, object]) -> bytes:
    """Returns `document` as JSON in the key order given, without white space: equal values give equal bytes."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice} stands twice in one object")
    return found


def _no_constant(word: str) -> object:
    raise ValueError(f"{word} is not a JSON number")


def _deeper(value: object, levels: int) -> bool:
    layer = [value]
    for _ in range(levels):
        layer = [inner for outer in layer for inner in _children(outer)]
        if not layer:
            return False
    return any(isinstance(value, dict | list) for value in layer)


def _children(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
