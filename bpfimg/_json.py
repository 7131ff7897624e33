"""JSON that strangers wrote, read in the one way in which every reader understands it.

Manifests, policies and signatures decide what reaches the kernel, so two readers must never see two documents in the
same bytes: keys that stand twice, NaN, numbers beyond a double, lone surrogates and bytes that are not UTF-8 are
refused, and everything is bounded. Each room adds its own words and its own error class.
"""

from __future__ import annotations

import json

from bpfimg.errors import quoted

__all__ = ["NotStrict", "compact", "json_kind", "strict_object", "strict_value"]

DEPTH = 64
"""Levels of nesting; the documents of OCI, Sigstore and bpfimg need a dozen."""


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
        text = data.decode("utf-8") if isinstance(data, bytes) else data
        value: object = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite)
        if "\\u" in text:  # only an escape can bring in a lone surrogate, which no later encoding survives
            json.dumps(value, ensure_ascii=False).encode()
    except NotStrict:
        raise
    except RecursionError:
        raise NotStrict(f"nests deeper than {depth} levels") from None
    except ValueError as error:  # UnicodeDecodeError, JSONDecodeError, a number of thousands of digits
        raise NotStrict(f"is not JSON: {quoted(error)[1:-1]}") from None
    if _deeper(value, depth):
        raise NotStrict(f"nests deeper than {depth} levels")
    return value


def compact(value: object, *, ascii_only: bool = False) -> bytes:
    """Returns `value` as JSON in the key order given, without white space: equal values give equal bytes."""
    return json.dumps(value, ensure_ascii=ascii_only, separators=(",", ":")).encode()


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


def _deeper(value: object, levels: int) -> bool:
    level = [value]
    for _ in range(levels):
        level = [inner for outer in level for inner in _containers(outer)]
        if not level:
            return False
    return True


def _containers(value: object) -> list[object]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [each for each in inner if isinstance(each, dict | list)]
