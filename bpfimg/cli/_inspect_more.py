"""What is shown on request: instructions, types, CO-RE relocations."""

from __future__ import annotations

from bpfimg.cli._render import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    Document = Mapping[str, Any]

_COMMENT = 44


def text(document: Document, *, source: bool, raw: bool) -> str:
    """The parts that are there, one after another."""
    parts = []
    if "types" in document:
        parts.append(_types(document["types"]))
    if "core_relocations" in document:
        parts.append(_core(document["core_relocations"]))
    parts += [
        listing(each, _about(document, each["name"]), source=source, raw=raw) for each in document.get("code", ())
    ]
    return "\n\n".join(parts) + "\n"


def listing(code: Document, about: str, *, source: bool, raw: bool) -> str:
    """The instructions of one function; `raw` also shows their bytes."""
    lines, said = [f"{clean(code['name'])}{about}:"], ""
    for row in code["instructions"]:
        line = _source(row["source"]) if source and row["source"] else ""
        if line and line != said:  # another column of the same line is nothing new
            lines.append(line)
            said = line
        if row["label"]:
            lines.append(f"{row['label']}:")
        lines.append(_instruction(row, raw))
    return "\n".join(lines)


def _about(document: Document, name: str) -> str:
    for each in document.get("programs", ()):
        if each["name"] == name:
            return f" ({clean(each['type'])}, section {clean(each['section'])}, {each['instructions']} instructions)"
    for each in document["functions"]:
        if each["name"] == name:
            word = "sub-program, " if "programs" in document else ""
            return f" ({word}{each['instructions']} instructions)"
    return ""


def _source(line: Document) -> str:
    place = f"{line['file']}:{line['line']}" if line["file"] else f"line {line['line']}"
    return clean(f"; {line['text'].strip()}  @ {place}" if line["text"].strip() else f"; {place}")


def _instruction(row: Document, raw: bool) -> str:
    target = f" <{row['target']}>" if row["target"] else ""
    octets = f"{row['bytes'][:16]:16}  " if raw else ""
    line = f"{row['offset'] // 8:7}:  {octets}{row['text']}{target}"
    comment = "; ".join(_comments(row))
    if comment:
        width = _COMMENT + (18 if raw else 0)
        line = f"{line:{width}}  ; {clean(comment)}"
    if raw and len(row["bytes"]) > 16:
        line += f"\n{' ' * 10}{row['bytes'][16:]}"
    return line


def _comments(row: Document) -> Iterator[str]:
    if row["refers"]:
        kind, name = row["refers"]["kind"], row["refers"]["name"]
        word = "" if kind in ("helper", "section") else f"{kind} "
        note = row["note"] or ""
        yield f"{word}{name}{note if note.startswith('+') else f' {note}' if note else ''}"
    elif row["note"]:
        yield row["note"]
    if row["core"]:
        yield f"CO-RE: {row['core']}"


def _types(types: Iterable[Document]) -> str:
    """Each definition once, below the first that needs it."""
    parts = []
    known: set[str] = set()
    for each in types:
        lines = [f"/* {_comment(each['kind'])} {_comment(each['name'])}, {each['part']}: {_comment(each['type'])} */"]
        if each["definition"] is None:
            lines.append("/* BTF that is not sound */")
        for definition in _definitions(each["definition"] or ""):
            if definition not in known:
                known.add(definition)
                lines.append(clean(definition, keep_lines=True))
        parts.append("\n".join(lines))
    return "\n\n".join(parts) or "/* no BTF, so no types */"


def _definitions(text: str) -> Iterator[str]:
    """One definition after another: each ends with a line that ends it and is not indented."""
    lines: list[str] = []
    for line in text.splitlines():
        lines.append(line)
        if line.endswith(";") and not line[:1].isspace():
            yield "\n".join(lines)
            lines = []
    if lines:
        yield "\n".join(lines)


def _comment(text: str) -> str:
    return clean(text).replace("*/", "*\\/")


def _core(relocations: Iterable[Document]) -> str:
    lines = []
    for each in relocations:
        functions = [clean(name) for name in each["functions"]]
        more = f" and {len(functions) - 3} more" if len(functions) > 3 else ""
        often = f" {each['count']} times," if each["count"] > 1 else ""
        flavour = f" (declared here as {each['flavour']})" if each["flavour"] else ""
        lines.append(f"{clean(each['words'] + flavour)}\n   {often} in {', '.join(functions[:3])}{more}")
    return "\n".join(lines) or "no CO-RE relocations: the object does not adapt itself to the kernel's types"
