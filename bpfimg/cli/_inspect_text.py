"""What a person reads of an object or image in ten seconds, in 80 columns where names allow it."""

from __future__ import annotations

from bpfimg.cli._render import block, clean, table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

    Document = Mapping[str, Any]

_WIDTH = 80
_ROWS = 40
_VALUE = 40
_OCI = "org.opencontainers.image."
_STATED = ("source", "revision", "version")  # which commit it is made of, by what the image itself says
_BOTH = ("BI-26", "BI-36")  # rules whose findings are no disagreement
_KINDS = {
    "program_type": "program types",
    "attach_type": "attach types",
    "map_type": "map types",
    "map_flag": "map flags",
    "helper": "helpers",
    "kfunc": "kfuncs",
    "ksym": "kernel symbols",
    "kconfig": "kernel config",
    "btf": "kernel BTF",
    "isa": "instructions",
    "feature": "features",
}


def digest_of(data: bytes) -> str:
    """`sha256:` and 64 digits."""
    from hashlib import sha256

    return f"sha256:{sha256(data).hexdigest()}"


def overview(document: Document, *, whole: bool) -> str:
    """The text; long tables are cut unless it is to be `whole`."""
    title = "Image" if "digest" in document else f"Object {clean(document['id'])}"
    parts = [block(title, list(_head(document)))]
    parts += _findings(document.get("findings", []))
    parts += [part for part in (_programs(document, whole), _maps(document, whole), _globals(document, whole)) if part]
    if document["requirements"]:
        parts.append(_needs(document["requirements"]))
    return "\n\n".join(parts) + "\n"


def _findings(found: list[Document]) -> Iterator[str]:
    """What the image says against its object, and what holds of both."""
    for title, about_both in (("Not as the object says", False), ("Worth knowing", True)):
        lines = [f"  ! {each['message']} ({each['rule']})" for each in found if (each["rule"] in _BOTH) == about_both]
        if lines:
            yield "\n".join([title, *(clean(line) for line in lines)])


def _head(document: Document) -> Iterator[tuple[str, str]]:
    if "digest" in document:
        yield "reference", document["reference"]
        yield "digest", document["digest"]
        others = [platform for platform in document["platforms"] if platform != document["platform"]]
        yield "platform", document["platform"] + (f" (also there: {', '.join(others)})" if others else "")
        if document["variant"] != "image":
            yield "variant", document["variant"]
        yield "file", document["file"]
        for word in _STATED:
            text = document["annotations"].get(f"{_OCI}{word}") or document["labels"].get(f"{_OCI}{word}")
            if text:
                yield f"its {word}", text
    yield "size", f"{document['size']} bytes"
    yield "licence", document["license"]
    yield "byte order", document["byte_order"]
    yield "BTF", _btf(document)
    yield "CO-RE", _core(document)
    if document["compiler"]:
        yield "compiler", document["compiler"]
    if document["dwarf_size"]:
        yield "DWARF", f"{document['dwarf_size']} bytes that no kernel needs"
    if document["functions"]:
        number = sum(each["instructions"] for each in document["functions"])
        yield "sub-programs", f"{len(document['functions'])} with {number} instructions"


def _btf(document: Document) -> str:
    if not document["btf"]:
        return "no"
    return f"{document['btf_size']} bytes, {'with' if document['line_info'] else 'without'} source lines"


def _core(document: Document) -> str:
    if not document["core"]:
        return "no"
    programs = [each["name"] for each in document["programs"] if each["uses"]["core"]]
    return f"yes, in {len(programs)} of {len(document['programs'])} programs"


def _programs(document: Document, whole: bool) -> str:
    rows = [
        (each["name"], each["type"], each["section"], str(each["instructions"]), ", ".join(_features(each)))
        for each in document["programs"]
    ]
    return _table(("PROGRAM", "TYPE", "SECTION", "INSNS", "FEATURES"), rows, whole)


def _features(program: Document) -> Iterator[str]:
    for word in ("sleepable", "frags", "multi"):
        if program[word]:
            yield word
    if not program["autoload"]:
        yield "loaded on request"
    if program["uses"]["core"]:
        yield "CO-RE"


def _maps(document: Document, whole: bool) -> str:
    rows = [
        (
            each["name"],
            each["type"],
            sized(each, "key"),
            sized(each, "value"),
            entries(each),
            ", ".join(_notes(each)),
        )
        for each in document["maps"]
        if not each["internal"]
    ]
    return _table(("MAP", "TYPE", "KEY", "VALUE", "ENTRIES", "NOTES"), rows, whole)


def sized(found: Document, part: str) -> str:
    """The type of a map's keys or values with its size; the size alone where no BTF tells the type."""
    kind, size = found[f"{part}_type"], found[f"{part}_size"]
    return f"{kind} ({size})" if kind else str(size or "-")


def entries(found: Document) -> str:
    """How many there are room for; of a ring buffer, how many bytes."""
    return f"{found['max_entries']} bytes" if "ringbuf" in found["type"] else str(found["max_entries"])


def _notes(found: Document) -> Iterator[str]:
    if found["pinning"] == "by-name":
        yield "pinned by name"
    if found["flags"]:
        yield f"flags {found['flags']:#x}"
    if found["legacy"]:
        yield "of the old kind"
    if found["inner"]:
        inner = found["inner"]
        yield f"of {inner['type']} {inner['key_size']} → {inner['value_size']}"


def _globals(document: Document, whole: bool) -> str:
    # a dot is what compilers put into the names of statics: format strings, not something to set
    rows = [
        (each["name"], each["type"], _value(each["value"]), "yes" if each["read_only"] else "no")
        for each in document["globals"]
        if "." not in each["name"]
    ]
    return _table(("GLOBAL", "TYPE", "VALUE", "READ-ONLY"), rows, whole)


def _value(value: object) -> str:
    text = "-" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    if text.startswith("hex:") and not text[4:].strip("0"):
        return "zeros"
    return text if len(text) <= _VALUE else f"{text[: _VALUE - 3]}..."


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], whole: bool) -> str:
    """The rows without columns that nothing stands in; "" without rows."""
    if not rows:
        return ""
    kept = [at for at in range(len(head)) if any(row[at] for row in rows)]
    shown = rows if whole else rows[:_ROWS]
    free = () if whole else ("TYPE", "SECTION", "FEATURES", "KEY", "VALUE", "NOTES")
    text = table([head[at] for at in kept], [[row[at] for at in kept] for row in shown], free=free)
    return text if len(shown) == len(rows) else f"{text}\n... and {len(rows) - len(shown)} more (-v shows them)"


def _needs(requirements: Iterable[Document]) -> str:
    grouped: dict[str, list[str]] = {}
    for each in requirements:
        words = [each["since"] or "", "optional" if each["optional"] else ""]
        aside = ", ".join(filter(None, words))
        grouped.setdefault(each["kind"], []).append(clean(each["name"]) + (f" ({aside})" if aside else ""))
    lines = ["Needs (with the first mainline kernel that has it)"]
    width = max(len(_KINDS.get(kind, kind)) for kind in grouped) + 1
    for kind, names in grouped.items():
        lines += _wrapped(f"  {_KINDS.get(kind, kind) + ':':{width}}  ", names)
    return "\n".join(lines)


def _wrapped(lead: str, words: Sequence[str]) -> Iterator[str]:
    """Words with commas between them, in lines that begin below each other."""
    line, indent = lead + words[0], " " * len(lead)
    for word in words[1:]:
        if len(line) + len(word) + 3 > _WIDTH:
            yield f"{line},"
            line = indent + word
        else:
            line += f", {word}"
    yield line
