"""The entries of a map, as a table or as JSON, printed while they are read: maps may be large."""

from __future__ import annotations

import sys
from itertools import chain, islice

from bpfimg.btf import values
from bpfimg.cli._render import clean, columns, spelt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from bpfimg.cli._options import Options
    from bpfimg.load import maps

    Entry = tuple[bytes, Any, Any]  # key as bytes, key, value

_AHEAD = 500  # rows that decide how wide the columns are
_WIDEST = 48


def entries(found: maps.Map) -> Iterator[Entry]:
    """Key as bytes, key and value of every entry."""
    for raw, data in found.raw():
        yield raw, *found.read(raw, data)


def dump(found: maps.Map, options: Options, *, total: bool) -> None:
    """Prints them all."""
    if options.json:
        _as_json(found, total=total)
    elif options.quiet:
        for _, key, _ in entries(found):
            print(cell(key))
    else:
        _as_table(found, total=total)


def entry(found: maps.Map, one: Entry, *, total: bool) -> dict[str, object]:
    """An entry for JSON: `id` is the key's bytes; `values` are those of all CPUs, where the map has them."""
    raw, key, value = one
    each = list(value) if found.per_cpu and not total else None
    whole: Any = values.total(value) if found.per_cpu and total else value
    return {
        "id": raw.hex(),
        "key": values.shown(key),
        "value": None if each is not None else values.shown(whole),
        "values": None if each is None else [{"id": cpu, "value": values.shown(one)} for cpu, one in enumerate(each)],
    }


def _as_json(found: maps.Map, *, total: bool) -> None:
    import json

    rows = entries(found)
    ahead = list(islice(rows, 1))  # before the first word: it may be refused
    print('{\n  "entries": [', end="")
    comma = ""
    for each in chain(ahead, rows):
        print(f"{comma}\n    {json.dumps(entry(found, each, total=total))}", end="")
        comma = ","
    print("\n  ]\n}" if comma else "]\n}")


def one_line(found: maps.Map, value: Any, *, total: bool) -> str:
    """A value for people; of a per-CPU map a line for each CPU."""
    if not found.per_cpu:
        return cell(value)
    if total:
        return cell(values.total(value))
    return "\n".join(f"CPU {cpu}: {cell(one)}" for cpu, one in enumerate(value))


def cell(value: Any) -> str:
    """A value in few words: text as it is, anything nested as JSON on one line."""
    import json

    shown = values.shown(value)
    if isinstance(shown, str):
        return clean(shown)
    return clean(json.dumps(shown, ensure_ascii=False))


def _as_table(found: maps.Map, *, total: bool) -> None:
    rows = _rows(found, total=total)
    ahead = list(islice(rows, _AHEAD))
    if not ahead:
        return
    keys, members = _columns(ahead, 1, "KEY"), _columns(ahead, 2, "VALUE")
    spread = found.per_cpu and not total
    head = [*(word for word, _ in keys), *(["CPU"] if spread else []), *(word for word, _ in members)]

    def line(row: Sequence[Any]) -> list[str]:
        cpu, key, value = row
        cells = [*_cells(key, keys), *([str(cpu)] if spread else []), *_cells(value, members)]
        return [each or '""' for each in cells]

    _print(head, map(line, ahead), map(line, rows), len(head) - len(members))


def _rows(found: maps.Map, *, total: bool) -> Iterator[tuple[int, Any, Any]]:
    for _, key, value in entries(found):
        if not found.per_cpu:
            yield 0, key, value
        elif total:
            yield 0, key, values.total(value)
        else:
            yield from ((cpu, key, one) for cpu, one in enumerate(value))


def _columns(rows: Sequence[tuple[Any, ...]], at: int, word: str) -> list[tuple[str, str | None]]:
    """One column for each member of a struct of plain values, else one for the whole: heading, member."""
    first = rows[0][at]
    plain = isinstance(first, dict) and 0 < len(first) <= 8
    if plain and not any(isinstance(each, dict | list) for each in first.values()):
        return [(clean(name).upper(), name) for name in first]
    return [(word, None)]


def _cells(value: Any, members: list[tuple[str, str | None]]) -> list[str]:
    return [cell(value if member is None else value[member]) for _, member in members]


def _print(head: Sequence[str], ahead: Iterable[list[str]], rows: Iterable[list[str]], keys: int) -> None:
    """Aligned by the rows that are here already; those that follow may be wider. A terminal cuts all but the keys."""
    from bpfimg.cli import _fit
    from bpfimg.cli._colour import paint

    first = [list(head), *([spelt(word) for word in line] for line in ahead)]
    whole = [max(columns(line[at]) for line in first) for at in range(len(head))]
    free, room = range(keys, len(head)), _fit.terminal_width()
    widths = [min(width, _WIDEST) for width in whole] if room is None else _fit.fitted(whole, free, room)
    for number, line in enumerate(chain(first, rows)):
        words = [spelt(word) for word in line]
        if room is not None:
            words[keys:] = [_fit.cut(words[at], widths[at]) for at in free]
        text = "  ".join(word + " " * (width - columns(word)) for word, width in zip(words, widths, strict=True))
        sys.stdout.write((text.rstrip() if number else paint(text.rstrip(), "head")) + "\n")
