"""JSON out of a stranger's image config, in the one way in which every reader understands it."""

from __future__ import annotations

import json

from bpfimg.image._limits import broken, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.image._limits import Limits

__all__ = ["canonical", "read_object"]


def read_object(text: str | bytes, what: str, rule: str, limits: Limits) -> dict[str, object]:
    """The JSON object that `text` spells.

    Raises ImageError with `rule`, its sentence starting with `what`, for text that is not UTF-8, not JSON or not an
    object, for a key that stands twice in one object, and for more levels than `limits.json_depth`.
    """
    try:
        words = text.decode("utf-8") if isinstance(text, bytes) else text
        value: object = json.loads(words, object_pairs_hook=_unique, parse_constant=_refuse)
    except RecursionError as error:
        raise broken(rule, f"{what} nests deeper than {limits.json_depth} levels") from error
    except ValueError as error:  # bad UTF-8, bad JSON, a number of thousands of digits, and the two below
        raise broken(rule, f"{what} is not JSON that all readers take: {quoted(error)}") from error
    if not isinstance(value, dict):
        raise broken(rule, f"{what} holds a JSON {_kind(value)}, expected an object")
    _bound_depth(value, what, rule, limits.json_depth)
    return value


def canonical(value: object) -> bytes:
    """The bytes of `value`: keys in the order they have, no white space, non-ASCII escaped (BI-32)."""
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _refuse(word: str) -> object:
    raise ValueError(f"{word} is not a JSON value")


def _bound_depth(value: object, what: str, rule: str, limit: int) -> None:
    level = [value]
    for _ in range(limit):
        level = [inner for outer in level for inner in _inner(outer)]
        if not level:
            return
    raise broken(rule, f"{what} nests deeper than {limit} levels")


def _inner(value: object) -> list[object]:
    if isinstance(value, dict):
        return [inner for inner in value.values() if isinstance(inner, dict | list)]
    return [inner for inner in value if isinstance(inner, dict | list)] if isinstance(value, list) else []


def _kind(value: object) -> str:
    return {"list": "array", "str": "string", "NoneType": "null", "bool": "boolean"}.get(type(value).__name__, "number")
