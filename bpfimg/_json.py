"""JSON that strangers wrote, read in the one way in which every reader understands it.

Manifests, policies and signatures decide what reaches the kernel, so two readers must never see two documents in the
same bytes: keys that stand twice, NaN, numbers beyond a double, lone surrogates and bytes that are not UTF-8 are
refused, and everything is bounded. Each room adds its own words and its own error class.
"""

from __future__ import annotations

import json
from itertools import accumulate

from bpfimg.errors import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["NotStrict", "compact", "json_kind", "loose_value", "strict_object", "strict_value", "unreadable"]

DEPTH = 64
"""Levels of nesting; the documents of OCI, Sigstore and bpfimg need a dozen."""
VALUES = 1_000_000
"""Values in one document, as far as commas and brackets tell: `{},` is three bytes, and eighty once it is read."""
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_OTHERS = bytes(sorted(set(range(256)) - _STEPS.keys()))


class NotStrict(ValueError):  # noqa: N818  # it never leaves a room: there it is news, not an error
    """The text is no such JSON object; `str()` goes on after a subject: "is not JSON: ..."."""


def strict_object(data: bytes | str, *, limit: int, depth: int = DEPTH) -> dict[str, object]:
    """Returns the JSON object in `data` (UTF-8, at most `limit` bytes and `depth` levels), or raises `NotStrict`."""
    value = strict_value(data, limit=limit, depth=depth)
    if not isinstance(value, dict):
        raise NotStrict(f"is {json_kind(value)}, expected a JSON object")
    return value


def strict_value(data: bytes | str, *, limit: int, depth: int = DEPTH) -> object:
    """The same for a document that may be a list, a text or a number."""
    if len(data) > limit:
        raise NotStrict(f"has {len(data)} bytes, expected at most {limit}")
    try:
        text = _shallow(data, depth)
        value: object = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite)
        if "\\u" in text:  # only an escape can bring in a lone surrogate, which no later encoding survives
            json.dumps(value, ensure_ascii=False).encode()
    except NotStrict:
        raise
    except ValueError as error:  # UnicodeDecodeError, JSONDecodeError, a number of thousands of digits
        raise NotStrict(f"is not JSON: {unreadable(error)}") from None
    return value


def loose_value(data: bytes | str) -> Any:
    """Returns what the first reader at hand would see in `data` (UTF-8, at most 64 levels), or raises `ValueError`.

    For what decides nothing, and may be kept although it is not understood: keys may stand twice.
    """
    return json.loads(_shallow(data, DEPTH))


def compact(value: object, *, ascii_only: bool = False) -> bytes:
    """Returns `value` as JSON in the key order given, without white space: equal values give equal bytes."""
    return json.dumps(value, ensure_ascii=ascii_only, separators=(",", ":")).encode()


def unreadable(error: ValueError) -> str:
    """Why Python reads no JSON or TOML in a text, in words that need no Python."""
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not UTF-8"
    if isinstance(error, json.JSONDecodeError):
        what = quoted(error.msg)[1:-1].removesuffix(" at").replace("Expecting", "expected")
        return f"line {error.lineno}, column {error.colno}: {what[:1].lower()}{what[1:]}"
    what, found, place = quoted(error)[1:-1].rpartition(" (at ")
    return f"{place.removesuffix(')')}: {what[:1].lower()}{what[1:]}" if found else place


def json_kind(value: object) -> str:
    """JSON's word for a parsed value, for messages: "a string", "a number", ..."""
    words = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return words.get(type(value), "a number")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise NotStrict(f"has the key {quoted(name)} twice in one object")
            seen.add(name)
    return found


def _no_constant(word: str) -> object:
    raise NotStrict(f"holds {word}, which is not JSON")


def _finite(word: str) -> float:
    number = float(word)
    if number in (float("inf"), float("-inf")):
        raise NotStrict(f"holds the number {quoted(word)}, which is too large for JSON's readers")
    return number


def _shallow(data: bytes | str, depth: int) -> str:
    """Returns the text in `data`, or raises `NotStrict` when it nests deeper than that, or holds too many values.

    This is found before it is parsed: Python 3.12 and 3.13 stop at 10,000 levels whatever the stack, and one of 1 MiB
    (`ulimit -s 1024`, a thread of musl's Python) ends before that.
    """
    text = data.decode() if isinstance(data, bytes) else data
    opened = text.count("[") + text.count("{")
    if len(text) > VALUES and opened + text.count(",") > VALUES:
        raise NotStrict(f"holds over {VALUES} values")
    if opened > depth:
        # without \\ and \", each quote begins or ends a string, and every second piece lies outside of them
        outside = "".join(text.replace("\\\\", "").replace('\\"', "").split('"')[::2])
        brackets = outside.encode(errors="replace").translate(None, _OTHERS)
        if any(map(depth.__lt__, accumulate(map(_STEPS.__getitem__, brackets)))):
            raise NotStrict(f"nests deeper than {depth} levels")
    return text
