"""One page that says what each JSON schema is for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from scripts.book._verbs import prose

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def schema_pages(root: Path) -> dict[str, str]:
    """Markdown by path in the book."""
    found = sorted((root / "schemas").glob("*.schema.json"))
    head = (
        "# JSON schemas\n\nWhat `-o json` prints, and the files that bpfimg reads and writes, "
        "as JSON Schema (2020-12). The files are part of the source.\n\n"
    )
    pieces = [head]
    for path in found:
        pieces += _schema(path.name, json.loads(path.read_text()))
    return {"docs/schemas/index.md": "".join(pieces)}


def _schema(name: str, schema: dict[str, Any]) -> Iterator[str]:
    yield f"## {name.removesuffix('.schema.json')}\n\n[{name}](../../schemas/{name})"
    said = schema.get("description") or schema.get("title") or ""
    yield f": {prose(said)}\n\n" if said else "\n\n"
    properties = schema.get("properties", {})
    if not properties:
        return
    yield "| member | type | |\n|---|---|---|\n"
    required = schema.get("required", [])
    for member, its in properties.items():
        told = prose(its.get("description", "")) if isinstance(its, dict) else ""
        said = f"{told}{'' if member in required else ' (optional)'}".strip()
        yield f"| `{member}` | {_kind(its)} | {said} |\n"
    yield "\n"


def _kind(schema: Any) -> str:
    if not isinstance(schema, dict):
        return ""
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(each)}`" for each in schema["enum"])
    if "$ref" in schema:
        return f"`{schema['$ref'].rpartition('/')[2].removesuffix('.schema.json')}`"
    kind = schema.get("type", "")
    if kind == "array":
        return f"list of {_kind(schema.get('items', {})) or 'values'}"
    return ", ".join(kind) if isinstance(kind, list) else str(kind)
