"""Words out: tables, blocks and JSON. Everything printed has its control characters made visible."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from bpfimg.cli._options import Options
    from bpfimg.oci import Descriptor, Reference

__all__ = ["block", "clean", "columns", "image_entry", "json_text", "print_image", "spelt", "table"]


LONG = 100  # entries; a longer list is for machines


def clean(text: str, *, keep_lines: bool = False) -> str:
    """`text` with control characters escaped: names in images and kernels are not allowed to drive a terminal."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or (keep_lines and c in "\n\t") else c.encode("unicode_escape").decode("ascii")
        for c in text
    )


def table(
    head: Sequence[str], rows: Iterable[Sequence[str]], *, free: Collection[str] = (), spare: Sequence[str] = ()
) -> str:
    """Left-aligned columns, two blanks apart, without trailing blanks; the head alone when there are no rows.

    On a terminal the columns that are called as `free` says are cut until a line fits: texts, never ids or names. Where
    that is not enough those in `spare` are left out, the first first. A pipe gets everything.
    """
    lines = [list(head), *([spelt(clean(cell)) for cell in row] for row in rows)]
    widths = [max(columns(line[i]) for line in lines) for i in range(len(head))]
    if not sys.stdout.isatty():
        return _aligned(lines, widths)
    from bpfimg.cli import _fit
    from bpfimg.cli._colour import paint

    room = _fit.terminal_width()
    if room is not None:
        places = [at for at, name in enumerate(head) if name in free]
        gone = _fit.dropped(widths, places, [list(head).index(name) for name in spare if name in head], room)
        kept = [at for at in range(len(head)) if at not in gone]
        widths = _fit.fitted([widths[at] for at in kept], [i for i, at in enumerate(kept) if at in places], room)
        lines = [[_fit.cut(line[at], width) for at, width in zip(kept, widths, strict=True)] for line in lines]
    first, newline, rest = _aligned(lines, widths).partition("\n")
    return f"{paint(first, 'head')}{newline}{rest}"


def _aligned(lines: Sequence[Sequence[str]], widths: Sequence[int]) -> str:
    return "\n".join(
        "  ".join(cell + " " * (w - columns(cell)) for cell, w in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def spelt(text: str) -> str:
    """`text` as stdout will show it, for what has to be aligned: letters that its encoding lacks are escapes there."""
    if text.isascii():
        return text
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def columns(text: str) -> int:
    """How many columns a terminal gives it: two for each wide character, none for an accent on the one before."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def block(title: str, pairs: Iterable[tuple[str, str]]) -> str:
    """A titled block of `key: value` lines, values aligned; empty values are shown as `-`."""
    shown = [(key, clean(value) if value else "-") for key, value in pairs]
    width = max((len(key) for key, _ in shown), default=0)
    return "\n".join([title, *(f"  {key + ':' if key else '':{width + 1}}  {value}" for key, value in shown)])


def json_text(document: object) -> str:
    """One JSON document as people like to read it; non-ASCII escaped, so that any terminal and locale can take it.

    A long list is for machines: on one line it is written in a fifth of the time.
    """
    import json

    lists = document.values() if isinstance(document, dict) else ()
    if any(isinstance(each, list) and len(each) > LONG for each in lists):
        return json.JSONEncoder(check_circular=False).encode(document)
    return json.dumps(document, indent=2)


def image_entry(name: str, descriptor: Descriptor) -> dict[str, object]:
    """One image as JSON: `id` is its digest."""
    digest = str(descriptor.digest)
    return {
        "id": digest,
        "reference": name,
        "digest": digest,
        "media_type": descriptor.media_type,
        "size": descriptor.size,
    }


def print_image(options: Options, reference: Reference, descriptor: Descriptor) -> None:
    """`REF@sha256:...`, the digest alone with `-q`, or the image as JSON."""
    if options.json:
        print(json_text({"images": [image_entry(str(reference), descriptor)]}))
    elif options.quiet:
        print(descriptor.digest)
    else:
        pinned = f"{reference.repository}:{reference.tag}" if reference.tag else str(reference.repository)
        print(f"{pinned}@{descriptor.digest}")
