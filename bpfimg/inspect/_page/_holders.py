"""Who holds what: pins and processes, each with the programs, maps, links and BTF objects that it keeps."""

from __future__ import annotations

from bpfimg.inspect._page._html import Html, markup, tag
from bpfimg.inspect._page._parts import code, cut, opens, ref, row, several, table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.inspect._page._index import Index

    Held = dict[str, dict[str, list[Html]]]

_KINDS = ("programs", "maps", "links", "BTF objects")
_HEAD = ("Holder", "Programs", "Maps", "Links", "BTF objects")


def holders(index: Index) -> Html:
    """A table of processes, and one of pins behind a click."""
    held: Held = {}
    for kind, item, names in _items(index):
        for name in names:
            if not name.startswith("and "):  # the rest, counted
                held.setdefault(name, {}).setdefault(kind, []).append(item)
    pins = {name: found for name, found in held.items() if name.startswith("/")}
    others = {name: found for name, found in held.items() if name not in pins}
    content: list[Html] = []
    if others:
        content.append(table("processes", "Processes that hold eBPF by a descriptor", _HEAD, _rows(others)))
    if pins:
        what = "Pins in bpffs"
        content.append(opens(f"{what}: {len(pins)}", table("pins", what, _HEAD, _rows(pins))))
    return markup(content or tag("p", "No pin and no process that holds anything was seen."))


def _items(index: Index) -> Iterator[tuple[str, Html, tuple[str, ...]]]:
    for view in index.inventory.programs:
        yield "programs", index.program(view.id), view.held_by
    for each in index.inventory.maps:
        yield "maps", index.map(each.id), each.held_by
    for link in index.inventory.links:
        yield "links", markup(f"{link.kernel_id or link.id or '-'} on {cut(link.words)}"), link.held_by
    for btf in index.inventory.btfs:
        yield "BTF objects", ref("b", btf.id, index.btfs), btf.held_by


def _rows(held: Held) -> list[Html]:
    return [
        row(
            code(cut(name)) if name.startswith("/") else cut(name),
            *(several(found.get(kind, ()), what=kind) for kind in _KINDS),
        )
        for name, found in sorted(held.items())
    ]
