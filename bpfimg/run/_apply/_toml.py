"""A declaration as TOML, for people to edit: only the shapes that it has."""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

_BARE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


def toml(document: Mapping[str, Any]) -> str:
    """Returns the document as TOML 1.0: texts, whole numbers, truths, arrays of those, tables, arrays of tables."""
    return "\n".join(_table(document, "")) + "\n"


def _table(table: Mapping[str, Any], path: str) -> Iterator[str]:
    deeper = {key: found for key, found in table.items() if isinstance(found, dict) or _is_tables(found)}
    for key, found in table.items():
        if key not in deeper:
            yield f"{_key(key)} = {_plain(found)}"
    for key, found in deeper.items():
        name = f"{path}{_key(key)}"
        for each in found if isinstance(found, list) else [found]:
            yield ""
            yield f"[[{name}]]" if isinstance(found, list) else f"[{name}]"
            yield from _table(each, f"{name}.")


def _is_tables(found: object) -> bool:
    return isinstance(found, list) and bool(found) and all(isinstance(each, dict) for each in found)


def _key(key: str) -> str:
    return key if key and _BARE.issuperset(key) else _text(key)


def _plain(found: Any) -> str:
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, int):
        return str(found)
    if isinstance(found, list | tuple):
        return f"[{', '.join(map(_plain, found))}]"
    return _text(str(found))


def _text(text: str) -> str:
    """A basic string. JSON escapes the same way, but for DEL, and not with surrogate pairs."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")
