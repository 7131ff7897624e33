"""The maps of a host, its BTF objects and its tables of operations, as tables."""

from __future__ import annotations

from bpfimg.inspect._page._html import Html, markup, tag
from bpfimg.inspect._page._index import holders, loaded_by, yes
from bpfimg.inspect._page._parts import cut, number, opens, row, several, table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.inspect import MapView
    from bpfimg.inspect._kernel._views import BtfView
    from bpfimg.inspect._page._html import Content
    from bpfimg.inspect._page._index import Index

_HEAD = (
    *("Id", "Name", "Type", "Loaded by", "#Key bytes", "#Value bytes", "#Entries at most", "#Bytes of memory"),
    *("Frozen", "Flags", "Used by", "Shared among", "Held by"),
)
_BTF_HEAD = ("Id", "Name", "Whose", "#Bytes", "Programs", "Maps", "Held by")
_OPS_HEAD = ("Map", "Name", "Structure", "State", "Programs", "Held by")


def maps(index: Index) -> Html:
    """Every map of the inventory: ours first."""
    if not index.maps:
        return tag("p", "There is no eBPF map in sight.")
    rows = [_row(view, index) for view in index.inventory.maps]
    return table("maps-table", "Maps in the kernel, those that bpfimg made first", _HEAD, rows)


def _row(view: MapView, index: Index) -> Html:
    return row(
        str(view.id),
        cut(view.name) or "-",
        view.type,
        loaded_by(view, index.programs),
        number(view.key_size),
        number(view.value_size),
        number(view.max_entries),
        number(view.memlock),
        yes(view.frozen),
        f"{view.flags:#x}" if view.flags else "-",
        index.programs_of(view.program_ids),
        _shared(view, index),
        holders(view.held_by or ((view.pin,) if view.pin else ())),
        id=f"m{view.id}",
    )


def _shared(view: MapView, index: Index) -> Content:
    """The applications that use it, where they are more than one."""
    users: dict[str, None] = {}
    for each in view.program_ids:
        program = index.programs.get(each)
        if program is not None:
            users[str(loaded_by(program, index.programs))] = None
    return several(list(users), what="applications") if len(users) > 1 else "-"


def types(index: Index) -> Html:
    """BTF objects, those of the kernel's modules behind a click; then tables of operations."""
    modules = [view for view in index.inventory.btfs if view.kernel and not (view.program_ids or view.map_ids)]
    others = [view for view in index.inventory.btfs if view not in modules]
    content: list[Html] = []
    if others:
        content.append(table("btf-table", "BTF objects of programs and maps", _BTF_HEAD, _btfs(others, index)))
    if modules:
        what = "BTF objects of the kernel and its modules"
        content.append(opens(f"{what}: {len(modules)}", table("modules", what, _BTF_HEAD, _btfs(modules, index))))
    if index.inventory.struct_ops:
        content.append(_operations(index))
    return markup(content or tag("p", "There is no BTF object in sight."))


def _btfs(views: list[BtfView], index: Index) -> list[Html]:
    return [
        row(
            str(view.id),
            cut(view.name or "") or "-",
            "-" if view.kernel is None else "the kernel's" if view.kernel else "a program's or map's",
            number(view.size),
            index.programs_of(view.program_ids),
            index.maps_of(view.map_ids),
            holders(view.held_by),
            id=f"b{view.id}",
        )
        for view in views
    ]


def _operations(index: Index) -> Html:
    rows = [
        row(
            index.map(view.id),
            cut(view.name) or "-",
            cut(view.type),
            view.state,
            index.programs_of(view.program_ids),
            holders(view.held_by),
        )
        for view in index.inventory.struct_ops
    ]
    return table("operations", "Tables of operations that the kernel may call (struct_ops)", _OPS_HEAD, rows)
